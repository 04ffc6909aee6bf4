"""What all writes to the network share: one transaction, undone where it is refused; the publisher woken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found, refusal_of
from dispatcher.api.values import Answer, Body
from dispatcher.api.writing import Location, Writer
from dispatcher.core.life_cycles import LifeCycle, NetworkRefused, Thing
from dispatcher.store.account_desk import AccountDesk
from dispatcher.store.changes import Author
from dispatcher.store.fleet_desk import FleetDesk
from dispatcher.store.people_desk import PeopleDesk

Name = Annotated[str, Field(min_length=1, max_length=100)]
Why = Annotated[str, Field(min_length=1, max_length=200)]
A = TypeVar("A", bound=Answer)
Row = dict[str, Any]
New = Literal[LifeCycle.ORDERED, LifeCycle.IN_SERVICE]
"""What is added is ordered, or there already."""


class ChangeBody(Body):
    """What is to be different; absent: as it is."""

    reason: Why | None = None
    """For the record. No names."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[A]):
    """A kind of thing, and how one is answered."""

    name: str
    path: str
    """Below `/api/v1/`."""
    show: Callable[[Connection, ApiContext, str], A]
    """The thing of this id, as it stands in the transaction."""


async def written(
    writer: Writer,
    reason: str | None,
    work: Callable[[Connection, Author], Row | NetworkRefused | None],
    kind: Kind[A],
    of: tuple[str, str] | None = None,
) -> A:
    """What `work` wrote, as it is answered.

    Args:
        writer: of the request.
        reason: for the record.
        work: returns the row that it wrote.
        kind: of what is answered.
        of: kind and id of the thing that must be there; where it is of another kind than what is answered, or
            absent, `work` makes a new thing.

    Raises:
        Refusal: nothing was written.
    """
    context = writer.context
    known_id = of[1] if of is not None and of[0] == kind.name else None

    def run(connection: Connection) -> A:
        if known_id is not None and writer.if_match is not None:
            writer.expected_as_read(kind.show(connection, context, known_id))
        by = Author(f"api/{writer.caller}", context.clock.now_ms(), reason)
        outcome = work(connection, by)
        if outcome is None:
            assert of is not None, "only what was asked for can be missing"
            raise not_found(*of)
        if isinstance(outcome, NetworkRefused):
            raise refusal_of(outcome)
        return kind.show(connection, context, known_id or str(outcome["id"]))

    location = None if known_id else _path_below(kind)
    answer = await writer(run, location)
    context.wake()
    return answer


def _path_below(kind: Kind[A]) -> Location:
    return lambda made: f"/api/v1/{kind.path}/{made.id}"


def different(change: ChangeBody, required: frozenset[str]) -> Row:
    """The fields that were sent, by column; those of `required` cannot be taken away.

    Raises:
        Refusal: nothing was sent, or null for one that is required.
    """
    sent = {name: getattr(change, name) for name in change.model_fields_set - {"reason"}}
    fields = ", ".join(name for name in type(change).model_fields if name != "reason")
    if not sent:
        fault = FieldFault(field="body", expected=f"at least one of {fields}")
        raise Refusal(ApiReason.INVALID_REQUEST, "nothing is to be changed", [fault])
    faults = [FieldFault(field=name, value="null", expected="a value") for name in sorted(required & sent.keys())]
    faults = [fault for fault in faults if sent[fault.field] is None]
    if faults:
        raise Refusal(ApiReason.INVALID_REQUEST, "a field cannot be taken away", faults)
    return sent


async def added(writer: Writer, reason: str | None, thing: Thing, kind: Kind[A], columns: Mapping[str, Any]) -> A:
    """A new thing of the fleet."""

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return FleetDesk(connection, by, writer.context.random_bytes).add(thing, columns)

    return await written(writer, reason, work, kind)


async def changed(
    writer: Writer, reason: str | None, thing: Thing, kind: Kind[A], thing_id: str, sent: Mapping[str, Any]
) -> A:
    """What was sent of a thing of the fleet, written."""

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return FleetDesk(connection, by, writer.context.random_bytes).change(thing, thing_id, sent)

    return await written(writer, reason, work, kind, (kind.name, thing_id))


async def at_account_desk(
    writer: Writer,
    reason: str | None,
    work: Callable[[AccountDesk], Row | NetworkRefused | None],
    kind: Kind[A],
    of: tuple[str, str] | None = None,
) -> A:
    """What `work` does of cost centres and pools."""

    def at_desk(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return work(AccountDesk(connection, by, writer.context.random_bytes))

    return await written(writer, reason, at_desk, kind, of)


async def at_people_desk(
    writer: Writer,
    reason: str | None,
    work: Callable[[PeopleDesk], Row | NetworkRefused | None],
    kind: Kind[A],
    of: tuple[str, str] | None = None,
) -> A:
    """What `work` does of members, organisations and badges."""
    context = writer.context

    def at_desk(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return work(PeopleDesk(connection, by, context.random_bytes, context.rules.pin_digits))

    return await written(writer, reason, at_desk, kind, of)
