"""What PostgreSQL does as SQLite would, and what is said where it cannot be used."""

import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Queue

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from dispatcher.cli import main
from dispatcher.config import load_config, read_database_url
from dispatcher.store import postgresql
from dispatcher.store.database import Database
from dispatcher.store.later import write_later
from dispatcher.store.postgresql import UnfitServer, check_server
from dispatcher.store.schema import badges, booking_history, meta
from runtime.executor import InlineExecutor
from tests.dispatcher.api_client import running_api
from tests.dispatcher.backends import migrated, own_cluster
from tests.dispatcher.network import NETWORK, TestClock
from tests.dispatcher.small_fleet import ORIGIN, book, new_database
from tests.dispatcher.test_cli import TEMPLATE

BACKENDS = ["postgresql"]  # nothing here is asked of SQLite
CONFIGURED = "sqlite:///dispatcher.db"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command of `dispatcher` on the database at a URL; exit status, output, errors."""
    assert main(["new-keys", str(tmp_path / "keys")]) == 0
    (tmp_path / "network.json").write_text(json.dumps(NETWORK), encoding="utf-8")

    def run(url: object, command: str, *arguments: str) -> tuple[int, str, str]:
        (tmp_path / "dispatcher.toml").write_text(TEMPLATE.replace(CONFIGURED, str(url)))
        capsys.readouterr()
        status = main([command, "--config", str(tmp_path / "dispatcher.toml"), *arguments], clock=TestClock())
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def a_database(name: str, more: str = "") -> str:
    """An empty database of its own, made with `more` words."""
    words = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ").format(sql.Identifier(name))
    own_cluster().execute(words + sql.SQL(more))
    return own_cluster().url(name).render_as_string()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


# --- transactions


def say(connection: Connection, what: str) -> int:
    """One more line in a booking's history; its number."""
    row = {"booking_id": "booking-1", "at_ms": 1, "what": what, "author": "a", "detail": "{}"}
    key = connection.execute(insert(booking_history).values(row)).inserted_primary_key
    assert key is not None
    return int(key[0])


def test_whoever_writes_second_waits_so_that_numbers_are_given_in_the_order_of_the_commits() -> None:
    database = new_database()
    book(database)
    own = Database(postgresql_url_of(database), InlineExecutor(), origin=ORIGIN)
    order: Queue[str] = Queue()

    def second() -> None:
        own.write_now(partial(say, what="second"))
        order.put("second is committed")

    def first(connection: Connection) -> threading.Thread:
        thread = in_thread(second)
        wait_until_somebody_waits(connection)
        say(connection, "first")
        order.put("first is about to be committed")
        return thread

    database.write_now(first).join()
    said = select(booking_history.c.what).order_by(booking_history.c.id)
    assert database.read_now(lambda c: c.execute(said).scalars().all())[-2:] == ["first", "second"]
    assert [order.get(), order.get()] == ["first is about to be committed", "second is committed"]
    own.close()


def postgresql_url_of(database: Database) -> str:
    return database.engine.url.set(drivername="postgresql+psycopg").render_as_string()


def wait_until_somebody_waits(connection: Connection) -> None:
    """Until another backend stands in the queue for a lock of this database."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    for _ in range(10_000):
        if connection.execute(waiting).scalar_one():
            return
    raise AssertionError("nobody waits")


def test_who_waits_too_long_for_a_turn_is_told_that_the_database_cannot_now() -> None:
    database = new_database()
    own = Database(postgresql_url_of(database), InlineExecutor(), origin=ORIGIN)
    with own.engine.connect() as connection:  # of the connection that the pool hands out next
        connection.exec_driver_sql("SET lock_timeout = 50")
        connection.commit()

    def first(_connection: Connection) -> None:
        with pytest.raises(OperationalError, match="lock timeout"):
            own.write_now(lambda connection: connection.execute(select(meta)))

    database.write_now(first)
    assert (
        own.write_now(lambda connection: connection.execute(select(func.count()).select_from(meta)).scalar_one())
        == 0
    )
    own.close()


def test_what_is_asked_often_stays_planned_from_one_read_to_the_next() -> None:
    own = Database(postgresql_url_of(new_database()), InlineExecutor(), origin=ORIGIN)
    for _ in range(10):
        own.read_now(lambda connection: connection.execute(select(meta)).all())
    with suppress(LookupError):
        own.read_now(_raise_lookup)
    planned = text("SELECT statement FROM pg_prepared_statements")
    statements = own.read_now(lambda connection: connection.execute(planned).scalars().all())
    assert [statement for statement in statements if "FROM meta" in statement]
    own.close()


def _raise_lookup(connection: Connection) -> None:
    connection.execute(select(meta)).all()
    raise LookupError


def test_a_reader_whose_statement_failed_leaves_a_connection_that_serves() -> None:
    own = Database(postgresql_url_of(new_database()), InlineExecutor(), origin=ORIGIN)

    def careless(connection: Connection) -> None:
        with suppress(DataError):
            connection.execute(text("SELECT 1 / 0"))

    own.read_now(careless)
    assert own.read_now(lambda connection: connection.execute(text("SELECT 1")).scalar_one()) == 1
    own.close()


def test_a_reader_whose_server_goes_away_is_told_that_the_database_cannot_now() -> None:
    own = Database(postgresql_url_of(new_database()), InlineExecutor(), origin=ORIGIN)
    end = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(OperationalError):
        own.read_now(lambda connection: connection.execute(end).all())
    assert own.read_now(lambda connection: connection.execute(text("SELECT 1")).scalar_one()) == 1
    own.close()


def test_what_fails_together_with_the_commit_leaves_a_connection_that_serves_and_an_error_without_the_row() -> None:
    own = Database(postgresql_url_of(new_database()), InlineExecutor(), origin=ORIGIN)
    book(own)
    lost = insert(booking_history).inline()
    row = {"booking_id": "no-such-booking", "at_ms": 1, "what": "secret", "author": "secret", "detail": "secret"}
    with pytest.raises(IntegrityError) as refused:
        own.write_now(lambda connection: write_later(connection, lost, row))
    assert "secret" not in str(refused.value)
    assert own.write_now(lambda connection: connection.execute(text("SELECT 1")).scalar_one()) == 1
    own.close()


def test_a_reader_sees_one_moment_while_others_write() -> None:
    database = new_database()
    book(database)
    count = select(func.count()).select_from(booking_history)

    def read(connection: Connection) -> tuple[int, int]:
        before = connection.execute(count).scalar_one()
        in_thread(lambda: database.write_now(partial(say, what="meanwhile"))).join()
        return before, connection.execute(count).scalar_one()

    before, after = database.read_now(read)
    assert before == after
    assert database.read_now(lambda connection: connection.execute(count).scalar_one()) == before + 1


def test_an_error_that_was_passed_over_is_not_taken_for_a_commit() -> None:
    database = new_database()

    def careless(connection: Connection) -> None:
        connection.execute(insert(meta).values(key="a", value="1"))
        with suppress(IntegrityError):
            connection.execute(insert(meta).values(key="a", value="2"))

    with pytest.raises(AssertionError, match="passed over"):
        database.write_now(careless)
    assert database.read_now(lambda connection: connection.execute(select(meta)).all()) == []


def test_an_error_quotes_no_row() -> None:
    database = new_database()
    double = update(badges).where(badges.c.id == "badge-2").values(credential="calypso:0000000000000001")
    with pytest.raises(IntegrityError, match="uq_badges_credential") as raised:
        database.write_now(lambda connection: connection.execute(double))
    assert "0000000001" not in str(raised.value)


def test_a_server_that_dropped_every_connection_costs_nobody_an_error() -> None:
    database = new_database()
    database.write_now(lambda connection: connection.execute(insert(meta).values(key="a", value="1")))
    ended = own_cluster().url("postgres")
    admin = Database(ended, InlineExecutor())
    name = {"name": database.engine.url.database, "of": "carshare-dispatcher"}
    end = text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = :name AND application_name = :of"
    )
    assert admin.write_now(lambda connection: connection.execute(end, name).scalars().all())
    admin.close()
    assert database.read_now(lambda connection: connection.execute(select(meta.c.key)).scalars().all()) == ["a"]
    database.write_now(lambda connection: connection.execute(insert(meta).values(key="b", value="1")))


def test_commits_are_durable_whatever_the_server_says() -> None:
    own_cluster()
    url = a_database("asynchronous")
    own_cluster().execute(sql.SQL("ALTER DATABASE asynchronous SET synchronous_commit = off").format())
    database = Database(url, InlineExecutor())
    assert (
        database.read_now(lambda connection: connection.exec_driver_sql("SHOW synchronous_commit").scalar()) == "on"
    )
    database.close()


async def test_a_character_that_postgresql_cannot_keep_is_the_callers_mistake() -> None:
    async with running_api() as api:
        problem = await api.post("/members/search", {"name": "Al\x00ix"}, 422)
    assert (problem["reason"], "NUL" in problem["detail"]) == ("invalid_request", True)


# --- the commands


def test_a_network_is_imported_into_postgresql(run: Run, tmp_path: Path) -> None:
    url = a_database("commands")
    document = str(tmp_path / "network.json")
    assert run(url, "import", document) == (
        2,
        "",
        "dispatcher: commands: the database is not there or not up to date: run `dispatcher migrate`\n",
    )
    status, out, _ = run(url, "migrate")
    assert (status, out[:13]) == (0, "applied 0001,")
    assert run(url, "migrate")[:2] == (0, "nothing to do: the database is up to date\n")
    status, out, _ = run(url, "import", document)
    assert (status, out.splitlines()[-1]) == (0, "imported")
    status, out, _ = run(url, "badge-key", "--cabinet", "gare-1")
    assert (status, len(out)) == (0, 65)
    status, out, _ = run(url, "vouch", "--check")
    assert (status, out.splitlines()[-1]) == (0, "checked, nothing was signed")


# --- what cannot be used


@pytest.mark.parametrize("command", ["migrate", "badge-key"])
def test_a_server_or_a_database_that_is_not_there_is_one_line(run: Run, command: str) -> None:
    more = ("--cabinet", "gare-1") if command == "badge-key" else ()
    for url, says in (
        ("postgresql+psycopg://carshare@/carshare?host=/nowhere", "No such file or directory"),
        (own_cluster().url("nowhere"), 'database "nowhere" does not exist'),
        (own_cluster().url("postgres", "nobody"), 'role "nobody" does not exist'),
    ):
        status, out, err = run(url, command, *more)
        assert (status, out) == (2, "")
        assert re.fullmatch(f"dispatcher: the database refuses: [^\n]*{says}[^\n]*\n", err), err


def test_a_role_that_may_not_make_the_extension_is_told_who_may(run: Run) -> None:
    a_database("others")
    own_cluster().execute(sql.SQL("CREATE ROLE guest LOGIN").format())
    status, _, err = run(own_cluster().url("others", "guest"), "migrate")
    assert status == 2
    assert re.fullmatch(
        r"dispatcher: extension btree_gist: permission denied [^\n]*CREATE EXTENSION[^\n]*\n", err
    ), err


def test_a_server_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "OLDEST", 99)
    with pytest.raises(UnfitServer, match=r"server_version = 1[5-9]\.\d+: expected PostgreSQL 99 or newer"):
        check_server(new_database().engine)


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("ascii_only", "LOCALE 'C'", "lc_ctype: expected a locale that knows letters"),
        ("latin", "ENCODING 'LATIN1' LOCALE 'C'", "server_encoding = LATIN1: expected a database in UTF8"),
    ],
)
def test_a_database_that_cannot_keep_or_compare_names_is_refused(
    run: Run, name: str, words: str, says: str
) -> None:
    status, _, err = run(a_database(name, words), "migrate")
    assert (status, err) == (2, f"dispatcher: {says}{err.partition(says)[2]}")


# --- configuration


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://carshare@127.0.0.1/carshare", r"or postgresql\+psycopg://"),
        ("postgresql+psycopg://carshare@127.0.0.1/", r"or postgresql\+psycopg://"),
        ("postgresql+psycopg://carshare@127.0.0.1:x/carshare", r"or postgresql\+psycopg://"),
        ("postgresql+psycopg://carshare:secret@127.0.0.1/carshare", "expected no password in the URL"),
        ("postgresql+psycopg://carshare@/carshare?password=secret", "expected no password in the URL"),
        ("postgresql+psycopg://carshare@db.example/carshare", "expected sslmode=verify-full .* db.example"),
        ("postgresql+psycopg://carshare@/carshare?host=db.example&sslmode=require", "expected sslmode=verify-full"),
    ],
)
def test_a_url_that_would_not_do_is_refused(run: Run, url: str, says: str) -> None:
    status, _, err = run(url, "migrate")
    assert status == 2
    assert re.search(says, err), err


def test_a_server_elsewhere_is_taken_with_its_certificate_checked(tmp_path: Path, run: Run) -> None:
    url = "postgresql+psycopg://carshare@db.example/carshare?sslmode=verify-full"
    status, _, err = run(url, "migrate")
    assert (status, "db.example" in err) == (2, True), "there is no such machine"
    assert load_config(tmp_path / "dispatcher.toml").database.url == url


def test_the_password_comes_from_a_file_and_is_never_shown(tmp_path: Path, run: Run) -> None:
    with_file = f'{own_cluster().url(migrated(), "secretive")}"\npassword_file = "keys/password'
    has_a_password("secretive", "grüße")
    (tmp_path / "keys" / "password").write_text("grüße\n", encoding="utf-8")
    (tmp_path / "dispatcher.toml").write_text(TEMPLATE.replace(CONFIGURED, with_file))
    read = read_database_url(load_config(tmp_path / "dispatcher.toml").database)
    assert (read.password, "grüße" in str(read)) == ("grüße", False)
    assert "--cabinet 'gare-1'" in run(with_file, "badge-key", "--cabinet", "gare-1")[2], "it got as far as that"
    (tmp_path / "keys" / "password").write_text("another\n")
    status, _, err = run(with_file, "badge-key", "--cabinet", "gare-1")
    assert (status, "another" in err) == (2, False)
    assert "password authentication failed" in err


def has_a_password(user: str, password: str) -> None:
    """A role that the cluster asks for its password from now on; it may read everything."""
    role = {"user": sql.Identifier(user), "password": sql.Literal(password)}
    own_cluster().execute(sql.SQL("CREATE ROLE {user} LOGIN PASSWORD {password}").format(**role))
    own_cluster().execute(sql.SQL("GRANT pg_read_all_data TO {user}").format(**role))
    file = own_cluster().folder / "data" / "pg_hba.conf"
    file.write_text(f"local all {user} scram-sha-256\n{file.read_text()}")
    own_cluster().execute(sql.SQL("SELECT pg_reload_conf()").format())
    for _ in range(1000):  # the server reads the file when it comes to it
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(host=str(own_cluster().folder), user=user, dbname="postgres"),
        ):
            continue
        return
    raise AssertionError("nobody asks for the password")


@pytest.mark.parametrize("content", ["", "two\nlines\n"])
def test_a_password_file_holds_one_line(tmp_path: Path, run: Run, content: str) -> None:
    (tmp_path / "keys" / "password").write_text(content)
    with_file = 'postgresql+psycopg://carshare@/carshare"\npassword_file = "keys/password'
    status, _, err = run(with_file, "migrate")
    assert (status, "expected one line" in err, "two" in err) == (2, True, False)
