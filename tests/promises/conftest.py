import logging
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import structlog

from simulator.hunt.seeds import MEMORY_DISK


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Programs log every message: hours of a network are not for a screen."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def new_folder() -> Iterator[Callable[[], Path]]:
    """Makes folders for journals, which are real SQLite files: in memory, where the system has such a disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None) as folder:
        numbers = count()

        def make() -> Path:
            path = Path(folder) / str(next(numbers))
            path.mkdir()
            return path

        yield make
