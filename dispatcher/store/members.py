"""Reads members and their badges. A badge's credential is read by no caller: its reference stands for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from dispatcher.core.rules import Person
from dispatcher.store.among import among
from dispatcher.store.origin import origin_of
from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import badges, members

_FIELDS = (members.c.id, members.c.name, members.c.organisation_id, members.c.standing, members.c.role)


@dataclass(frozen=True, slots=True)
class Badge:
    id: str
    ref: str
    """Random; the only name of the badge in facts."""
    kind: str
    """What is read from it, such as `calypso`."""
    state: str
    revoked_ms: int | None


@dataclass(frozen=True, slots=True)
class OwnedBadge:
    badge: Badge
    member_id: str


@dataclass(frozen=True, slots=True)
class Member:
    id: str
    name: str
    organisation_id: str | None
    standing: str
    role: str


@dataclass(frozen=True, slots=True)
class MemberSearch:
    """What members are looked for by; absent: not asked."""

    name: str | None = None
    """Part of the name, in any case."""
    organisation_id: str | None = None
    standing: str | None = None


def members_page(connection: Connection, search: MemberSearch, request: PageRequest) -> Page[Member]:
    """Members in the order of their ids."""
    statement = select(*_FIELDS).where(members.c.erased_ms.is_(None))
    if search.name is not None:
        statement = statement.where(func.lower(members.c.name).contains(search.name.lower(), autoescape=True))
    if search.organisation_id is not None:
        statement = statement.where(members.c.organisation_id == search.organisation_id)
    if search.standing is not None:
        statement = statement.where(members.c.standing == search.standing)
    rows = connection.execute(in_order(statement, [members.c.id], request)).all()
    return cut([Member(**row._asdict()) for row in rows], request, lambda member: (member.id,))


def member_by_id(connection: Connection, member_id: str) -> Member | None:
    """One who is not erased: of others nobody is told anything."""
    statement = select(*_FIELDS).where(members.c.id == member_id, members.c.erased_ms.is_(None))
    row = connection.execute(statement).one_or_none()
    return Member(**row._asdict()) if row is not None else None


def badges_of(connection: Connection, member_id: str) -> tuple[Badge, ...]:
    statement = select(badges).where(badges.c.member_id == member_id).order_by(badges.c.id)
    return tuple(_badge(row) for row in connection.execute(statement))


def badge_by_id(connection: Connection, badge_id: str) -> OwnedBadge | None:
    return _owned(connection, badges.c.id == badge_id)


def badge_by(connection: Connection, *, credential: str | None, ref: str | None) -> OwnedBadge | None:
    """The badge with this credential or, without one, with this reference."""
    return _owned(connection, badges.c.ref == ref if credential is None else badges.c.credential == credential)


def _owned(connection: Connection, which: ColumnElement[bool]) -> OwnedBadge | None:
    row = connection.execute(select(badges).where(which)).one_or_none()
    return None if row is None else OwnedBadge(_badge(row), row.member_id)


def _badge(row: Row[Any]) -> Badge:
    return Badge(row.id, row.ref, row.credential.partition(":")[0], row.state, row.revoked_ms)


_NAMED = select(members).where(among(members.c.id, "members"))


def people(connection: Connection, member_ids: Sequence[str]) -> dict[str, Person]:
    """Those of the members that exist, as far as the booking rules ask."""
    origin = origin_of(connection)
    return {
        row["id"]: Person(
            row["id"], row["organisation_id"], row["standing"], origin.holds(members, row), row["role"]
        )
        for row in connection.execute(_NAMED, {"members": member_ids}).mappings()
    }
