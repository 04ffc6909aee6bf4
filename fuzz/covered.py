"""Which lines of a codec a set of inputs reaches: a plain count, without the fuzzer."""

import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from fuzz.targets import Target

_IS_FUNCTION = inspect.CO_NEWLOCALS | inspect.CO_OPTIMIZED


@dataclass
class Lines:
    """Lines of functions, by code object; those of module and class bodies run at import and do not count."""

    missing: dict[CodeType, set[int]] = field(default_factory=dict)
    total: int = 0

    def add(self, code: CodeType) -> None:
        for inner in _functions(code):
            lines = {line for _, _, line in inner.co_lines() if line is not None and line > inner.co_firstlineno}
            self.missing[inner] = lines
            self.total += len(lines)

    @property
    def covered(self) -> int:
        return self.total - sum(map(len, self.missing.values()))

    def trace(self, frame: FrameType, _event: str, _argument: object) -> Any:
        """For `sys.settrace`: follows only what has lines that were not reached yet."""
        return self._line if self.missing.get(frame.f_code) else None

    def _line(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            self.missing[frame.f_code].discard(frame.f_lineno)
        return self._line


def lines_covered(target: Target, inputs: Iterable[bytes]) -> Lines:
    """Feeds all inputs; one that raises is left at that."""
    lines = Lines()
    for name in target.modules:
        module = importlib.import_module(name)
        for code in _codes_of(module):
            lines.add(code)
    before = sys.gettrace()
    sys.settrace(lines.trace)
    try:
        for data in inputs:
            _feed(target, data)
    finally:
        sys.settrace(before)
    return lines


def _feed(target: Target, data: bytes) -> None:
    with suppress(Exception):  # a finding is told where it is searched
        target.check(data)


def _codes_of(module: object) -> Iterator[CodeType]:
    """The module's own functions and methods, each with the very code object that runs."""
    for thing in vars(module).values():
        if getattr(thing, "__module__", None) != getattr(module, "__name__", ""):
            continue
        members = vars(thing).values() if inspect.isclass(thing) else (thing,)
        for member in members:
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if inspect.isfunction(function) and function.__code__.co_filename == getattr(module, "__file__", ""):
                yield function.__code__


def _functions(code: CodeType) -> Iterator[CodeType]:
    if code.co_flags & _IS_FUNCTION == _IS_FUNCTION:
        yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _functions(constant)
