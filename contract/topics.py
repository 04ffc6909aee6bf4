"""Every topic of the wire contract, in one table.

`{namespace}/v1/...`: the major version is in the topic, so two majors can live side by side.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

NAMESPACE_PATTERN = re.compile(r"^[a-z0-9][a-z0-9-]{0,31}$")
MAJOR = "v1"


class Author(StrEnum):
    AGENT = "agent"
    DISPATCHER = "dispatcher"
    TRACKER = "tracker"


@dataclass(frozen=True, slots=True)
class TopicRule:
    """Who writes a topic, and how."""

    channel: str
    """Path below `{namespace}/v1/`, `{id}` standing for one level."""
    authors: frozenset[Author]
    qos: int
    retain: bool
    signed: bool
    purpose: str

    def topic(self, namespace: str, subject: str) -> str:
        return f"{namespace}/{MAJOR}/{self.channel.format(id=subject)}"

    def filter(self, namespace: str) -> str:
        return self.topic(namespace, "+")


def _rule(channel: str, authors: set[Author], purpose: str, *, retain: bool, signed: bool = True) -> TopicRule:
    return TopicRule(channel, frozenset(authors), 1, retain, signed, purpose)


PRESENCE = _rule("cabinets/{id}/presence", {Author.AGENT}, "online or offline; also the last will", retain=True)
REPORTED = _rule("cabinets/{id}/reported", {Author.AGENT}, "the whole observed state", retain=True)
FACTS = _rule("cabinets/{id}/facts", {Author.AGENT}, "a batch of numbered facts", retain=False)
DESIRED = _rule("cabinets/{id}/desired", {Author.DISPATCHER}, "the whole wanted state", retain=True)
ACKNOWLEDGED = _rule("cabinets/{id}/acknowledged", {Author.DISPATCHER}, "durable up to here", retain=True)
COMMANDS = _rule("cabinets/{id}/commands", {Author.DISPATCHER}, "do this once, before it expires", retain=False)
REPLIES = _rule("cabinets/{id}/replies", {Author.AGENT}, "what became of a command", retain=False)
TIME = _rule("cabinets/{id}/time", {Author.AGENT, Author.DISPATCHER}, "nonce and signed time", retain=False)
DISPATCHER_PRESENCE = _rule(
    "dispatchers/{id}/presence",
    {Author.DISPATCHER},
    "for people and metrics; nothing waits for it",
    retain=True,
)
VEHICLE_RAW = _rule("vehicles/{id}/raw", {Author.TRACKER}, "a tracker's own format", retain=False, signed=False)

TOPICS = (
    PRESENCE,
    REPORTED,
    FACTS,
    DESIRED,
    ACKNOWLEDGED,
    COMMANDS,
    REPLIES,
    TIME,
    DISPATCHER_PRESENCE,
    VEHICLE_RAW,
)


TOPICS_KEPT = 4096  # nine of each of 30 cabinets are 270; whoever invents more pushes the oldest out


@dataclass(frozen=True, slots=True)
class ParsedTopic:
    rule: TopicRule
    subject: str


@lru_cache(TOPICS_KEPT)
def parse_topic(topic: str, namespace: str) -> ParsedTopic | None:
    """Which rule a topic falls under and for whom; None for a topic that is not ours."""
    prefix = f"{namespace}/{MAJOR}/"
    if not topic.startswith(prefix):
        return None
    levels = topic[len(prefix) :].split("/")
    for rule in TOPICS:
        pattern = rule.channel.split("/")
        if len(levels) == len(pattern) and levels[0] == pattern[0] and levels[2:] == pattern[2:] and levels[1]:
            return ParsedTopic(rule, levels[1])
    return None
