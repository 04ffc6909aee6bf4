"""What goes out: the newest message per topic, and every command, in order, as fast as the broker confirms.

What the broker does not confirm is tried again while the connection lasts, unless something newer of its topic
waits. Else nothing is repeated from here: desired states and acknowledgements are published again on every
connection, and by whoever compares them with what the boxes say.
"""

from typing import Literal

import structlog

from contract.envelope import RULE_BY_KIND, Signer
from contract.messages import Command, DispatcherMessage, DispatcherPresence
from contract.topics import TopicRule
from runtime.clocks import LineClock
from runtime.link import Link, LinkDown, LinkError, Publication, PublishRefused, PublishUnconfirmed
from runtime.steps import Steps

log = structlog.get_logger()

AT_ONCE = 20  # paho's own default of publications in flight; more would wait in its queue instead of ours
RETRY_US = 2_000_000  # the link has waited for the answer by then
LOG_EVERY_US = 60_000_000  # once a minute: a broker that refuses does so for every message


class Courier:
    """Signs messages and publishes them. Bounded by the number of topics: a newer one replaces an older.

    A command replaces only itself; of those one of an operator and one request for a report are under way at most.
    """

    def __init__(self, namespace: str, signer: Signer, line_clock: LineClock, steps: Steps) -> None:
        self.failed = 0
        """Publications that the broker refused or did not confirm."""
        self._namespace = namespace
        self._signer = signer
        self._line_clock = line_clock
        self._waiting: dict[tuple[str, str], Publication] = {}
        self._unconfirmed: dict[tuple[str, str], Publication] = {}
        self._steps = steps
        self._sending = steps.step("courier", self._send_waiting)
        self._link: Link | None = None
        self._logged_us: int | None = None

    @property
    def waiting(self) -> int:
        """Messages that are not handed to the broker yet."""
        return len(self._waiting)

    def send(self, message: DispatcherMessage) -> None:
        """Publish a message soon."""
        publication = self.publication(message)
        self._put(publication, message.command if isinstance(message, Command) else "")

    def send_signed(self, rule: TopicRule, subject: str, wire: bytes) -> None:
        """Publish soon what was signed before."""
        self._put(_publication(rule, rule.topic(self._namespace, subject), wire))

    def publication(self, message: DispatcherMessage) -> Publication:
        """The signed message with its topic, QoS and retain flag."""
        rule = RULE_BY_KIND[type(message)]
        subject = message.dispatcher if isinstance(message, DispatcherPresence) else message.cabinet
        return _publication(rule, rule.topic(self._namespace, subject), self._signer.sign(message))

    def use(self, link: Link) -> None:
        """Publish through this link from now on."""
        self._link = link
        self._sending.soon()

    async def _send_waiting(self) -> None:
        link = self._link
        while self._waiting and link is not None:
            now = list(self._waiting)[:AT_ONCE]
            batch = [(key, self._waiting.pop(key)) for key in now]
            await self._steps.together(self._publish(link, key, publication) for key, publication in batch)
        self._again()

    def _again(self) -> None:
        """What was not confirmed waits behind whatever is newer."""
        for key, publication in self._unconfirmed.items():
            self._waiting.setdefault(key, publication)
        if self._unconfirmed:
            self._unconfirmed.clear()
            self._sending.at_us(self._line_clock.now_us() + RETRY_US)

    def forget(self) -> None:
        """Drop what waits: the connection ended, and its successor starts with everything anew."""
        self._waiting.clear()
        self._unconfirmed.clear()

    def _put(self, publication: Publication, of_topic: str = "") -> None:
        key = (publication.topic, of_topic)
        self._waiting.pop(key, None)
        self._unconfirmed.pop(key, None)
        self._waiting[key] = publication
        self._sending.soon()

    async def _publish(self, link: Link, key: tuple[str, str], publication: Publication) -> None:
        try:
            await link.publish(publication)
        except LinkDown:
            pass  # the next connection begins with all states anew; who asked for the time asks again
        except LinkError as error:
            self.failed += 1
            if isinstance(error, PublishUnconfirmed) and key not in self._waiting:
                self._unconfirmed[key] = publication
            self._log(publication.topic, error)
        except Exception:  # a mistake of ours costs one message, which is said again
            self.failed += 1
            log.exception("publish_failed", topic=publication.topic)

    def _log(self, topic: str, error: LinkError) -> None:
        now_us = self._line_clock.now_us()
        if self._logged_us is None or now_us - self._logged_us >= LOG_EVERY_US:
            self._logged_us = now_us
            event = "publish_refused" if isinstance(error, PublishRefused) else "publish_failed"
            log.warning(event, topic=topic, reason=str(error), so_far=self.failed)


def _publication(rule: TopicRule, topic: str, wire: bytes) -> Publication:
    qos: Literal[0, 1] = 1 if rule.qos else 0
    return Publication(topic, wire, qos, rule.retain)
