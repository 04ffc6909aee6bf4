"""Bookings: made, read, listed, changed, cancelled. Each write is one transaction, the database says no."""

from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.booking_models import (
    BookingChange,
    BookingList,
    BookingOut,
    BookingQuery,
    ChangedBookingOut,
    Extension,
    HistoryList,
    NewBooking,
    history_out,
)
from dispatcher.api.booking_writes import as_it_is, changed, outs, write
from dispatcher.api.context import Context
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Id, PageQuery, next_cursor, page_request
from dispatcher.api.writing import Change, Write
from dispatcher.core.windows import Window, to_ms
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined, WantedBooking, WantedChange
from dispatcher.store.bookings import Booking, BookingFilter, booking_by_id, bookings_page, history_page
from dispatcher.store.paging import Page

router = resource("bookings", read=Scope.BOOKINGS_READ, write=Scope.BOOKINGS_WRITE)


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_booking(writer: Write, wanted: NewBooking) -> BookingOut:
    """Book a vehicle, or a category at a station: then a planned vehicle is chosen."""
    request = _wanted(wanted)
    return await write(
        writer,
        lambda desk: desk.create(request),
        as_it_is,
        location=lambda made: f"/api/v1/bookings/{made.id}",
    )


@router.get("", responses=answers(422))
async def list_bookings(context: Context, query: Annotated[BookingQuery, Query()]) -> BookingList:
    """Bookings that fit every field given, in the order of their start."""
    wanted = BookingFilter(
        station_id=query.station,
        vehicle_id=query.vehicle,
        member_id=query.member,
        states=query.state,
        from_ms=None if query.from_ is None else to_ms(query.from_),
        until_ms=None if query.until is None else to_ms(query.until),
    )
    request = page_request(query, int, str)
    now_ms = context.clock.now_ms()

    def read(connection: Connection) -> tuple[Page[Booking], list[BookingOut]]:
        page = bookings_page(connection, wanted, request)
        return page, outs(connection, page.items, now_ms)

    page, items = await context.database.read(read)
    return BookingList(items=items, next=next_cursor(page))


@router.get("/{booking_id}", responses=answers(404, 422))
async def read_booking(context: Context, booking_id: Id) -> BookingOut:
    now_ms = context.clock.now_ms()

    def read(connection: Connection) -> list[BookingOut]:
        booking = booking_by_id(connection, booking_id)
        return [] if booking is None or booking.purpose is not None else outs(connection, [booking], now_ms)

    found = await context.database.read(read)
    if not found:
        raise not_found("booking", booking_id)
    return found[0]


@router.get("/{booking_id}/history", responses=answers(404, 422))
async def read_booking_history(
    context: Context, booking_id: Id, query: Annotated[PageQuery, Query()]
) -> HistoryList:
    """What happened to a booking, oldest first."""
    request = page_request(query, int)
    page = await context.database.read(partial(history_page, booking_id=booking_id, request=request))
    if not page.items and request.after is None:
        raise not_found("booking", booking_id)
    return HistoryList(items=[history_out(entry) for entry in page.items], next=next_cursor(page))


@router.patch("/{booking_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_booking(writer: Change, booking_id: Id, change: BookingChange) -> ChangedBookingOut:
    """Move, shorten or extend a booking, or give it another vehicle.

    Once the key is taken only the end can be changed. The answer names the latest possible end, also where
    the extension meets the next booking.
    """
    wanted = WantedChange(
        start_ms=None if change.start is None else to_ms(change.start),
        end_ms=None if change.end is None else to_ms(change.end),
        vehicle_id=change.vehicle_id,
        driver_ids=change.driver_ids,
        pool_id=change.pool_id,
        cost_centre_id=change.cost_centre_id,
        accept_unreachable=change.accept_unreachable,
    )
    if wanted == WantedChange(accept_unreachable=change.accept_unreachable):
        fault = FieldFault(
            field="body", expected="at least one of start, end, vehicle_id, driver_ids, pool_id, ..."
        )
        raise Refusal(ApiReason.INVALID_REQUEST, "nothing is to be changed", [fault])
    _one_or_the_other(change.pool_id, change.driver_ids)

    def work(desk: BookingDesk) -> Booking | Declined | None:
        booking = writer.expected(locked(desk.connection, booking_id))
        return None if booking is None else desk.change(booking, wanted)

    return await write(writer, work, changed, booking_id)


@router.post("/{booking_id}/extend", responses=answers(400, 404, 409, 412, 413, 422))
async def extend_booking(writer: Change, booking_id: Id, extension: Extension) -> ChangedBookingOut:
    """Give a booking a later end, up to the next booking of its vehicle; also while the key is out.

    The box need not be reached for it: a return needs no right.
    """
    end_ms = to_ms(extension.end)

    def work(desk: BookingDesk) -> Booking | Declined | None:
        booking = writer.expected(locked(desk.connection, booking_id))
        return None if booking is None else desk.extend(booking, end_ms)

    return await write(writer, work, changed, booking_id)


@router.post("/{booking_id}/cancel", responses=answers(404, 409, 412, 422))
async def cancel_booking(writer: Change, booking_id: Id) -> BookingOut:
    """Cancel a booking whose key has not been taken. It stays readable, with its history."""

    def work(desk: BookingDesk) -> Booking | Declined | None:
        booking = writer.expected(locked(desk.connection, booking_id))
        return None if booking is None else desk.cancel(booking)

    return await write(writer, work, as_it_is, booking_id)


def _wanted(wanted: NewBooking) -> WantedBooking:
    given = (wanted.vehicle_id is not None, wanted.category is not None, wanted.station_id is not None)
    if given not in {(True, False, False), (False, True, True)}:
        fault = FieldFault(field="vehicle_id", expected="either vehicle_id, or category and station_id")
        raise Refusal(ApiReason.INVALID_REQUEST, "what is to be booked is not clear", [fault])
    _one_or_the_other(wanted.pool_id, wanted.driver_ids)
    return WantedBooking(
        member_id=wanted.member_id,
        window=Window(to_ms(wanted.start), to_ms(wanted.end)),
        vehicle_id=wanted.vehicle_id,
        category=wanted.category,
        station_id=wanted.station_id,
        organisation_id=wanted.organisation_id,
        driver_ids=tuple(sorted(set(wanted.driver_ids) - {wanted.member_id})),
        cost_centre_id=wanted.cost_centre_id,
        pool_id=wanted.pool_id,
        accept_unreachable=wanted.accept_unreachable,
    )


def _one_or_the_other(pool_id: str | None, driver_ids: tuple[str, ...] | None) -> None:
    if pool_id is not None and driver_ids:
        fault = FieldFault(field="pool_id", expected="a pool or single drivers, not both")
        raise Refusal(ApiReason.INVALID_REQUEST, "who may drive is not clear", [fault])
