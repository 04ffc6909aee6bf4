"""The audit record: who looked at what about somebody, or opened something past the rules, and why."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, insert, or_, select

from dispatcher.store.paging import Page, PageRequest, cut, newest_first
from dispatcher.store.schema import audit


class AuditAction(StrEnum):
    """What is recorded."""

    WHO_HELD = "who_held"  # subject: vehicle and instant
    MEMBER_EXPORTED = "member_exported"  # subject: the member's id
    MEMBER_ERASED = "member_erased"  # subject: what stands in the member's place; not who it was
    SLOT_RELEASED = "slot_released"  # subject: cabinet and slot
    RELEASE_CODE_MADE = "release_code_made"  # subject: cabinet and slot
    CABINET_STOLEN = "cabinet_stolen"  # subject: cabinet


@dataclass(frozen=True, slots=True)
class AuditEntry:
    number: int
    at_ms: int
    author: str
    """The name of a token, or of a command line."""
    action: AuditAction
    subject: str
    """Ids."""
    case: str
    """What the author files it under; may be empty where none is asked for."""
    reason: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What entries are looked for by; absent: not asked."""

    action: AuditAction | None = None
    author: str | None = None
    subject: str | None = None
    """A whole subject, or its first part before a `/`: all slots of a cabinet."""
    from_ms: int | None = None
    until_ms: int | None = None


_NEW = insert(audit)


def record(
    connection: Connection,
    at_ms: int,
    author: str,
    action: AuditAction,
    subject: str,
    *,
    reason: str,
    case: str = "",
) -> int:
    """In the transaction of what it records: neither is there without the other. The entry's number."""
    row = {
        "at_ms": at_ms,
        "author": author,
        "action": action,
        "subject": subject,
        "case_no": case,
        "reason": reason,
    }
    inserted = connection.execute(_NEW, row).inserted_primary_key
    assert inserted is not None, "both databases return the key of a row inserted alone"
    return int(inserted[0])


def audit_page(connection: Connection, wanted: AuditFilter, request: PageRequest) -> Page[AuditEntry]:
    """The newest first."""
    statement = select(audit)
    for column, value in (
        (audit.c.action, wanted.action),
        (audit.c.author, wanted.author),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.subject is not None:
        within = audit.c.subject.startswith(f"{wanted.subject}/", autoescape=True)
        statement = statement.where(or_(audit.c.subject == wanted.subject, within))
    if wanted.from_ms is not None:
        statement = statement.where(audit.c.at_ms >= wanted.from_ms)
    if wanted.until_ms is not None:
        statement = statement.where(audit.c.at_ms < wanted.until_ms)
    rows = connection.execute(newest_first(statement, audit.c.id, request)).all()
    entries = [
        AuditEntry(row.id, row.at_ms, row.author, AuditAction(row.action), row.subject, row.case_no, row.reason)
        for row in rows
    ]
    return cut(entries, request, lambda entry: (entry.number,))
