"""The small fleet, what its boxes are told, and somebody who writes to the database past the program."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from contract.envelope import verify
from contract.messages import Desired, Grant
from contract.topics import DESIRED, Author, ParsedTopic
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.windows import Window
from dispatcher.importing.files import read_document
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined, WantedBooking, WantedChange
from dispatcher.store.bookings import Booking
from dispatcher.store.database import Database
from dispatcher.store.desired import DesiredMaker, mark_dirty, wire_of
from dispatcher.store.importing import import_rows
from dispatcher.store.schema import (
    bookings,
)
from tests.contract.keys import verify_key
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import DISPATCHER, dispatcher_signer
from tests.dispatcher.small_fleet import (
    CABINET,
    DISPATCHER_SEED,
    HOUR,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    booking,
    counted_bytes,
    incidents,
    new_database,
    take,
)


class Bench:
    """The small fleet, what its boxes are told, and somebody who writes to the database past the program."""

    def __init__(self, database: Database | None = None) -> None:
        self.database = database or new_database()
        self.maker = DesiredMaker(RULES, b"m" * 32, dispatcher_signer().sign)
        self.box = FakeBox()
        self.random_bytes = counted_bytes()

    def forge(self, *statements: Any) -> None:
        """Write past the program."""

        def work(connection: Connection) -> None:
            for statement in statements:
                connection.execute(statement)

        self.database.write_now(work)

    def row(self, table: Any, row_id: str) -> dict[str, Any]:
        """A row as the database holds it, its code with it."""
        statement = select(table).where(next(iter(table.primary_key)) == row_id)
        found = self.database.read_now(lambda connection: connection.execute(statement).mappings().one())
        return {str(name): value for name, value in found.items()}

    def told(self, cabinet: str = CABINET, now_ms: int = NOW_MS) -> Desired:
        """What a box is told, computed anew and verified as the box verifies it."""
        for dirty in (CABINET, OTHER_CABINET):
            self.database.write_now(partial(mark_dirty, cabinet_id=dirty))
        self.database.write_now(lambda connection: self.maker.refresh(connection, now_ms, 0, 10))
        _, wire = self.database.read_now(lambda connection: wire_of(connection, [cabinet]))[cabinet]
        key = verify_key(Author.DISPATCHER, DISPATCHER, DISPATCHER_SEED)
        message = verify(wire.encode(), ParsedTopic(DESIRED, cabinet), {f"dispatcher/{DISPATCHER}": key}.get)
        assert isinstance(message, Desired)
        return message

    def grants(self, cabinet: str = CABINET) -> tuple[Grant, ...]:
        return self.told(cabinet).grants

    def rows_named(self) -> list[tuple[str, bool]]:
        """Subject of each incident about a row, and whether it is open; the test fails for any other incident."""
        found = incidents(self.database)
        assert {kind for kind, _, _ in found} <= {IncidentKind.ROW_WITHOUT_ORIGIN}
        return [(subject, is_open) for _, subject, is_open in found]

    def desk(self, work: Callable[[BookingDesk], Booking | Declined], now_ms: int = NOW_MS) -> Booking | Declined:
        return self.database.write_now(
            lambda connection: work(BookingDesk(connection, RULES, now_ms, self.random_bytes, "api/test"))
        )

    def booked(self, **wanted: Any) -> Booking:
        fields: dict[str, Any] = {
            "member_id": "member-1",
            "vehicle_id": "car-1",
            "window": Window(NOW_MS, NOW_MS + 2 * HOUR),
        }
        fields["accept_unreachable"] = True
        made = self.desk(lambda desk: desk.create(WantedBooking(**{**fields, **wanted})))
        assert isinstance(made, Booking), made
        return made

    def changed(self, made: Booking, **wanted: Any) -> Booking | Declined:
        return self.desk(lambda desk: desk.change(_locked(desk, made.id), WantedChange(**wanted)))

    def cancelled(self, made: Booking) -> Booking | Declined:
        return self.desk(lambda desk: desk.cancel(_locked(desk, made.id)))

    def fact(self, kind: type[Any], **fields: Any) -> None:
        self.box.note(kind, **fields)
        take(self.database, self.box.batch(), now_ms=self.box.now_ms)

    def imports(self, **document: Any) -> None:
        rows, faults = read_document(document, "rows.json")
        assert not faults, faults
        self.database.write_now(lambda connection: import_rows(connection, rows, NOW_MS, self.random_bytes))


def _locked(desk: BookingDesk, booking_id: str) -> Booking:
    found = locked(desk.connection, booking_id)
    assert found is not None
    return found


def booking_columns(**changes: Any) -> dict[str, Any]:
    row = {name: getattr(booking(), name) for name in bookings.c.keys() if name != "origin"}  # noqa: SIM118
    return {**row, **changes}
