"""Lines in, lines out: for a person at a terminal, or for a program that reads and writes a pipe."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from simulator.cabinet.bench import Event

LINE_MAX: Final = 4096  # characters of a command; a terminal gives no longer line
LINES_WAITING_MAX: Final = 1000  # commands ahead of the one that is carried out; the sender waits then
PROMPT: Final = "cabinet> "
CLEAR_LINE: Final = "\r\x1b[2K"


class Output:
    """Writes what happens and what was answered; beside a prompt, the prompt comes again."""

    def __init__(self, stream: TextIO, *, as_json: bool, prompts: bool) -> None:
        self._stream = stream
        self._as_json = as_json
        self._prompts = prompts and not as_json
        self._at_prompt = False
        self.on_gone: Callable[[], object] = _nothing
        """Called when nobody reads any more, as behind `| head`."""

    def event(self, event: Event) -> None:
        more = {"device": event.device, "what": event.what, "text": event.text, **event.more}
        self.say("event", f"* {event.device}: {event.text}", more)

    def say(self, kind: str, text: str, more: Mapping[str, Any]) -> None:
        """One line of JSON, or the text."""
        line = json.dumps({"kind": kind, **more}, ensure_ascii=False) if self._as_json else text
        self._write(f"{CLEAR_LINE if self._at_prompt else ''}{line}\n{PROMPT if self._at_prompt else ''}")

    def prompt(self) -> None:
        """Asks for the next command, where somebody sees it."""
        if self._prompts:
            self._write(PROMPT)
            self._at_prompt = True

    def no_prompt(self) -> None:
        """A command came, or the end: the cursor stands elsewhere."""
        self._at_prompt = False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())  # for all that is still to be said
            self.on_gone()


def _nothing() -> None:
    pass


class Input:
    """Lines of a file descriptor, whatever it is: a terminal, a pipe, a file. A daemon thread reads it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = threading.Semaphore(LINES_WAITING_MAX)
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    async def next(self) -> str | None:
        """The next line; None: there is no more."""
        line = await self._lines.get()
        self._room.release()
        return line

    def _read(self) -> None:
        """Not through sys.stdin: its lock, held by this thread, would end the interpreter badly."""
        rest = b""
        while data := self._some():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._put(line)
            rest = rest[: LINE_MAX + 1]  # enough to see that it is too long
        if rest:
            self._put(rest)
        self._give(None)

    def _some(self) -> bytes:
        try:
            return os.read(self._fd, LINE_MAX)
        except OSError:  # the terminal is gone
            return b""

    def _put(self, line: bytes) -> None:
        self._room.acquire()
        self._give(line[: LINE_MAX + 1].decode(errors="replace"))

    def _give(self, line: str | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
        except RuntimeError:  # the loop has ended meanwhile
            sys.exit()
