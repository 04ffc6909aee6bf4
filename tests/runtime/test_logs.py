import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from runtime.clocks import Clock
from runtime.logs import configure_logs
from simulator.clocks import ScaledClock


class Still:
    def now_us(self) -> int:
        return 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


CLOCK: Clock = ScaledClock(1_767_323_045_678, 1, Still())


@pytest.fixture(autouse=True)
def _configuration_ends_with_the_test() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    made = io.StringIO()
    configure_logs("json", "info", clock=CLOCK, stream=made)
    return made


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_utc_time(stream: io.StringIO) -> None:
    structlog.get_logger().info("slot_released", slot=3)
    assert lines_of(stream) == [
        {"event": "slot_released", "slot": 3, "level": "info", "timestamp": "2026-01-02T03:04:05.678Z"}
    ]


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    structlog.get_logger().debug("poll")
    assert not stream.getvalue()


def test_context_variables_join_each_event(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(cabinet="42"):
        structlog.get_logger().info("booted")
    assert lines_of(stream)[0]["cabinet"] == "42"


def test_values_named_like_secrets_are_masked_at_any_depth(stream: io.StringIO) -> None:
    nested = {"pin": "4711", "rows": [{"token": "4712", "slot": 3}]}
    structlog.get_logger().info("shown", badge_uid="4713", password=4714, pin=None, has_pin=True, nested=nested)
    (line,) = lines_of(stream)
    assert "471" not in stream.getvalue()
    assert (line["badge_uid"], line["pin"], line["has_pin"]) == ("***", None, True)
    assert line["nested"]["rows"][0] == {"token": "***", "slot": 3}


def test_what_nests_too_deep_is_masked_whole(stream: io.StringIO) -> None:
    deep: Any = {"uid": "4711"}
    for _ in range(50):
        deep = [deep]
    structlog.get_logger().info("shown", deep=deep)
    assert "4711" not in stream.getvalue()


def test_a_traceback_stays_on_the_line_and_shows_no_locals(stream: io.StringIO) -> None:
    def fail(hidden: str) -> None:
        raise ValueError(len(hidden))

    try:
        fail("a secret local")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines_of(stream)
    assert "ValueError: 14" in line["exception"]
    assert line["exception"].count("a secret local") == 1, "in the source line of the call, not as a local"


def test_libraries_are_heard_from_warning_on_in_the_same_form(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("mqtt").warning("failed to receive on %s", "socket")
    (line,) = lines_of(stream)
    assert line == {
        "event": "failed to receive on socket",
        "logger": "mqtt",
        "level": "warning",
        "timestamp": "2026-01-02T03:04:05.678Z",
    }


def test_a_traceback_of_a_library_stays_on_the_line(stream: io.StringIO) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("alembic").exception("failed")
    assert "ZeroDivisionError" in lines_of(stream)[0]["exception"]


def test_python_s_warnings_come_the_same_way(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert lines_of(stream)[0]["logger"] == "py.warnings"


def test_auto_is_json_unless_a_person_looks() -> None:
    for stream, is_json in ((io.StringIO(), True), (Terminal(), False)):
        configure_logs("auto", "info", clock=CLOCK, stream=stream)
        structlog.get_logger().info("booted")
        assert stream.getvalue().startswith("{") is is_json


def test_text_shows_no_locals_either() -> None:
    stream = io.StringIO()
    configure_logs("text", "info", clock=CLOCK, stream=stream)
    hidden = "a secret local"
    try:
        _ = len(hidden) / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("failed", pin="4711")
    text = stream.getvalue()
    assert "ZeroDivisionError" in text
    assert "a secret local" not in text
    assert "4711" not in text
