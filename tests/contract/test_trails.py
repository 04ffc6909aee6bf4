"""One id from the badge to the ledger, found from the facts alone."""

from typing import Any

from contract.facts import (
    AccessGranted,
    AccessRefused,
    AgentStarted,
    CommandDecided,
    DoorClosed,
    DoorOpened,
    Fact,
    FactBase,
    Identity,
    KeyReturned,
    KeyTaken,
    PinAsked,
    Purpose,
    ReleaseFailed,
    parse_fact,
)
from contract.reasons import Reason
from contract.trails import Trails

EPOCH = "3f2a90c1" + "0" * 24


class Story:
    """Facts of one cabinet, numbered; `ids` are what one reader of them says, and another says the same."""

    def __init__(self) -> None:
        self.agent, self.dispatcher = Trails(), Trails()
        self.seq = 0

    def tell(self, kind: type[FactBase], **fields: Any) -> str | None:
        self.seq += 1
        fact = kind(seq=self.seq, at_ms=self.seq, clock_trusted=True, **fields)
        read = parse_fact(fact.to_json())
        noted: Fact = fact  # type: ignore[assignment]  # every kind that is told here is one of them
        found = self.agent.follow(EPOCH, noted)
        assert self.dispatcher.follow(EPOCH, read) == found, "who only reads the texts finds the same"
        return found

    def granted(self, slot: int = 1, **fields: Any) -> str | None:
        return self.tell(AccessGranted, reader="entrance", slot=slot, purpose=Purpose.TAKE, **fields)


def test_a_key_that_is_taken_has_the_id_of_the_badge_that_opened_its_slot() -> None:
    story = Story()
    story.tell(AgentStarted, boot_nonce="b" * 32, version="1")
    assert story.granted(grant="grant-1") == "3f2a90c1-2"
    assert story.agent.of_slot(1) == "3f2a90c1-2"
    assert story.tell(DoorOpened, slot=1, released=True) == "3f2a90c1-2"
    assert story.tell(KeyTaken, slot=1, identity=Identity.READ, grant="grant-1") == "3f2a90c1-2"
    assert story.tell(DoorClosed, slot=1) == "3f2a90c1-2"
    assert story.tell(DoorOpened, slot=1, released=True) is None
    assert story.agent.of_slot(1) is None


def test_with_a_pin_the_story_begins_where_it_was_asked_for() -> None:
    story = Story()
    assert story.tell(PinAsked, reader="entrance", badge="ref-1") == "3f2a90c1-1"
    refused = story.tell(AccessRefused, reader="entrance", reason=Reason.WRONG_PIN, with_pin=True)
    assert refused == "3f2a90c1-1"
    assert story.granted(with_pin=True) == "3f2a90c1-1"
    assert story.tell(AccessRefused, reader="entrance", reason=Reason.TOO_EARLY) == "3f2a90c1-4"


def test_two_people_at_two_slots_are_two_stories() -> None:
    story = Story()
    first, second = story.granted(1, grant="grant-1"), story.granted(2, grant="grant-2")
    assert story.tell(KeyTaken, slot=2, identity=Identity.READ, grant="grant-2") == second
    assert story.tell(KeyTaken, slot=1, identity=Identity.READ, grant="grant-1") == first != second


def test_a_key_that_hangs_elsewhere_belongs_to_the_slot_that_was_lit() -> None:
    story = Story()
    begun = story.granted(3)
    assert story.tell(KeyReturned, slot=5, identity=Identity.READ, lit_slot=3) == begun


def test_what_nobody_decided_follows_from_nothing() -> None:
    story = Story()
    story.granted(1, grant="grant-1")
    assert story.tell(DoorOpened, slot=1, released=False) is None
    assert story.tell(KeyTaken, slot=1, identity=Identity.PRESUMED) is None
    assert story.tell(DoorClosed, slot=1) is None


def test_an_operators_command_and_a_lock_that_stuck_are_followed_too() -> None:
    story = Story()
    decided = story.tell(CommandDecided, command="command-1", outcome="completed", slot=2)
    assert story.tell(KeyTaken, slot=2, identity=Identity.READ, command="command-1") == decided
    assert (
        story.tell(CommandDecided, command="command-2", outcome="refused", reason=Reason.BUSY, slot=4)
        == "3f2a90c1-3"
    )
    assert story.agent.of_slot(4) is None
    begun = story.granted(3)
    failed = story.tell(ReleaseFailed, slot=3, purpose=Purpose.TAKE, pulses=3, last_result="confirmed")
    assert failed == begun
    assert story.agent.of_slot(3) is None
