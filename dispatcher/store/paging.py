"""Lists in pages, by key: what is inserted or removed meanwhile moves no other row over a page's edge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, tuple_

T = TypeVar("T")
Position = tuple[int | str, ...]
"""The order's columns of the last row of the page before, such as (start_ms, id)."""

LIMIT_MAX = 200  # about 100 KB of bookings: one answer that a phone on a slow line still takes


@dataclass(frozen=True, slots=True)
class PageRequest:
    limit: int
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    next: Position | None
    """Where the following page begins; None: this was the last one."""


def in_order(statement: Select[Any], columns: Sequence[ColumnElement[Any]], request: PageRequest) -> Select[Any]:
    """The statement in the order of `columns`, from after the position, one row more than the page has."""
    if request.after is not None:
        statement = statement.where(tuple_(*columns) > tuple_(*request.after))
    return statement.order_by(*columns).limit(request.limit + 1)


def newest_first(statement: Select[Any], number: ColumnElement[Any], request: PageRequest) -> Select[Any]:
    """As `in_order`, by a column that counts up, from its highest value down."""
    if request.after is not None:
        (last,) = request.after
        statement = statement.where(number < last)
    return statement.order_by(number.desc()).limit(request.limit + 1)


def cut(items: Sequence[T], request: PageRequest, position: Callable[[T], Position]) -> Page[T]:
    """The page out of the rows that `in_order` or `newest_first` selected."""
    kept = tuple(items[: request.limit])
    return Page(kept, position(kept[-1]) if len(items) > len(kept) else None)
