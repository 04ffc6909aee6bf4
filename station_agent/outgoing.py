"""Signs a message and hands it to the link, on the topic and with the QoS that its kind has in the contract."""

from contract.envelope import RULE_BY_KIND, Signer
from contract.messages import AgentMessage
from runtime.link import Link, Publication


class Outgoing:
    """This cabinet's messages."""

    def __init__(self, namespace: str, signer: Signer) -> None:
        self._namespace = namespace
        self._signer = signer
        self.link: Link
        """Set once, right after the link was made: the link wants to know its last will first."""

    def publication(self, message: AgentMessage) -> Publication:
        """The message as it goes to the broker."""
        rule = RULE_BY_KIND[type(message)]
        topic = rule.topic(self._namespace, message.cabinet)
        assert rule.qos == 1, "every signed message of the contract is QoS 1"
        return Publication(topic, self._signer.sign(message), qos=1, retain=rule.retain)

    async def post(self, message: AgentMessage) -> None:
        """Publish. Raises what the link raises."""
        await self.link.publish(self.publication(message))
