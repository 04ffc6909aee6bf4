"""What passes at the broker about each cabinet, read along by an observer: checked, and in a few words.

Where vehicles stand, and whose badges a box knows, is left out of what is shown (domain.md, P1 and P6).
"""

import asyncio
import json
import logging
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import structlog

from contract.envelope import BadMessage, VerifyKey, verify
from contract.messages import (
    Acknowledged,
    Command,
    CommandReply,
    Desired,
    DispatcherPresence,
    FactBatch,
    Message,
    Presence,
    Reported,
)
from contract.topics import DISPATCHER_PRESENCE, MAJOR, VEHICLE_RAW, Author, ParsedTopic, parse_topic
from runtime.clocks import LineClock
from runtime.link import Incoming, LinkOwner, Subscription
from runtime.mqtt_link import MqttLink
from runtime.mqtt_settings import MqttSettings
from simulator.page.rows import Follow, Ring, Row, Way

LANE: Final = "mqtt"
SHOWN_MAX: Final = 4000  # characters of a message's content: what a person reads through
VERIFIED, UNSIGNED = "signature verified", "unsigned"
EVERYBODY: Final = ""
"""Subject of what concerns every cabinet."""

SILENT: Final = structlog.make_filtering_bound_logger(logging.CRITICAL)
"""Where no broker is, a cabinet's terminal is not told of it every few seconds."""

FindKey = Callable[[str], VerifyKey | None]


class Messages:
    """The last messages about each cabinet, as they came; they are read when somebody looks.

    Args:
        namespace: of the topics.
        find_key: the public key of an author, by `kid`.
        cabinet_of: the cabinet of each vehicle's key.
        line_clock: for when they came.
    """

    def __init__(
        self, namespace: str, find_key: FindKey, cabinet_of: Mapping[str, str], line_clock: LineClock
    ) -> None:
        self._namespace = namespace
        self._find_key = find_key
        self._cabinet_of = cabinet_of
        self._line_clock = line_clock
        self._heard: dict[str, Ring[tuple[int, Incoming]]] = defaultdict(Ring)

    def heard(self, incoming: Incoming) -> None:
        topic = parse_topic(incoming.topic, self._namespace)
        if topic is None:
            return
        subject = topic.subject
        if topic.rule is VEHICLE_RAW:
            subject = self._cabinet_of.get(subject, EVERYBODY)
        elif topic.rule is DISPATCHER_PRESENCE:
            subject = EVERYBODY
        self._heard[subject].put((self._line_clock.now_us(), incoming))

    def of(self, cabinet: str) -> "MessageLane":
        return MessageLane(self, cabinet)

    def since(self, subject: str, first: int) -> tuple[list[Row], int]:
        heard, first = self._heard[subject].since(first)
        return [self._row(at_us, incoming) for at_us, incoming in heard], first

    def _row(self, at_us: int, incoming: Incoming) -> Row:
        topic = parse_topic(incoming.topic, self._namespace)
        assert topic is not None, "others are not kept"
        head = f"{topic.rule.channel.rpartition('/')[2]}{' (kept by the broker)' if incoming.retained else ''}"
        if not topic.rule.signed:
            return Row(
                LANE, at_us, Way.NEITHER, f"{head}: {len(incoming.payload)} bytes of a tracker", "", UNSIGNED
            )
        if not incoming.payload:
            return Row(LANE, at_us, Way.NEITHER, f"{head}: what the broker kept is taken back")
        return _signed(at_us, incoming, topic, head, self._find_key)


class MessageLane:
    """Those about one cabinet, and those about all."""

    def __init__(self, messages: Messages, cabinet: str) -> None:
        self._messages = messages
        self._cabinet = cabinet

    def follow(self) -> Follow:
        first = {self._cabinet: 0, EVERYBODY: 0}

        async def rows() -> list[Row]:
            found: list[Row] = []
            for subject, number in tuple(first.items()):
                new, first[subject] = self._messages.since(subject, number)
                found += new
            return found

        return rows


def _signed(at_us: int, incoming: Incoming, topic: ParsedTopic, head: str, find_key: FindKey) -> Row:
    way = Way.SENT if topic.rule.authors == {Author.AGENT} else Way.RECEIVED
    try:
        message = verify(incoming.payload, topic, find_key)
    except BadMessage as error:
        return Row(LANE, at_us, way, f"{head}: not accepted: {error.detail}", "", error.fault)
    if len(topic.rule.authors) > 1:
        way = Way.SENT if message.kind == "time_request" else Way.RECEIVED
    return Row(LANE, at_us, way, f"{head}: {words_of(message)}", content_of(message), VERIFIED)


def words_of(message: Message) -> str:
    """The gist of a message."""
    match message:
        case Presence():
            return f"{'online' if message.online else 'offline'}, connection {message.connection} of this boot"
        case DispatcherPresence():
            return f"dispatcher {message.dispatcher} is {'online' if message.online else 'offline'}"
        case Reported():
            keys = sum(bool(slot.key_present) for slot in message.slots)
            held = f"holds desired {message.desired_version}" if message.desired_version else "holds no desired"
            return (
                f"{keys} keys in {len(message.slots)} slots, {held}, {message.journal_depth} facts not acknowledged"
            )
        case FactBatch():
            kinds = ", ".join(str(json.loads(text).get("kind")) for text in message.facts)
            alone = message.first_seq == message.last_seq
            return f"{message.first_seq}{'' if alone else f' to {message.last_seq}'}: {kinds}"
        case Desired():
            counts = f"{len(message.grants)} grants, {len(message.badges)} badges, {len(message.keys)} keys"
            return f"version {message.version}: {counts}"
        case Acknowledged():
            return f"durable up to {message.seq}{', in CONFLICT with the ledger' if message.conflict else ''}"
        case Command():
            place = f" of slot {message.slot}" if message.slot is not None else ""
            return f"{message.action}{place}, number {message.counter}"
        case CommandReply():
            return f"{message.outcome}{f', {message.reason}' if message.reason else ''}"
        case _:
            return message.kind.replace("_", " ")


def content_of(message: Message) -> str:
    """A message as JSON, without positions and without what a box knows of badges; cut where it is long."""
    said: dict[str, Any] = message.model_dump(mode="json", exclude_none=True, exclude={"vehicles", "badges"})
    if isinstance(message, FactBatch):
        said["facts"] = [json.loads(text) for text in message.facts]
    text = json.dumps(said, indent=1, ensure_ascii=False)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}\n... {len(text) - SHOWN_MAX} characters more"


@asynccontextmanager
async def observed(
    messages: Messages, namespace: str, broker: MqttSettings, line_clock: LineClock
) -> AsyncIterator[None]:
    """Reads along while the block runs; a broker that is not there is tried again."""

    async def connected(_count: int) -> None:
        pass

    owner = LinkOwner((Subscription(f"{namespace}/{MAJOR}/#"),), messages.heard, connected)
    link = MqttLink(
        broker,
        f"{namespace}-observer-{secrets.token_hex(4)}",
        owner,
        line_clock=line_clock,
        random=Random(secrets.token_bytes(16)),
        log=structlog.wrap_logger(structlog.ReturnLogger(), wrapper_class=SILENT),
    )
    running = asyncio.create_task(link.run(), name="observer")
    try:
        yield
    finally:
        await link.stop()
        await running
