"""What one cabinet or booking does wrong is undone and logged, and the others' work goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

log = structlog.get_logger()


@contextmanager
def isolated(connection: Connection, event: str, **who: str) -> Iterator[None]:
    """Undo what is done inside if it fails, log it as `event` with its traceback, and go on after the block.

    A database that cannot now is no mistake of what was done: that is raised, and the transaction is over.
    """
    try:
        with connection.begin_nested():
            yield
    except OperationalError:
        raise
    except Exception:  # a mistake of ours, or a row that nobody foresaw
        log.exception(event, **who)
