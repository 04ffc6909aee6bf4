"""The hotline's release: the key of one booking, for its member who stands at the cabinet."""

from sqlalchemy import Connection

from dispatcher.api.commands import (
    EXPIRES_DEFAULT_S,
    WAIT_MAX_S,
    CommandOut,
    Order,
    ReasonText,
    Wait,
    answered,
    command_out,
    give_command,
    location_of,
)
from dispatcher.api.problems import not_found, refusal_of
from dispatcher.api.release_codes import ReleaseCodeOut, make_code, path_of_code
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Id
from dispatcher.api.writing import Write
from dispatcher.core.rules import Refused
from dispatcher.store.bookings import booking_by_id
from dispatcher.store.commands import CommandOutcome
from dispatcher.store.releases import slot_of_booking

router = resource("bookings", write=Scope.OPERATIONS)


class NewRelease(Body):
    """Let the member of a booking have its key now. Whoever asks has made sure who stands there."""

    reason: ReasonText
    """Why, for whoever asks later. No names: the command is kept."""
    wait_s: Wait = WAIT_MAX_S
    """Seconds that the answer waits for what the box says."""


class NewReleaseCodeOfBooking(Body):
    """Let the member of a booking have its key though the box does not answer."""

    reason: ReasonText
    """Why, for whoever asks later. No names: the order is kept."""


class ReleaseOut(CommandOut):
    release_code: str | None
    """Where to POST for a code that the member can key in: the box did not open the slot. null: it did."""


@router.post("/{booking_id}/release", status_code=201, responses=answers(400, 404, 409, 413, 422))
async def release_booking(write: Write, booking_id: Id, wanted: NewRelease) -> ReleaseOut:
    """Open the slot in which the key of a booking hangs, and say within ten seconds what became of it.

    The booking starts with it, as if the member's own badge had opened the slot. Times are not asked: too early or
    too late, it is for the author to decide, and to say why. Asked again under its `Idempotency-Key`, it is told as
    it was given, without an outcome.
    """

    def work(connection: Connection) -> ReleaseOut:
        order = _order(connection, booking_id, wanted.reason)
        given = give_command(connection, write.context, write.caller, order, EXPIRES_DEFAULT_S)
        return _out(booking_id, command_out(given))

    made = await write(work, location_of)
    write.context.wake()
    return _out(booking_id, await answered(write.context, made, wanted.wait_s))


@router.post("/{booking_id}/release-code", status_code=201, responses=answers(400, 404, 409, 413, 422))
async def create_release_code_of_booking(
    write: Write, booking_id: Id, wanted: NewReleaseCodeOfBooking
) -> ReleaseCodeOut:
    """Make a code for the slot in which the key of a booking hangs. The booking starts when it is used."""

    def work(connection: Connection) -> ReleaseCodeOut:
        return make_code(connection, write.context, write.caller, _order(connection, booking_id, wanted.reason))

    return await write(work, path_of_code)


def _out(booking_id: str, command: CommandOut) -> ReleaseOut:
    opened = command.outcome is CommandOutcome.COMPLETED
    code = None if opened else f"/api/v1/bookings/{booking_id}/release-code"
    of_command = {name: getattr(command, name) for name in CommandOut.model_fields}
    return ReleaseOut(**of_command, release_code=code)


def _order(connection: Connection, booking_id: str, reason: str) -> Order:
    booking = booking_by_id(connection, booking_id, lock=True)
    if booking is None:
        raise not_found("booking", booking_id)
    hanging = slot_of_booking(connection, booking)
    if isinstance(hanging, Refused):
        raise refusal_of(hanging)
    return Order(hanging.cabinet_id, hanging.slot, reason, booking_id)
