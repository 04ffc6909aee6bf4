"""What one cabinet or booking does wrong is undone and logged, and the others' work goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

log = structlog.get_logger()


@contextmanager
def undone_if_it_fails(connection: Connection) -> Iterator[None]:
    """A savepoint: what is done inside is undone where it raises, and the transaction goes on.

    As `Connection.begin_nested`, which takes ten times as long to say the same: this is around every fact.
    """
    connection.exec_driver_sql("SAVEPOINT part")  # one name does: the innermost of that name is meant
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
        connection.exec_driver_sql("RELEASE SAVEPOINT part")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT part")


@contextmanager
def isolated(connection: Connection, event: str, **who: str) -> Iterator[None]:
    """Undo what is done inside if it fails, log it as `event` with its traceback, and go on after the block.

    A database that cannot now is no mistake of what was done: that is raised, and the transaction is over.
    """
    try:
        with undone_if_it_fails(connection):
            yield
    except OperationalError:
        raise
    except Exception:  # a mistake of ours, or a row that nobody foresaw
        log.exception(event, **who)
