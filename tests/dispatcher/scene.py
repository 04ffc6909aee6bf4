"""A small fleet, one box that is online, and timed work: where discrepancies are made and mended."""

from dataclasses import replace
from typing import Any

from contract.facts import AccessGranted, DoorOpened, Purpose
from contract.messages import SlotState
from dispatcher.core.hearing import Hearing
from dispatcher.core.patience import Patience
from dispatcher.core.rules import FleetRules
from dispatcher.store.links import keep_presence, keep_reported
from dispatcher.store.scope import EVERYTHING
from dispatcher.store.timed import Awaited, run_timed
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import CABINET, NOW_MS, OTHER_CABINET, RULES, incidents, new_database, take

UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}


class Scene:
    """A database, one box that is online, and timed work."""

    def __init__(self, rules: FleetRules = RULES) -> None:
        self.database = new_database()
        self.box = FakeBox()
        self.rules = rules
        self.now_ms = NOW_MS
        self.patience = Patience()
        self.cabinets = [CABINET, OTHER_CABINET]
        self.scope = EVERYTHING
        self.touched = frozenset[str]()
        """The cabinets that told something since the last pass."""
        self.awaited: Awaited | None = None
        """What came of the last pass."""
        self.write(keep_presence, self.box.presence(), NOW_MS)

    def write(self, work: Any, *arguments: Any) -> None:
        self.database.write_now(lambda connection: work(connection, *arguments))

    def tell(self, kind: type[Any], box: FakeBox | None = None, **fields: Any) -> None:
        """A box notes a fact, which is taken at once."""
        box = box or self.box
        self.touched |= {box.cabinet}
        box.now_ms = self.now_ms
        seq = box.note(kind, **fields)
        take(self.database, box.batch(seq), now_ms=self.now_ms)

    def take_all(self) -> None:
        """Whatever the box has noted is here now."""
        take(self.database, self.box.batch(), now_ms=self.now_ms)

    def report(self, *slots: SlotState, **changes: Any) -> None:
        """The box tells its whole state."""
        self.touched |= {CABINET}
        self.box.now_ms, self.box.slots = self.now_ms, slots
        self.write(keep_reported, self.box.report(**changes), self.now_ms)

    def presence(self, box: FakeBox, *, online: bool) -> None:
        self.write(keep_presence, box.presence(online=online), self.now_ms)

    def pass_s(self, seconds: float, *, heard: bool = True) -> list[tuple[str, str, bool]]:
        """Let time pass, and do the timed work once; the incidents after it. The cabinets are heard, or are not."""
        self.now_ms += round(seconds * 1000)
        ears = Hearing(
            True,
            NOW_MS,
            1.0,
            dict.fromkeys(self.cabinets, 1.0) if heard else {},
            line_s=self.now_ms / 1000,
            patience=self.patience,
        )
        scope = self.scope
        if scope.cabinets is not None:
            scope = replace(scope, cabinets=self.touched)
        self.touched = frozenset()
        self.awaited = self.database.write_now(
            lambda connection: run_timed(connection, self.rules, ears, self.now_ms, scope)
        )
        return incidents(self.database)

    def execute(self, statement: Any) -> None:
        self.database.write_now(lambda connection: connection.execute(statement))

    def open_slot(self, purpose: Purpose, **fields: Any) -> None:
        self.tell(AccessGranted, reader="reader-1", slot=1, purpose=purpose, key="key-1", **UNDER_1, **fields)
        self.tell(DoorOpened, slot=1, released=True)
