"""What one cabinet or booking does wrong is undone and logged, and the others' work goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from dispatcher.store.later import mind_of

log = structlog.get_logger()

T = TypeVar("T")


IS_WRITING = "writing"
"""In `Connection.info`: its transactions begin with the writers' lock."""
IS_READING = "reading"
"""In `Connection.info`: its transactions write nothing, and where they end there is nothing to undo."""
IS_HOPEFUL = "hopeful"
"""In `Connection.info`: whoever opened the transaction does all of it again where `DoneAgain` is raised."""


class DoneAgain(BaseException):
    """A part of a hopeful transaction failed: it is rolled back and done again, with savepoints.

    No `Exception`: whoever handles what one part does wrong would take it for that.
    """


@contextmanager
def undone_if_it_fails(connection: Connection) -> Iterator[None]:
    """A savepoint, for what may well fail: it is undone where it raises, and the transaction goes on.

    As `Connection.begin_nested`, which takes ten times as long to say the same.
    """
    mind = mind_of(connection)
    if mind is not None:
        mind.settle(connection)
    connection.exec_driver_sql("SAVEPOINT part")  # one name does: the innermost of that name is meant
    try:
        yield
        if mind is not None:
            mind.settle(connection)  # what is wrong with it is this part's
    except BaseException:
        if mind is not None:
            mind.forget()
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
        connection.exec_driver_sql("RELEASE SAVEPOINT part")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT part")


class _NotKept(Exception):
    """What was tried is undone, and nothing is wrong."""


def kept_if(connection: Connection, work: Callable[[], T], is_kept: Callable[[T], bool]) -> T:
    """The outcome of `work`, all of whose writing is undone unless `is_kept` says of the outcome that it stays."""
    with suppress(_NotKept), undone_if_it_fails(connection):
        outcome = work()
        if not is_kept(outcome):
            raise _NotKept
    return outcome


def is_hopeful(connection: Connection) -> bool:
    """Whether what fails in this transaction has all of it done again, with savepoints."""
    return bool(connection.info.get(IS_HOPEFUL))


@contextmanager
def set_apart(connection: Connection) -> Iterator[None]:
    """As `undone_if_it_fails`, for what hardly ever fails: around every fact and every cabinet.

    A hopeful transaction has no savepoints, and is done again with them where one would have been needed.
    """
    if not is_hopeful(connection):
        with undone_if_it_fails(connection):
            yield
        return
    try:
        yield
    except OperationalError:
        raise  # the database cannot now: to do it again at once would not help
    except Exception as error:
        raise DoneAgain from error


@contextmanager
def isolated(connection: Connection, event: str, **who: str) -> Iterator[None]:
    """Undo what is done inside if it fails, log it as `event` with its traceback, and go on after the block.

    A database that cannot now is no mistake of what was done: that is raised, and the transaction is over.
    """
    try:
        with set_apart(connection):
            yield
    except OperationalError:
        raise
    except Exception:  # a mistake of ours, or a row that nobody foresaw
        log.exception(event, **who)
