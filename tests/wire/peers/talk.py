"""How a test and the program of another environment talk: JSON lines on the program's stdin and stdout."""

import json
import os
import select
import sys
import time
from collections.abc import Iterator

RUN_S = 60  # no test lasts longer; a forgotten peer ends by itself


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def ticks(every_s: float, *fds: int) -> Iterator[list[dict[str, str]]]:
    """The orders that came, each `every_s` or when an fd has input; ends with stdin, or after RUN_S."""
    end = time.monotonic() + RUN_S
    rest = b""
    while time.monotonic() < end:
        readable, _, _ = select.select([sys.stdin.fileno(), *fds], [], [], every_s)
        if sys.stdin.fileno() in readable:
            data = os.read(sys.stdin.fileno(), 4096)
            if not data:
                return
            rest += data
        *lines, rest = rest.split(b"\n")
        yield [json.loads(line) for line in lines]


class Port:
    """The client's end of a pty, as libosdp wants a channel: three methods, none of which waits."""

    def __init__(self, path: str) -> None:
        self.id = 0
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def read(self, max_bytes: int) -> bytes:
        try:
            return os.read(self.fd, max_bytes)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> int:
        return os.write(self.fd, data)

    def flush(self) -> None:
        """Nothing is held back."""
