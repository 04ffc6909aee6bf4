"""What each cabinet is told to want: computed again when dirty, numbered and signed when different."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import OperationalError

from contract.credentials import cabinet_digest_key
from contract.messages import Desired
from contract.values import COUNT_MAX
from dispatcher.core.grants import (
    Box,
    Material,
    content_digest,
    desired_content,
    grant_digest,
    horizon_ms,
    next_version,
)
from dispatcher.core.rules import FleetRules
from dispatcher.store.isolation import isolated, set_apart
from dispatcher.store.later import remembered
from dispatcher.store.material import fleet_keys, material_of
from dispatcher.store.schema import cabinet_links, cabinets, desired_grants, desired_states
from dispatcher.store.spread import spread_computed
from dispatcher.store.unfounded import settle_rows
from dispatcher.store.upsert import upsert_all, upsert_later

log = structlog.get_logger()

_MARKED = "desired state marked dirty"

REASON_CHARACTERS_MAX = 500  # a pydantic error of a few lines, for the operator


@dataclass(frozen=True, slots=True)
class Told:
    """The version of a cabinet's stored desired, and what the cabinet says that it holds."""

    cabinet_id: str
    version: int
    held: int
    online: bool


@dataclass(frozen=True, slots=True)
class DesiredMaker:
    """Makes desired states.

    Args:
        rules: the fleet's.
        digest_secret: the master secret of all cabinets' digest keys.
        sign: a message as it goes on the wire.
    """

    rules: FleetRules
    digest_secret: bytes
    sign: Callable[[Desired], bytes]

    def refresh(self, connection: Connection, now_ms: int, stale_ms: int, limit: int) -> int:
        """Compute up to `limit` cabinets that are dirty or were computed before `stale_ms`; how many."""
        due = _due(connection, stale_ms, limit)
        if not due:
            return 0
        fleet = fleet_keys(connection, now_ms)
        without_origin = [*fleet.without_origin]
        for stored in due:
            cabinet_id = stored.cabinet_id
            box = Box(cabinet_id, cabinet_digest_key(self.digest_secret, cabinet_id), stored.boot_nonce)
            try:
                with set_apart(connection):
                    material = material_of(connection, cabinet_id, horizon_ms(self.rules, now_ms))
                    without_origin += material.without_origin
                    desired = desired_content(box, material, fleet.keys, self.rules, now_ms)
                    version = self._store(connection, desired, material, stored, now_ms)
                    spread_computed(connection, cabinet_id, version)
            except OperationalError:
                raise  # the database cannot now: nothing is wrong with this cabinet
            except ValueError as error:  # a row that the contract refuses, or too large without any grant
                _computed(connection, cabinet_id, now_ms, refused=str(error)[:REASON_CHARACTERS_MAX])
            except Exception as error:  # a mistake of ours is one cabinet's, never the fleet's
                log.exception("desired_not_made", cabinet=cabinet_id)
                _computed(connection, cabinet_id, now_ms, refused=type(error).__name__)
        with isolated(connection, "rows_without_origin_not_settled"):
            settle_rows(connection, without_origin, now_ms)
        return len(due)

    def _store(
        self, connection: Connection, desired: Desired, material: Material, stored: Row[Any], now_ms: int
    ) -> int:
        """The version under which it stands."""
        digest = content_digest(desired)
        held = stored.desired_version_held or 0
        if stored.digest == digest and held <= stored.version:
            _computed(connection, desired.cabinet, now_ms, refused=None)
            _keep_grants(connection, desired.model_copy(update={"version": stored.version}), material)
            return int(stored.version)
        if held > stored.version:  # our database was put back: what the box holds under that number is not known
            connection.execute(_NO_GRANTS, {"cabinet": desired.cabinet})
        version = next_version(stored.version, held, now_ms)
        if version > COUNT_MAX:
            raise ValueError(f"version: expected at most {COUNT_MAX}, the box holds {held}")
        numbered = desired.model_copy(update={"version": version})
        values = {
            "version": version,
            "digest": digest,
            "wire": self.sign(numbered).decode(),
            "grants_left_out": desired.grants_left_out,
        }
        _computed(connection, desired.cabinet, now_ms, refused=None, **values)
        _keep_grants(connection, numbered, material)
        return version


def mark_dirty(connection: Connection, cabinet_id: str) -> None:
    """In the transaction of whatever changed a cabinet's rights: another one computes its desired state again."""
    if not remembered(connection).get((_MARKED, cabinet_id)):
        upsert_later(connection, desired_states, _dirty(cabinet_id), update=("dirty",))
        remembered(connection)[_MARKED, cabinet_id] = True
    connection.info[_MARKED] = True


def _dirty(cabinet_id: str) -> dict[str, Any]:
    return {
        "cabinet_id": cabinet_id,
        "version": 0,
        "digest": "",
        "wire": "",
        "computed_ms": 0,
        "dirty": True,
        "grants_left_out": 0,
    }


def was_marked(connection: Connection) -> bool:
    """Whether anything was marked over this connection since this was last asked; rather once too often."""
    return bool(connection.info.pop(_MARKED, False))


_VERSION = select(desired_states.c.version).where(desired_states.c.cabinet_id == bindparam("cabinet"))
_UNKNOWN = select(cabinets.c.id).where(
    cabinets.c.life_cycle != "retired", cabinets.c.id.not_in(select(desired_states.c.cabinet_id))
)


def told_version(connection: Connection, cabinet_id: str) -> int:
    """The version of a cabinet's stored desired; 0: there is none."""
    return connection.execute(_VERSION, {"cabinet": cabinet_id}).scalar_one_or_none() or 0


def mark_unknown_dirty(connection: Connection) -> None:
    """Mark every cabinet in use that has no desired state yet; who asks computes them at once."""
    unknown = connection.execute(_UNKNOWN).scalars().all()
    upsert_all(connection, desired_states, [_dirty(cabinet_id) for cabinet_id in unknown])


def mark_serving_dirty(connection: Connection) -> None:
    """Mark every cabinet in service: something changed that is the whole fleet's."""
    serving = select(cabinets.c.id).where(cabinets.c.life_cycle == "in_service").order_by(cabinets.c.id)
    for cabinet_id in connection.execute(serving).scalars().all():
        mark_dirty(connection, cabinet_id)


def told(connection: Connection) -> Sequence[Told]:
    """Every desired state of a cabinet in use, with what that holds."""
    statement = (
        select(
            desired_states.c.cabinet_id,
            desired_states.c.version,
            cabinet_links.c.desired_version_held,
            cabinet_links.c.online,
        )
        .join(cabinets, cabinets.c.id == desired_states.c.cabinet_id)
        .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == desired_states.c.cabinet_id)
        .where(desired_states.c.version > 0, cabinets.c.life_cycle != "retired")
        .order_by(desired_states.c.cabinet_id)
    )
    return [
        Told(row.cabinet_id, row.version, row.desired_version_held or 0, bool(row.online))
        for row in connection.execute(statement)
    ]


_WIRES = (
    select(desired_states.c.cabinet_id, desired_states.c.version, desired_states.c.wire)
    .where(desired_states.c.cabinet_id.in_(bindparam("cabinets", expanding=True)))
    .order_by(desired_states.c.cabinet_id)
)


def wire_of(connection: Connection, cabinet_ids: Collection[str]) -> dict[str, tuple[int, str]]:
    """Version and signed message, by cabinet."""
    found = connection.execute(_WIRES, {"cabinets": list(cabinet_ids)})
    return {row.cabinet_id: (row.version, row.wire) for row in found}


_DUE: Select[Any] = (
    select(
        desired_states.c.cabinet_id,
        desired_states.c.version,
        desired_states.c.digest,
        cabinet_links.c.boot_nonce,
        cabinet_links.c.desired_version_held,
    )
    .join(cabinets, cabinets.c.id == desired_states.c.cabinet_id)
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == desired_states.c.cabinet_id)
    .where(cabinets.c.life_cycle != "retired")
    .where(or_(desired_states.c.dirty, desired_states.c.computed_ms < bindparam("stale_ms")))
    .order_by(desired_states.c.dirty.desc(), desired_states.c.computed_ms, desired_states.c.cabinet_id)
    .limit(bindparam("at_most"))
    .with_for_update(of=desired_states, skip_locked=True)  # replicas share the work; SQLite has one writer
)
_THIS = update(desired_states).where(desired_states.c.cabinet_id == bindparam("cabinet"))
_GRANTS = select(desired_grants).where(desired_grants.c.cabinet_id == bindparam("cabinet"))
_NEW_GRANTS = insert(desired_grants)
_NO_GRANTS = delete(desired_grants).where(desired_grants.c.cabinet_id == bindparam("cabinet"))


def _due(connection: Connection, stale_ms: int, limit: int) -> Sequence[Row[Any]]:
    return connection.execute(_DUE, {"stale_ms": stale_ms, "at_most": limit}).all()


def _computed(connection: Connection, cabinet_id: str, now_ms: int, *, refused: str | None, **values: Any) -> None:
    remembered(connection).pop((_MARKED, cabinet_id), None)
    done = {"computed_ms": now_ms, "dirty": False, "refused": refused}
    connection.execute(_THIS, {"cabinet": cabinet_id, **done, **values})


def _keep_grants(connection: Connection, desired: Desired, material: Material) -> None:
    """Which grants it carries; one in the same form as before keeps the version that first carried it."""
    this = {"cabinet": desired.cabinet}
    known = [row._asdict() for row in connection.execute(_GRANTS, this)]
    since = {(row["grant_id"], row["digest"]): row["since_version"] for row in known}
    booking_versions = {right.grant_id: right.booking_version for right in material.rights}
    rows = []
    for grant in desired.grants:
        digest = grant_digest(grant)
        rows.append(
            {
                "cabinet_id": desired.cabinet,
                "grant_id": grant.grant,
                "digest": digest,
                "since_version": since.get((grant.grant, digest), desired.version),
                "booking_version": booking_versions[grant.grant],
            }
        )
    if sorted(rows, key=itemgetter("grant_id")) == sorted(known, key=itemgetter("grant_id")):
        return
    connection.execute(_NO_GRANTS, this)
    if rows:
        connection.execute(_NEW_GRANTS, rows)
