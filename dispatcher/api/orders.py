"""Service orders: given, read, listed, changed, cancelled, completed; and who handed their keys on to whom."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.booking_models import HistoryList, history_out
from dispatcher.api.context import Context
from dispatcher.api.order_models import (
    CustodyList,
    Ending,
    NewCustody,
    NewOrder,
    OrderList,
    OrderOut,
    OrderPatch,
    OrderQuery,
    custody_out,
    order_out,
)
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found, refusal_of, vehicle_not_free
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Id, PageQuery, next_cursor, page_request
from dispatcher.api.writing import Change, Location, Write, Writer
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import BookingReason, Refused
from dispatcher.core.windows import Window, to_ms, utc_text
from dispatcher.store.booking_requests import Declined
from dispatcher.store.bookings import Booking, BookingFilter, bookings_page, history_page
from dispatcher.store.custody import Holder, custody_of, hand_on, holder_at
from dispatcher.store.grant_status import grant_statuses
from dispatcher.store.members import people
from dispatcher.store.order_desk import OrderChange, OrderDesk, WantedOrder, order_by_id
from dispatcher.store.paging import Page

router = resource("orders", read=Scope.FLEET_READ, write=Scope.FLEET_WRITE)


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_order(writer: Write, wanted: NewOrder) -> OrderOut:
    """Hold a vehicle for a purpose. Bookings and orders exclude each other; blocks do not stop an order."""

    def work(desk: OrderDesk) -> Booking | Declined:
        start_ms = desk.now_ms if wanted.start is None else to_ms(wanted.start)
        return desk.create(
            WantedOrder(
                holder_id=wanted.holder_id,
                vehicle_id=wanted.vehicle_id,
                purpose=wanted.purpose,
                window=Window(start_ms, to_ms(wanted.end)),
                driver_ids=tuple(sorted(set(wanted.driver_ids) - {wanted.holder_id})),
                note=wanted.note,
            )
        )

    return await _write(writer, work, location=_path)


@router.get("", responses=answers(422))
async def list_orders(context: Context, query: Annotated[OrderQuery, Query()]) -> OrderList:
    """Orders that fit every field given, in the order of their start."""
    wanted = BookingFilter(
        station_id=query.station,
        vehicle_id=query.vehicle,
        member_id=query.holder,
        states=query.state,
        from_ms=None if query.from_ is None else to_ms(query.from_),
        until_ms=None if query.until is None else to_ms(query.until),
        orders=True,
    )
    request = page_request(query, int, str)
    now_ms = context.clock.now_ms()

    def read(connection: Connection) -> tuple[Page[Booking], list[OrderOut]]:
        page = bookings_page(connection, wanted, request)
        return page, _outs(connection, page.items, now_ms)

    page, items = await context.database.read(read)
    return OrderList(items=items, next=next_cursor(page))


@router.get("/{order_id}", responses=answers(404, 422))
async def read_order(context: Context, order_id: Id) -> OrderOut:
    now_ms = context.clock.now_ms()

    def read(connection: Connection) -> list[OrderOut]:
        order = order_by_id(connection, order_id)
        return [] if order is None else _outs(connection, [order], now_ms)

    found = await context.database.read(read)
    if not found:
        raise not_found("order", order_id)
    return found[0]


@router.get("/{order_id}/history", responses=answers(404, 422))
async def read_order_history(context: Context, order_id: Id, query: Annotated[PageQuery, Query()]) -> HistoryList:
    """What happened to an order, oldest first."""
    request = page_request(query, int)
    known = await context.database.read(partial(order_by_id, order_id=order_id))
    if known is None:
        raise not_found("order", order_id)
    page = await context.database.read(partial(history_page, booking_id=order_id, request=request))
    return HistoryList(items=[history_out(entry) for entry in page.items], next=next_cursor(page))


@router.patch("/{order_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_order(writer: Change, order_id: Id, change: OrderPatch) -> OrderOut:
    """Move, shorten or extend an order, or say that it is for something else."""
    wanted = OrderChange(
        start_ms=None if change.start is None else to_ms(change.start),
        end_ms=None if change.end is None else to_ms(change.end),
        purpose=change.purpose,
    )
    if wanted == OrderChange():
        fault = FieldFault(field="body", expected="at least one of start, end, purpose")
        raise Refusal(ApiReason.INVALID_REQUEST, "nothing is to be changed", [fault])
    return await _write_one(writer, order_id, lambda desk, order: desk.change(order, wanted))


@router.post("/{order_id}/cancel", responses=answers(400, 404, 409, 412, 413, 422))
async def cancel_order(writer: Change, order_id: Id, ending: Ending) -> OrderOut:
    """Cancel an order whose key has not been taken."""
    return await _write_one(writer, order_id, lambda desk, order: desk.cancel(order, ending.reason))


@router.post("/{order_id}/complete", responses=answers(400, 404, 409, 412, 413, 422))
async def complete_order(writer: Change, order_id: Id, ending: Ending) -> OrderOut:
    """End an order whose key is back before its end: members can book the rest."""
    return await _write_one(writer, order_id, lambda desk, order: desk.complete(order, ending.reason))


@router.get("/{order_id}/custody", responses=answers(404, 422))
async def read_custody(context: Context, order_id: Id) -> CustodyList:
    """Who declared to have handed the key on to whom."""

    def read(connection: Connection) -> CustodyList | None:
        return None if order_by_id(connection, order_id) is None else _custody(connection, order_id)

    found = await context.database.read(read)
    if found is None:
        raise not_found("order", order_id)
    return found


@router.post("/{order_id}/custody", status_code=201, responses=answers(400, 404, 409, 413, 422))
async def declare_custody(writer: Write, order_id: Id, wanted: NewCustody) -> CustodyList:
    """Say that the key of an order was handed on: who has it answers for the vehicle."""
    if (wanted.to_member_id is None) == (wanted.to_name is None):
        fault = FieldFault(field="to_member_id", expected="either to_member_id or to_name")
        raise Refusal(ApiReason.INVALID_REQUEST, "to whom it was handed is not clear", [fault])

    def write(connection: Connection) -> CustodyList | Refused | None:
        order = order_by_id(connection, order_id, lock=True)
        if order is None:
            return None
        now_ms = writer.context.clock.now_ms()
        at_ms = now_ms if wanted.at is None else to_ms(wanted.at)
        refused = _check_custody(connection, order, wanted, at_ms, now_ms)
        if refused is not None:
            return refused
        giver = holder_at(connection, order_id, at_ms) or Holder()
        taker = Holder(wanted.to_member_id, wanted.to_name)
        hand_on(connection, order, at_ms, giver, taker, f"api/{writer.caller}", wanted.note)
        return _custody(connection, order_id)

    outcome = await writer(write)
    if outcome is None:
        raise not_found("order", order_id)
    if isinstance(outcome, Refused):
        raise refusal_of(outcome)
    return outcome


def _path(made: OrderOut) -> str:
    return f"/api/v1/orders/{made.id}"


def _check_custody(
    connection: Connection, order: Booking, wanted: NewCustody, at_ms: int, now_ms: int
) -> Refused | None:
    if order.taken_ms is None:
        expected = "an order whose key was taken"
        return Refused(BookingReason.KEY_NOT_TAKEN, "state", order.state, expected)
    if not order.taken_ms <= at_ms <= now_ms:
        expected = f"from {utc_text(order.taken_ms)}, when the key was taken, until now, {utc_text(now_ms)}"
        return Refused(BookingReason.NOT_DURING_ORDER, "at", utc_text(at_ms), expected)
    if wanted.to_member_id is not None and wanted.to_member_id not in people(connection, [wanted.to_member_id]):
        return Refused(BookingReason.UNKNOWN_MEMBER, "to_member_id", wanted.to_member_id, "the id of a member")
    return None


def _custody(connection: Connection, order_id: str) -> CustodyList:
    return CustodyList(items=[custody_out(handed) for handed in custody_of(connection, order_id)])


async def _write_one(
    writer: Writer, order_id: str, work: Callable[[OrderDesk, Booking], Booking | Declined]
) -> OrderOut:
    def one(desk: OrderDesk) -> Booking | Declined | None:
        order = writer.expected(order_by_id(desk.connection, order_id, lock=True))
        return None if order is None else work(desk, order)

    return await _write(writer, one, order_id)


async def _write(
    writer: Writer,
    work: Callable[[OrderDesk], Booking | Declined | None],
    order_id: str = "",
    location: Location | None = None,
) -> OrderOut:
    """Run `work` in one transaction; the publisher is woken when something was written."""
    context = writer.context

    def run(connection: Connection) -> OrderOut | Declined | None:
        now_ms = context.clock.now_ms()  # here, so that instants follow one another as transactions do
        desk = OrderDesk(connection, context.rules, now_ms, context.random_bytes, f"api/{writer.caller}")
        outcome = work(desk)
        return _outs(connection, [outcome], now_ms)[0] if isinstance(outcome, Booking) else outcome

    outcome = await writer(run, location)
    if outcome is None:
        raise not_found("order", order_id)
    if isinstance(outcome, Declined):
        not_free = [vehicle_not_free(verdict) for verdict in outcome.not_free] or None
        raise refusal_of(outcome.why, not_free=not_free)
    context.wake()
    return outcome


def _outs(connection: Connection, found: Sequence[Booking], now_ms: int) -> list[OrderOut]:
    grants = grant_statuses(connection, found)
    held = {
        order.id: holder_at(connection, order.id, now_ms) for order in found if order.state is BookingState.ACTIVE
    }
    return [order_out(order, grants.get(order.id), held.get(order.id), now_ms) for order in found]
