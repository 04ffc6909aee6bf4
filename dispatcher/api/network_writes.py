"""What all writes to the network share: one transaction, undone where it is refused; the publisher woken."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found, refusal_of
from dispatcher.api.values import Body
from dispatcher.core.life_cycles import LifeCycle, NetworkRefused, Thing
from dispatcher.store.changes import Author
from dispatcher.store.fleet_desk import FleetDesk
from dispatcher.store.people_desk import PeopleDesk

Name = Annotated[str, Field(min_length=1, max_length=100)]
Why = Annotated[str, Field(min_length=1, max_length=200)]
Row = dict[str, Any]
New = Literal[LifeCycle.ORDERED, LifeCycle.IN_SERVICE]
"""What is added is ordered, or there already."""


class Change(Body):
    """What is to be different; absent: as it is."""

    reason: Why | None = None
    """For the record. No names."""


async def written(
    context: ApiContext,
    caller: str,
    reason: str | None,
    work: Callable[[Connection, Author], Row | NetworkRefused | None],
    what: tuple[str, str] = ("", ""),
) -> Row:
    """The row that `work` wrote; `what`: its kind and id, for whoever asks for one that there is not.

    Raises:
        Refusal: nothing was written.
    """

    def run(connection: Connection) -> Row:
        by = Author(f"api/{caller}", context.clock.now_ms(), reason)
        outcome = work(connection, by)
        if outcome is None:
            raise not_found(*what)
        if isinstance(outcome, NetworkRefused):
            raise refusal_of(outcome)
        return outcome

    row = await context.database.write(run)
    context.wake()
    return row


def different(change: Change, required: frozenset[str]) -> Mapping[str, Any]:
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


async def added(
    context: ApiContext, caller: str, reason: str | None, thing: Thing, columns: Mapping[str, Any]
) -> Row:
    """A new vehicle or key."""

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return FleetDesk(connection, by, context.random_bytes).add(thing, columns)

    return await written(context, caller, reason, work)


async def changed(
    context: ApiContext,
    caller: str,
    reason: str | None,
    thing: Thing,
    what: tuple[str, str],
    sent: Mapping[str, Any],
) -> None:
    """What was sent of a thing of the fleet, written."""

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return FleetDesk(connection, by, context.random_bytes).change(thing, what[1], sent)

    await written(context, caller, reason, work, what)


async def at_people_desk(
    context: ApiContext,
    caller: str,
    reason: str | None,
    work: Callable[[PeopleDesk], Row | NetworkRefused | None],
    what: tuple[str, str] = ("", ""),
) -> Row:
    """What `work` does of members, organisations and badges."""

    def at_desk(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return work(PeopleDesk(connection, by, context.random_bytes, context.rules.pin_digits))

    return await written(context, caller, reason, at_desk, what)
