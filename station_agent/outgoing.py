"""Signs a message and hands it to the link, on the topic and with the QoS that its kind has in the contract."""

import structlog

from contract.envelope import RULE_BY_KIND, Signer
from contract.messages import AgentMessage
from runtime.link import Link, LinkError, Publication


class Outgoing:
    """This cabinet's messages."""

    def __init__(self, namespace: str, signer: Signer, log: structlog.typing.FilteringBoundLogger) -> None:
        self._namespace = namespace
        self._signer = signer
        self._log = log
        self.link: Link
        """Set once, right after the link was made: the link wants to know its last will first."""

    @property
    def cabinet(self) -> str:
        return self._signer.subject

    def publication(self, message: AgentMessage) -> Publication:
        """The message as it goes to the broker."""
        rule = RULE_BY_KIND[type(message)]
        topic = rule.topic(self._namespace, message.cabinet)
        assert rule.qos == 1, "every signed message of the contract is QoS 1"
        return Publication(topic, self._signer.sign(message), qos=1, retain=rule.retain)

    async def post(self, message: AgentMessage) -> None:
        """Publish. Raises what the link raises."""
        await self.link.publish(self.publication(message))

    async def post_or_leave(self, message: AgentMessage) -> bool:
        """Publish what may be lost, because it is repeated or asked for again; whether it was published."""
        try:
            await self.post(message)
        except LinkError as error:
            self._log.info("not_published", kind=message.kind, why=str(error))
            return False
        return True
