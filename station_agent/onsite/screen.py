"""A terminal for a view that is drawn again and again: over ssh as well, and left as it was found."""

import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # another screen without a cursor, and back
_HOME, _TO_LINE_END, _TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"
QUIT_KEYS = b"q\x03\x04\x1b"


def watch(draw: Callable[[int], list[str]], every_s: float) -> None:
    """Draw columns -> lines again and again, until somebody presses q, Escape or Ctrl-C."""
    with _screen():
        while True:
            columns, rows = shutil.get_terminal_size()
            lines = draw(columns)[:rows]
            text = "\r\n".join(f"{_cut(line, columns)}{_TO_LINE_END}" for line in lines)
            sys.stdout.write(f"{_HOME}{text}{_TO_SCREEN_END}")
            sys.stdout.flush()
            if _key_within(every_s):
                return


@contextmanager
def _screen() -> Iterator[None]:
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        sys.stdout.write(_ENTER)
        yield
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _key_within(seconds: float) -> bool:
    """Whether a key to quit was pressed, or nobody is there any more."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    if not readable:
        return False
    pressed = os.read(sys.stdin.fileno(), 64)
    return not pressed or pressed[:1] in {bytes((key,)) for key in QUIT_KEYS}


def _cut(line: str, columns: int) -> str:
    """A line that fits: colours take no room, and are ended where it is cut."""
    room, out, i = columns, [], 0
    while i < len(line):
        if line[i] == "\x1b":
            end = line.find("m", i) + 1 or len(line)
            out.append(line[i:end])
            i = end
        elif room:
            out.append(line[i])
            room -= 1
            i += 1
        else:
            return "".join(out) + "\x1b[0m"
    return "".join(out)
