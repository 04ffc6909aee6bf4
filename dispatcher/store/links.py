"""What each cabinet says of itself: presence and report, the newest of each by the box's own count."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, select, update

from contract.messages import Presence, Reported
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.ingest import heard_ms
from dispatcher.core.presence import KnownBoot, is_stale_presence, is_stale_report, speaks_from_later
from dispatcher.store.desired import mark_dirty, told_version
from dispatcher.store.incidents import some_are_open
from dispatcher.store.readings import keep_readings
from dispatcher.store.schema import cabinet_links, cabinets, cursors
from dispatcher.store.tampering import settle_tampering
from dispatcher.store.upsert import insert_absent


class Kept(NamedTuple):
    """What became of a report."""

    is_newest: bool
    """False: it is older than what is known, and changed nothing."""
    ledger_seq: int | None
    """How far the ledger has the epoch that it speaks of; None: it has never met it."""


def keep_presence(connection: Connection, presence: Presence, now_ms: int) -> bool:
    """Keep a presence; False for one that is older than what is known, such as a late last will."""
    known = _locked_link(connection, presence.cabinet, "")
    if is_stale_presence(presence, _boot(known.boot_nonce, known.boot_ms, known.connection)):
        return False
    values: dict[str, Any] = {
        "online": presence.online,
        "boot_nonce": presence.boot_nonce,
        "boot_ms": presence.boot_ms,
        "connection": presence.connection,
        "agent_version": presence.version,
        "heard_ms": now_ms,
    }
    if presence.online != known.online or known.presence_ms is None:
        values["presence_ms"] = now_ms
    _update(connection, presence.cabinet, values)
    if presence.boot_nonce != known.boot_nonce:
        mark_dirty(connection, presence.cabinet)  # a box that remembers nothing waits for the echo
    return True


def keep_reported(connection: Connection, reported: Reported, now_ms: int) -> Kept:
    """Keep a report, unless it is older than what is known."""
    known = _locked_link(connection, reported.cabinet, reported.epoch)
    held = _boot(known.reported_boot_nonce, known.reported_boot_ms, known.reported_revision)
    if is_stale_report(reported, held, known.boot_nonce):
        return Kept(is_newest=False, ledger_seq=known.ledger_seq)
    at_ms = heard_ms(reported.at_ms, now_ms, clock_trusted=reported.clock_trusted)
    values: dict[str, Any] = {
        "reported": reported.model_dump_json(),
        "reported_boot_nonce": reported.boot_nonce,
        "reported_boot_ms": reported.boot_ms,
        "reported_connection": reported.connection,
        "reported_revision": reported.revision,
        "reported_ms": at_ms,
        "reported_epoch": reported.epoch,
        "reported_seq": reported.seq,
        "reported_trusted": reported.clock_trusted,
        "reported_applied": False,
        "clock_trusted": reported.clock_trusted,
        "desired_version_held": reported.desired_version,
        "heard_ms": now_ms,
    }
    if speaks_from_later(reported, _boot(known.boot_nonce, known.boot_ms, known.connection)):
        values |= _online_by(reported, now_ms)
        mark_dirty(connection, reported.cabinet)
    _update(connection, reported.cabinet, values)
    keep_readings(connection, reported, at_ms)
    settle_tampering(connection, reported, now_ms, some_are_open=known.some_are_tampered)
    news = reported.desired_version != known.desired_version_held
    if news and reported.desired_version > told_version(connection, reported.cabinet):
        mark_dirty(connection, reported.cabinet)  # our database was put back: the box remembers more than we do
    return Kept(is_newest=True, ledger_seq=known.ledger_seq)


def heard_of_clock(connection: Connection, cabinet_id: str, *, trusted: bool) -> None:
    """A fact says whether anybody vouches for a box's clock; a report says it too, and one of both may be late."""
    _update(connection, cabinet_id, {"clock_trusted": trusted})


_COMPLETE = (
    select(
        cursors.c.epoch,
        cursors.c.seq,
        cursors.c.complete_ms,
        cabinet_links.c.reported_trusted,
        cabinet_links.c.reported_epoch,
        cabinet_links.c.reported_seq,
        cabinet_links.c.reported_ms,
    )
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cursors.c.cabinet_id)
    .where(cursors.c.cabinet_id == bindparam("cabinet"))
    .order_by(cursors.c.number.desc())
    .limit(1)
)


def _online_by(reported: Reported, now_ms: int) -> dict[str, Any]:
    """What the presence that was lost would have said."""
    return {
        "online": True,
        "boot_nonce": reported.boot_nonce,
        "boot_ms": reported.boot_ms,
        "connection": reported.connection,
        "presence_ms": now_ms,
    }


def complete_until_ms(connection: Connection, cabinet_id: str) -> int:
    """All that the box noted before this instant, by its own trusted clock, is applied; 0: cannot be said.

    A fact proves it for the time before it, since facts come in order. A report proves it where the last
    fact that it includes is applied.
    """
    known = connection.execute(_COMPLETE, {"cabinet": cabinet_id}).one_or_none()
    if known is None:
        return 0
    if not known.reported_trusted or known.reported_epoch != known.epoch or known.reported_seq > known.seq:
        return int(known.complete_ms)
    return int(max(known.complete_ms, known.reported_ms))


_REGISTERED = select(cabinets.c.id, cabinets.c.public_key).where(
    cabinets.c.life_cycle != "retired", cabinets.c.public_key.is_not(None)
)


def registered_keys(connection: Connection) -> dict[str, str]:
    """The public key of every cabinet that is not retired."""
    return {row.id: row.public_key for row in connection.execute(_REGISTERED)}


def _boot(nonce: str | None, boot_ms: int | None, count: int | None) -> KnownBoot | None:
    if nonce is None or boot_ms is None or count is None:
        return None
    return KnownBoot(nonce, boot_ms, count)


_LOCKED: Select[Any] = (  # all that a report is compared with, in one read
    select(
        *(column for column in cabinet_links.c if column is not cabinet_links.c.reported),
        select(cursors.c.seq)
        .where(cursors.c.cabinet_id == bindparam("cabinet"), cursors.c.epoch == bindparam("epoch"))
        .scalar_subquery()
        .label("ledger_seq"),
        some_are_open(IncidentKind.READER_TAMPERED, bindparam("cabinet")).label("some_are_tampered"),
    )
    .where(cabinet_links.c.cabinet_id == bindparam("cabinet"))
    .with_for_update(of=cabinet_links)
)
_THIS = update(cabinet_links).where(cabinet_links.c.cabinet_id == bindparam("cabinet"))


def _locked_link(connection: Connection, cabinet_id: str, epoch: str) -> Row[Any]:
    this = {"cabinet": cabinet_id, "epoch": epoch}
    known = connection.execute(_LOCKED, this).one_or_none()
    if known is None:
        insert_absent(
            connection, cabinet_links, {"cabinet_id": cabinet_id, "online": False, "reported_applied": True}
        )
        known = connection.execute(_LOCKED, this).one()
    return known


def _update(connection: Connection, cabinet_id: str, values: dict[str, Any]) -> None:
    connection.execute(_THIS, {"cabinet": cabinet_id, **values})
