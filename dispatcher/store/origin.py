"""The origin of rows that become rights: a code that only this program's key makes, written beside what it covers.

Whoever writes to the database past this program has no key, so that what he writes has no code that fits and
opens nothing. What is and is not caught by this: `docs/decisions/0011-rights-have-an-origin.md`.
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection, Table

from dispatcher.store.pins import PinSeal
from dispatcher.store.schema import badge_pins, badges, bookings, commands, key_tags, keys, members, pool_members
from dispatcher.store.webhook_secrets import SecretSeal

T = TypeVar("T")
Rows = tuple[tuple[Any, ...], ...]

ORIGIN_KEY_BYTES = 32  # as long as the hash: a longer key adds nothing (RFC 2104, section 3)
DOMAIN = "carshare row origin v1"  # no code of another kind made under the same key can be taken for one of these
OPAQUE_DOMAIN = "carshare opaque id v1"
OPAQUE_BYTES = 15  # as in ids: 120 bits, 20 characters
EXECUTION_OPTION = "origin"

SIGNED: Mapping[Table, tuple[str, ...]] = MappingProxyType(
    {
        bookings: (
            "id",
            "grant_id",
            "member_id",
            "vehicle_id",
            "cabinet_id",
            "key_id",
            "start_ms",
            "end_ms",
            "take_by_ms",
            "state",
            "version",  # parts of two forms of one booking are not put together
        ),
        members: ("id", "standing"),
        badges: ("id", "ref", "member_id", "credential", "state"),
        badge_pins: ("badge_id", "sealed"),
        # Where a key lives is what a box presumes of a key that nothing has read; which tag is on it says what
        # comes back. Changed, either lets the grant of one key open the slot of another.
        keys: ("id", "vehicle_id", "home_cabinet_id", "home_slot", "life_cycle"),
        key_tags: ("key_id", "credential", "valid_from_ms", "valid_until_ms"),
        pool_members: ("pool_id", "member_id", "state"),
        commands: ("id", "cabinet_id", "slot", "counter", "action", "issued_ms", "expires_ms"),
    }
)
"""What a code covers, by table: all that a right is made of. A booking's covers its drivers too."""

COVERED_WHERE_SAID: Mapping[Table, tuple[str, ...]] = MappingProxyType(
    {
        # Under a right for a category, and under one that was handed back (held until its end), a box may hand out
        # the key of another vehicle.
        bookings: ("purpose", "pool_id", "category", "hold_until_ms"),
        commands: ("booking_id",),  # whose booking starts with the key that comes out
    }
)
"""Columns that came later, covered by name where they are not NULL: a code from before them holds as long as the
row says nothing in them."""

_VALUES = {table: itemgetter(*names) for table, names in SIGNED.items()}
_encoded = json.JSONEncoder(separators=(",", ":")).encode  # says where each value ends, and its type


CHECKED_MAX = 50_000  # a large fleet's rows; each is some 300 bytes
MADE_MAX = 5_000  # what is made of rows: some 1,400 bytes each


class Origin:
    """Makes and checks codes. About 3 us each; a row that was found good and has not changed costs a fifth."""

    __slots__ = ("_checked", "_key", "_made", "pins", "webhooks")

    def __init__(self, key: bytes) -> None:
        assert len(key) == ORIGIN_KEY_BYTES, f"{ORIGIN_KEY_BYTES} bytes"
        self._key = key
        self.pins = PinSeal(key)
        self.webhooks = SecretSeal(key)
        self._checked: set[tuple[object, ...]] = set()
        """Whole contents with the codes that hold for them: another content, or code, is another tuple."""
        self._made: dict[tuple[object, ...], Any] = {}

    def code(self, table: Table, row: Mapping[Any, Any], driver_ids: Sequence[str] = ()) -> str:
        """HMAC-SHA256 of what the row says, in hexadecimal."""
        return self._code(table.name, *_VALUES[table](row), *_said_later(table, row), sorted(driver_ids))

    def holds(self, table: Table, row: Mapping[Any, Any], driver_ids: Sequence[str] = ()) -> bool:
        """Whether the code that the row carries is the one that this program made for just this content."""
        later = _said_later(table, row)
        said = (table.name, row["origin"], *_VALUES[table](row), *later, *sorted(driver_ids))
        try:
            if said in self._checked:
                return True
            holds = hmac.compare_digest(self.code(table, row, driver_ids).encode(), str(row["origin"]).encode())
        except TypeError:  # SQLite keeps bytes in any column: nothing of ours
            return False
        if holds:
            if len(self._checked) >= CHECKED_MAX:
                self._checked.clear()
            self._checked.add(said)
        return holds

    def made(self, make: Callable[["Origin", Rows], T], rows: Rows) -> T:
        """What `make` makes of rows as they were read: once for each content, and whoever reads it shares it."""
        known = self._made.get((make, *rows))
        if known is None:
            if len(self._made) >= MADE_MAX:
                self._made.clear()
            known = self._made[(make, *rows)] = make(self, rows)
        made: T = known
        return made

    def opaque(self, *values: object) -> str:
        """An id for paths of what is made where no randomness is at hand: the same values give the same id."""
        digest = hmac.digest(self._key, _encoded([OPAQUE_DOMAIN, *values]).encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:OPAQUE_BYTES]).decode()

    def of_database(self) -> str:
        """What a database keeps of this key, to know it again."""
        return self._code("meta")

    def _code(self, *values: object) -> str:
        return hmac.digest(self._key, _encoded([DOMAIN, *values]).encode(), "sha256").hex()


def _said_later(table: Table, row: Mapping[Any, Any]) -> tuple[tuple[str, object], ...]:
    """Pairs, and all else is text or number: no other row says the same."""
    names = COVERED_WHERE_SAID.get(table, ())
    return tuple((name, row[name]) for name in names if row[name] is not None)


def origin_of(connection: Connection) -> Origin:
    """The origin that the connection's `Database` was opened with."""
    origin = connection.get_execution_options().get(EXECUTION_OPTION)
    assert isinstance(origin, Origin), "rights are read and written through a Database that has the origin key"
    return origin


def with_origin(connection: Connection, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is written, with its code; bookings have drivers, and `dispatcher.store.bookings` for them."""
    return {**row, "origin": origin_of(connection).code(table, row)}
