"""What is kept under an `Idempotency-Key`, and to whom it is told."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select, update

from dispatcher.core.retention import Retention
from dispatcher.core.windows import HOUR_MS
from dispatcher.store.database import Database
from dispatcher.store.limits import LIMITS
from dispatcher.store.retention import Now, enforce, find_past
from dispatcher.store.schema import stored_answers
from dispatcher.store.stored_answers import KEPT_MS, Asked, Found, StoredAnswer, claim, keep, release
from tests.dispatcher.network import NOW_MS, empty_database

SECRET = b"s" * 32
PARTS = ("POST", "/api/v1/bookings", "")
ANSWER = StoredAnswer(201, {"location": "/api/v1/bookings/b1"}, '{"id":"b1","code":"12345678"}')


def asked(
    caller: str = "front-end",
    key: str = "k1",
    parts: tuple[str, ...] = PARTS,
    body: bytes = b'{"pin":"4711"}',
    secret: bytes = SECRET,
) -> Asked:
    return Asked.of(secret, caller, key, parts, body)


@pytest.fixture
def database() -> Iterator[Database]:
    with empty_database() as database:
        yield database


def answered(connection: Connection, request: Asked, now_ms: int = NOW_MS) -> None:
    assert claim(connection, request, now_ms) is Found.NOTHING
    keep(connection, request, ANSWER)


def test_the_same_request_is_told_the_same_answer(database: Database) -> None:
    database.write_now(lambda connection: answered(connection, asked()))
    assert database.write_now(lambda connection: claim(connection, asked(), NOW_MS + 1)) == ANSWER


@pytest.mark.parametrize(
    "other",
    [
        asked(parts=("PATCH", *PARTS[1:])),
        asked(parts=("POST", "/api/v1/orders", "")),
        asked(parts=(*PARTS[:2], "x=1")),
        asked(body=b'{"pin":"4712"}'),
        asked(body=b""),
    ],
)
def test_another_request_under_the_same_key_is_known_as_such(database: Database, other: Asked) -> None:
    database.write_now(lambda connection: answered(connection, asked()))
    assert database.write_now(lambda connection: claim(connection, other, NOW_MS)) is Found.OTHER_REQUEST


@pytest.mark.parametrize(
    "other",
    [asked(key="k2"), asked(caller="operators"), asked(caller="front-en", key="dk1"), asked(caller="", key="")],
)
def test_keys_are_each_callers_own(database: Database, other: Asked) -> None:
    database.write_now(lambda connection: answered(connection, asked()))
    assert database.write_now(lambda connection: claim(connection, other, NOW_MS)) is Found.NOTHING


def test_a_key_under_which_nothing_was_done_is_unused(database: Database) -> None:
    def refused(connection: Connection) -> None:
        claim(connection, asked(), NOW_MS)
        release(connection, asked())

    database.write_now(refused)
    assert database.write_now(lambda connection: claim(connection, asked(body=b"other"), NOW_MS)) is Found.NOTHING


def test_nothing_of_key_request_or_answer_stands_in_the_row_in_clear(database: Database) -> None:
    database.write_now(lambda connection: answered(connection, asked()))
    row = database.read_now(lambda connection: connection.execute(select(stored_answers)).one())
    text = str(tuple(row))
    assert all(clear not in text for clear in ("12345678", "4711", "front-end", "k1", "bookings"))


def test_a_digest_is_not_to_be_found_without_the_secret() -> None:
    mine, theirs = asked(), asked(secret=b"t" * 32)
    assert mine.id != theirs.id
    assert mine.request != theirs.request


def test_a_row_that_somebody_wrote_or_moved_is_told_to_nobody(database: Database) -> None:
    other = asked(key="k2", body=b"{}")

    def move(connection: Connection) -> None:
        answered(connection, asked())
        answered(connection, other)
        sealed = select(stored_answers.c.sealed).where(stored_answers.c.id == asked().id)
        text = connection.execute(sealed).scalar_one()
        connection.execute(update(stored_answers).where(stored_answers.c.id == other.id).values(sealed=text))

    database.write_now(move)
    assert database.write_now(lambda connection: claim(connection, other, NOW_MS)) is Found.NOT_OURS
    forged = update(stored_answers).where(stored_answers.c.id == other.id).values(sealed="bm8=")
    database.write_now(lambda connection: connection.execute(forged))
    assert database.write_now(lambda connection: claim(connection, other, NOW_MS)) is Found.NOT_OURS


def test_a_key_is_free_again_after_a_day_also_where_its_row_was_not_removed(database: Database) -> None:
    database.write_now(lambda connection: answered(connection, asked()))
    last_ms, next_ms = NOW_MS + KEPT_MS - 1, NOW_MS + KEPT_MS
    assert database.write_now(lambda connection: claim(connection, asked(), last_ms)) == ANSWER
    other = asked(body=b"other")
    database.write_now(lambda connection: answered(connection, other, next_ms))
    assert database.write_now(lambda connection: claim(connection, other, next_ms + 1)) == ANSWER


def test_the_housekeeping_removes_what_is_a_day_old_and_nothing_else(database: Database) -> None:
    (limit,) = (limit for limit in LIMITS if limit.name == "stored_answers")
    young = asked(key="k2")
    database.write_now(lambda connection: answered(connection, asked()))
    database.write_now(lambda connection: answered(connection, young, NOW_MS + HOUR_MS))
    now = Now(Retention(), NOW_MS + KEPT_MS, lambda size: b"r" * size)

    def remove(connection: Connection) -> int:
        return enforce(connection, limit, find_past(connection, limit, now), now)

    assert database.write_now(remove) == 1
    left = database.read_now(lambda connection: connection.execute(select(stored_answers.c.id)).scalars().all())
    assert left == [young.id]
