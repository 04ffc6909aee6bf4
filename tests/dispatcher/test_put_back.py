"""Three stories of memory that was put back: a box from an old card, a copy of a box, a dispatcher from a backup.

Each ends with the conflict named once and closed, and with nothing else left open. The box here keeps to decision
0009 as the agent does: an acknowledgement that fits sets its mark, any other one makes it begin a new epoch.
"""

from copy import deepcopy
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Table, select

from contract.facts import (
    AccessGranted,
    AccessRefused,
    AgentStarted,
    ClockTrustChanged,
    DoorClosed,
    DoorOpened,
    EpochStarted,
    Identity,
    KeyReturned,
    KeyTaken,
    Purpose,
    parse_fact,
)
from contract.messages import Acknowledged, FactBatch
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.ingest import FactOutcome
from dispatcher.store.database import Database
from dispatcher.store.ledger import beginning, facts_of, watermarks
from dispatcher.store.links import complete_until_ms, keep_reported
from dispatcher.store.schema import cursors, handovers, key_states, rentals, slot_states
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    LEDGER,
    MINUTE,
    book,
    copy_of,
    incidents,
    new_database,
    stored,
    take,
)

CONFLICT = (IncidentKind.FACTS_CONFLICT, CABINET, False)
UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}


class Box:
    """A journal with its mark, which can be copied like a card."""

    epochs = (f"{number:032x}" for number in count(1))

    def __init__(self) -> None:
        self.journal = FakeBox(epoch=next(self.epochs))
        self.ended: dict[str, tuple[FakeBox, int]] = {}
        """Epochs before the present one, with how many facts of each count."""
        self.acknowledged_seq = 0
        self.note(EpochStarted, why="new_journal")

    def note(self, kind: type[Any], **fields: Any) -> None:
        self.journal.now_ms += 1000
        self.journal.note(kind, **fields)

    def image(self) -> "Box":
        """A copy of its card."""
        return deepcopy(self)

    def start(self, after_ms: int = HOUR) -> None:
        """It starts, some time later, and somebody vouches for its clock."""
        self.journal.now_ms += after_ms
        self.note(AgentStarted, boot_nonce="b2" * 16, version="1")
        self.note(ClockTrustChanged, source="kernel")

    def send(self, database: Database) -> list[FactOutcome]:
        """Send until the ledger has everything; what became of the facts on the way."""
        outcomes: list[FactOutcome] = []
        asked_for = None
        while asked_for is not None or self.acknowledged_seq < self.journal.seq:
            taken = take(database, asked_for or self.batch(), now_ms=self.journal.now_ms)
            outcomes += taken.outcomes.elements()
            (acknowledged,) = taken.acknowledgements
            asked_for = self.hear(acknowledged)
        return outcomes

    def batch(self) -> FactBatch:
        return self.journal.batch(self.acknowledged_seq + 1)

    def hear(self, acknowledged: Acknowledged) -> FactBatch | None:
        """As station_agent.epochs does; what the ledger asked for of an older epoch."""
        journal = self.journal
        if acknowledged.epoch != journal.epoch:
            older, count = self.ended.get(acknowledged.epoch, (None, 0))
            return older.batch(acknowledged.seq + 1, count) if older and acknowledged.seq < count else None
        if acknowledged.seq > journal.seq:
            self._begin_anew("acknowledged_beyond_sent", self.acknowledged_seq)
            return None
        fits = journal.hashes[acknowledged.seq] == acknowledged.hash
        if acknowledged.conflict or not fits:
            common = acknowledged.conflict and fits
            self._begin_anew("hash_conflict", acknowledged.seq if common else self.acknowledged_seq)
            return None
        self.acknowledged_seq = acknowledged.seq
        return None

    def _begin_anew(self, why: str, common_seq: int) -> None:
        ended = self.journal
        self.journal = FakeBox(epoch=next(self.epochs), now_ms=ended.now_ms)
        self.acknowledged_seq = 0
        self.ended[ended.epoch] = (ended, common_seq)
        self.note(EpochStarted, why=why, after_epoch=ended.epoch, after_seq=common_seq)
        for text in ended.texts[common_seq:]:
            carried = parse_fact(text).model_copy(update={"seq": self.journal.seq + 1})
            self.journal.note_text(carried.to_json())


def take_key(box: Box) -> None:
    box.note(AccessGranted, reader="entrance", slot=1, purpose=Purpose.TAKE, key="key-1", **UNDER_1)
    box.note(DoorOpened, slot=1, released=True)
    box.note(KeyTaken, slot=1, identity=Identity.PRESUMED, key="key-1", **UNDER_1)
    box.note(DoorClosed, slot=1)


def return_key(box: Box) -> None:
    box.note(DoorOpened, slot=1, released=True)
    box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", lit_slot=1, **UNDER_1)
    box.note(DoorClosed, slot=1)


def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    statement = select(table).order_by(*table.primary_key)
    return database.read_now(lambda connection: [row._asdict() for row in connection.execute(statement)])


def life() -> tuple[Database, Box]:
    """A database with a booking, and a box that was just installed and told so."""
    database, box = new_database(), Box()
    book(database)
    box.start(0)
    box.note(DoorOpened, slot=1, released=True)
    box.note(DoorClosed, slot=1)
    box.send(database)
    return database, box


# --- a box whose card was put back


@pytest.mark.parametrize("first", ["batch", "watermark"])
def test_a_box_that_was_put_back_tells_what_it_sees_and_the_take_stays_under_its_right(first: str) -> None:
    database, box = life()
    box.note(AccessRefused, reader="entrance", reason=Reason.NO_BOOKING, badge="ref-2")
    image = box.image()  # with a fact that it has not told
    take_key(box)
    box.send(database)
    assert stored(database).state is BookingState.ACTIVE
    image.start()
    image.note(KeyTaken, slot=1, identity=Identity.PRESUMED, key="key-1", seen_late=True)  # it sees an empty slot
    if first == "watermark":
        for acknowledged in database.read_now(lambda connection: watermarks(connection, LEDGER)):
            image.hear(acknowledged)
    outcomes = image.send(database)
    assert incidents(database) == [CONFLICT]
    assert (FactOutcome.CONFLICT in outcomes) is (first == "batch")
    key = rows(database, key_states)[0]
    assert (key["state"], key["grant_id"], key["badge_ref"]) == ("taken", "grant-1", "ref-1")
    assert len(rows(database, rentals)) == 1
    return_key(image)
    image.send(database)
    assert stored(database).state is BookingState.RETURNED
    assert incidents(database) == [CONFLICT]
    assert rows(database, rentals)[0]["returned_ms"] is not None


def test_facts_that_the_image_held_untold_and_the_ledger_has_are_kept_and_not_applied_twice() -> None:
    database, box = life()
    take_key(box)
    return_key(box)
    image = box.image()  # it has all of it, and was told of none
    box.send(database)
    box.note(DoorOpened, slot=2, released=True)
    box.note(DoorClosed, slot=2)
    box.note(AccessRefused, reader="entrance", reason=Reason.NO_BOOKING, badge="ref-2")
    box.send(database)
    (watermark,) = database.read_now(lambda connection: watermarks(connection, LEDGER))
    image.start()
    image.hear(watermark)  # beyond what it has: it tells all that it believes untold
    before = (rows(database, handovers), rows(database, rentals), stored(database))
    outcomes = image.send(database)
    assert outcomes.count(FactOutcome.TOLD_BEFORE) == 7
    assert (rows(database, handovers), rows(database, rentals), stored(database)) == before
    ledger = database.read_now(lambda connection: facts_of(connection, CABINET))
    assert [fact.text for fact in ledger if fact.epoch == image.journal.epoch] == image.journal.texts
    repeats = [(fact.kind, ledger[fact.repeats - 1].kind) for fact in ledger if fact.repeats is not None]
    assert len(repeats) == 7
    assert all(kind == first for kind, first in repeats), "positions begin at 1"
    assert incidents(database) == [CONFLICT]


def test_a_key_that_was_moved_since_the_image_stays_where_the_ledger_has_it() -> None:
    database, box = life()
    image = box.image()
    take_key(box)
    box.note(KeyReturned, slot=3, identity=Identity.READ, key="key-1", lit_slot=1, **UNDER_1)
    box.send(database)
    image.start()
    image.note(KeyTaken, slot=1, identity=Identity.PRESUMED, key="key-1", seen_late=True)
    image.note(KeyReturned, slot=3, identity=Identity.UNKNOWN, seen_late=True)
    image.send(database)
    assert incidents(database) == [(IncidentKind.KEY_IN_WRONG_SLOT, "key-1", True), CONFLICT]  # as before
    (key,) = rows(database, key_states)
    assert (key["state"], key["slot"], key["identity"]) == ("in_slot", 3, "read")
    assert [row["kind"] for row in rows(database, handovers)] == ["taken", "returned"]
    slot = next(row for row in rows(database, slot_states) if row["slot"] == 3)
    assert slot["key_id"] == "key-1"
    ledger = {fact.position: fact for fact in database.read_now(lambda c: facts_of(c, CABINET))}
    again = [(fact.kind, ledger[fact.repeats].kind) for fact in ledger.values() if fact.repeats is not None]
    assert again == [("key_taken", "key_taken"), ("key_returned", "key_returned")]


def test_a_key_that_nothing_had_read_is_not_stolen_a_second_time() -> None:
    database, box = life()
    image = box.image()
    box.note(KeyTaken, slot=2, identity=Identity.UNKNOWN, **UNDER_1)
    box.send(database)
    image.start()
    image.note(KeyTaken, slot=2, identity=Identity.UNKNOWN, seen_late=True)
    image.send(database)
    assert incidents(database) == [CONFLICT]


def test_a_theft_while_the_box_was_away_is_still_one() -> None:
    database, box = life()
    image = box.image()
    take_key(box)
    return_key(box)
    box.send(database)
    image.start()
    image.note(DoorOpened, slot=1, released=False, seen_late=True)
    image.note(KeyTaken, slot=1, identity=Identity.PRESUMED, key="key-1", seen_late=True)
    image.send(database)
    assert {kind for kind, _, is_open in incidents(database) if is_open} == {
        IncidentKind.SLOT_OPENED_WITHOUT_DECISION,
        IncidentKind.KEY_OUT_WITHOUT_RIGHT,
    }


# --- a box that was copied


@pytest.mark.parametrize("original_first", [True, False])
def test_a_box_and_its_copy_are_one_conflict_whoever_tells_first(*, original_first: bool) -> None:
    database, box = life()
    copy = box.image()
    take_key(box)
    copy.start(10 * MINUTE)
    copy.note(AccessRefused, reader="entrance", reason=Reason.NO_BOOKING, badge="ref-2")
    for one in (box, copy) if original_first else (copy, box):
        one.send(database)
    assert incidents(database) == [CONFLICT]
    return_key(box)
    copy.note(AccessRefused, reader="entrance", reason=Reason.NO_BOOKING, badge="ref-2")
    for one in (copy, box, copy):
        one.send(database)
    assert incidents(database) == [CONFLICT]
    assert stored(database).state is BookingState.RETURNED


def test_a_late_batch_of_the_epoch_that_ended_opens_nothing_again() -> None:
    database, box = life()
    copy = box.image()
    take_key(box)
    box.send(database)
    copy.start()
    late = copy.batch()
    copy.send(database)
    (answer,) = take(database, late).acknowledgements
    assert answer.conflict, "whoever still sends it has to begin anew"
    assert incidents(database) == [CONFLICT]


def test_each_copy_that_begins_anew_is_an_incident_of_its_own() -> None:
    database, box = life()
    copies = [box.image(), box.image()]
    take_key(box)
    box.send(database)
    for copy in copies:
        copy.start()
        copy.send(database)
    assert incidents(database) == [CONFLICT, CONFLICT]


def test_of_a_box_and_its_copy_the_one_that_speaks_is_waited_for() -> None:
    database, box = life()
    copy = box.image()
    take_key(box)
    box.send(database)
    copy.start()
    copy.send(database)
    return_key(box)  # the copy was found and put away
    box.send(database)
    box.journal.now_ms += HOUR
    reported = box.journal.report()
    database.write_now(lambda connection: keep_reported(connection, reported, box.journal.now_ms))
    assert database.read_now(lambda connection: complete_until_ms(connection, CABINET)) == box.journal.now_ms
    (told,) = database.read_now(lambda connection: watermarks(connection, LEDGER))
    assert told.epoch == box.journal.epoch


# --- a dispatcher whose database was put back


def connect(database: Database, box: Box) -> None:
    """What passes when a dispatcher and a box meet: watermarks, a report, an answer to it, the facts."""
    for acknowledged in database.read_now(lambda connection: watermarks(connection, LEDGER)):
        box.hear(acknowledged)
    reported = box.journal.report()
    database.write_now(lambda connection: keep_reported(connection, reported, box.journal.now_ms))
    answer = database.read_now(lambda connection: beginning(connection, LEDGER, reported))
    if answer is not None:
        box.hear(answer)
    box.send(database)


def picture(database: Database) -> list[Any]:
    """All that facts make, but for when they were received."""
    ledger = database.read_now(lambda connection: facts_of(connection, CABINET))
    return [
        [(fact.epoch, fact.seq, fact.text) for fact in ledger],
        *(rows(database, table) for table in (key_states, slot_states, handovers, rentals, cursors)),
        stored(database).state,
        incidents(database),
    ]


def test_a_dispatcher_from_a_backup_is_told_again_what_it_lost_and_shows_the_same() -> None:
    database, box = life()
    box.note(DoorOpened, slot=3, released=False)
    box.note(KeyTaken, slot=2, identity=Identity.PRESUMED, key="key-2")
    box.send(database)
    old = copy_of(database)
    assert {kind for kind, _, is_open in incidents(old) if is_open} == {
        IncidentKind.SLOT_OPENED_WITHOUT_DECISION,
        IncidentKind.KEY_OUT_WITHOUT_RIGHT,
    }
    box.note(DoorClosed, slot=3)
    box.note(KeyReturned, slot=2, identity=Identity.READ, key="key-2")
    take_key(box)
    box.send(database)
    connect(old, box)
    assert [is_open for _, _, is_open in incidents(old)] == [False, False]
    assert picture(old) == picture(database)


def test_a_backup_from_before_a_box_began_anew_gets_the_whole_new_epoch() -> None:
    database, box = life()
    old = copy_of(database)
    image = box.image()
    take_key(box)
    box.send(database)
    image.start()
    image.send(database)
    assert image.acknowledged_seq == image.journal.seq, "it has nothing to tell of its own accord"
    connect(old, image)
    assert incidents(old) == [CONFLICT]
    told = old.read_now(lambda connection: facts_of(connection, CABINET))
    assert [fact.text for fact in told if fact.epoch == image.journal.epoch] == image.journal.texts


def test_a_backup_from_before_the_epoch_that_ended_was_told_gets_that_first() -> None:
    database, box = life()
    old = copy_of(database)
    take_key(box)
    box.send(database)
    image = box.image()
    return_key(box)
    box.send(database)
    image.start()  # it never heard of the return: that is lost with the newer card, once this ledger is
    image.send(database)
    image.note(AccessRefused, reader="entrance", reason=Reason.NO_BOOKING, badge="ref-2")
    image.send(database)
    connect(old, image)
    told = [fact.text for fact in old.read_now(lambda connection: facts_of(connection, CABINET))]
    (ended, count), journal = next(iter(image.ended.values())), image.journal
    assert count == ended.seq - 2, "all but what it noted after its start"
    assert told == [*ended.texts[:count], *journal.texts], "in the order in which they happened"
    assert stored(old).state is BookingState.ACTIVE
    (key,) = rows(old, key_states)
    assert (key["state"], key["grant_id"]) == ("taken", "grant-1")


def test_an_epoch_before_the_epoch_before_is_asked_for_as_well() -> None:
    database, box = life()
    old, images = copy_of(new_database()), []
    for _ in range(2):
        images.append(box.image())
        take_key(box)
        box.send(database)
        return_key(box)
        box.send(database)
        box = images[-1]
        box.start()
        box.send(database)
    assert len(box.ended) == 2
    book(old)
    connect(old, box)
    told = old.read_now(lambda connection: facts_of(connection, CABINET))
    epochs = [fact.epoch for fact in told]
    assert epochs == sorted(epochs, key=[*box.ended, box.journal.epoch].index)
    assert [fact.text for fact in told if fact.epoch == box.journal.epoch] == box.journal.texts


def test_a_backup_with_the_conflict_open_ends_with_it_closed() -> None:
    database, box = life()
    image = box.image()
    take_key(box)
    box.send(database)
    image.start()
    take(database, image.batch())
    old = copy_of(database)
    assert incidents(old) == [(IncidentKind.FACTS_CONFLICT, CABINET, True)]
    image.send(database)
    connect(old, image)
    assert incidents(old) == [CONFLICT]


def test_a_box_whose_epoch_is_known_or_empty_is_not_asked_to_begin() -> None:
    database, box = life()
    assert database.read_now(lambda c: beginning(c, LEDGER, box.journal.report())) is None
    empty = FakeBox(epoch="fe" * 16)
    assert database.read_now(lambda c: beginning(c, LEDGER, empty.report())) is None
