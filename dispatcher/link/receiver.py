"""Every message from the broker passes here: verified, then handed to whom it concerns, or counted."""

from collections import Counter

from contract.envelope import BadMessage, EnvelopeFault, verify
from contract.messages import CommandReply, FactBatch, Message, Presence, Reported, TimeReply, TimeRequest
from contract.topics import FACTS, PRESENCE, REPLIES, REPORTED, TIME, parse_topic
from dispatcher.link.courier import Courier
from dispatcher.link.hearing import Ears
from dispatcher.link.intake import IntakeWorker
from dispatcher.link.keyring import KeyRing
from runtime.clocks import Clock
from runtime.link import Incoming, Subscription
from runtime.rejects import Rejects

HEARD = (PRESENCE, REPORTED, FACTS, REPLIES, TIME)


def subscriptions(namespace: str) -> tuple[Subscription, ...]:
    """What the dispatcher listens to. Its own answers on the topic of time are not wanted back."""
    return tuple(
        Subscription(rule.filter(namespace), 1 if rule.qos else 0, no_local=rule is TIME) for rule in HEARD
    )


class Receiver:
    """Routes messages. Nothing that comes from outside raises here."""

    def __init__(
        self,
        namespace: str,
        keyring: KeyRing,
        rejects: Rejects,
        intake: IntakeWorker,
        courier: Courier,
        ears: Ears,
        clock: Clock,
    ) -> None:
        self.accepted: Counter[str] = Counter()
        """Messages by kind."""
        self._namespace = namespace
        self._keyring = keyring
        self._rejects = rejects
        self._intake = intake
        self._courier = courier
        self._ears = ears
        self._clock = clock

    async def receive(self, incoming: Incoming) -> None:
        """One message. Waits while the intake is full."""
        try:
            message = self._verify(incoming)
        except BadMessage as bad:
            self._rejects.add(incoming.topic, len(incoming.payload), bad)
            return
        self.accepted[message.kind] += 1
        match message:
            case Presence() | Reported() | FactBatch() | CommandReply():
                self._ears.heard(message.cabinet)
                await self._intake.put(message)
            case TimeRequest():
                self._ears.heard(message.cabinet)
                now_ms = self._clock.now_ms()
                self._courier.send(TimeReply(cabinet=message.cabinet, nonce=message.nonce, at_ms=now_ms))
            case _:
                pass  # a dispatcher's own word, handed back by the broker

    def _verify(self, incoming: Incoming) -> Message:
        topic = parse_topic(incoming.topic, self._namespace)
        if topic is None:
            raise BadMessage(EnvelopeFault.WRONG_TOPIC, "no topic of the contract")
        try:
            return verify(incoming.payload, topic, self._keyring.find)
        except BadMessage:
            raise
        except Exception as error:  # no signature was checked yet: whoever reaches the broker ends nothing here
            raise BadMessage(EnvelopeFault.MALFORMED, f"reading it raised {type(error).__name__}") from error
