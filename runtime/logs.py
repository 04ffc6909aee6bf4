"""Logs: structlog, one line per event, UTC, nothing secret. The libraries' own logging comes the same way.

    configure_logs("json", "info", clock=clock)
    log = structlog.get_logger()
    log.info("slot_released", slot=3, grant=grant_id)

An event's name is a constant in snake_case and its fields are data: what is counted in the metrics has the
same word here. With `json` a traceback is a field of the one line; with `text` it follows the line.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from runtime.clocks import Clock, SystemClock
from runtime.redaction import is_secret_name

LogFormat = Literal["json", "text", "auto"]
LogLevel = Literal["debug", "info", "warning", "error"]

MASKED = "***"
DEPTH_MAX = 4  # our events nest once; what is deeper is not searched but left out


def configure_logs(
    log_format: LogFormat, level: LogLevel, *, clock: Clock | None = None, stream: TextIO | None = None
) -> None:
    """Called once, by the entry point. `auto` is text on a terminal and JSON elsewhere.

    `clock` None: the system's. Libraries are heard from WARNING on, whatever `level` says.
    """
    stream = stream or sys.stderr
    renderer = _renderer("text" if log_format == "auto" and stream.isatty() else log_format, stream)
    shared = _shared_processors((clock or SystemClock()).now_ms)
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,  # tests configure more than once; a lookup costs under 1 us
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def _shared_processors(now_ms: Callable[[], int]) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _timestamper(now_ms),
        mask_secrets,
    ]


def _renderer(log_format: LogFormat, stream: TextIO) -> list[Processor]:
    if log_format == "text":
        # not structlog's own choice: rich, where it is installed, prints the locals of every frame
        console = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        return [console]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _timestamper(now_ms: Callable[[], int]) -> Processor:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        moment = datetime.fromtimestamp(now_ms() / 1000, UTC)
        event["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event

    return stamp


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replaces the values of fields that are named like a secret, nested ones included."""
    return {key: _masked(key, value, DEPTH_MAX) for key, value in event.items()}


def _masked(key: object, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value  # whether there is a PIN is no secret
    if is_secret_name(str(key)):
        return MASKED
    if isinstance(value, Mapping):
        return {inner: _masked(inner, each, depth - 1) for inner, each in value.items()} if depth else MASKED
    if isinstance(value, list | tuple):
        return [_masked("", each, depth - 1) for each in value] if depth else MASKED
    return value
