"""Bytes as a script of what happens on a line: the form in which a fuzzer can search through histories.

operation, its arguments ... operation, its arguments ...        whatever the bytes are, they are a script
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from fuzz.line import Bench, Delivery, Subject

OPERATIONS_MAX: Final = 40  # of one script: 20 s of the line at most, some milliseconds of ours
WAIT_UNIT_US: Final = 2_000
FAULTS: Final = 8  # of any device; more numbers repeat them
LATE_UNIT_US: Final = 8_000  # up to 2 s: what a codec may still be owed


class Script:
    """Reads a script. Where the bytes end, every further one is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_over(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def bytes(self) -> bytes:
        """A length in one byte, and so many bytes."""
        size = self.byte()
        self._at += size
        return self._data[self._at - size : self._at]


def play(subject: Subject, data: bytes) -> Bench:
    """Do what the script says, then look whether the codec has come to harm. Raises AssertionError, or its own."""
    bench = Bench(subject)
    bench.open()
    script = Script(data)
    for _ in range(OPERATIONS_MAX):
        if script.is_over:
            break
        OPERATIONS[script.byte() % len(OPERATIONS)](bench, script)
    bench.recover()
    return bench


def _wait(bench: Bench, script: Script) -> None:
    bench.run(script.byte() * WAIT_UNIT_US)


def _noise(bench: Bench, script: Script) -> None:
    bench.inject(script.bytes())


def _framed(bench: Bench, script: Script) -> None:
    bench.inject(bench.subject.frame(script.bytes()))


def _misbehave(bench: Bench, script: Script) -> None:
    bench.subject.misbehave(script.bytes())


def _spoil(bench: Bench, script: Script) -> None:
    bench.mishaps.append(partial(spoilt, script.byte(), script.byte()))


def _cut(bench: Bench, script: Script) -> None:
    bench.mishaps.append(partial(cut, script.byte()))


def _late(bench: Bench, script: Script) -> None:
    bench.mishaps.append(partial(late, script.byte() * LATE_UNIT_US))


def _twice(bench: Bench, script: Script) -> None:
    bench.mishaps.append(partial(twice, script.byte() * LATE_UNIT_US))


def _deaf(bench: Bench, _script: Script) -> None:
    bench.deaf += 1


def _order(bench: Bench, script: Script) -> None:
    bench.order(script.byte())


def _show(bench: Bench, script: Script) -> None:
    bench.subject.show(bench.now_us, script.byte())


def _fault(bench: Bench, script: Script) -> None:
    bench.subject.fault(bench.now_us, script.byte())


def _mend(bench: Bench, _script: Script) -> None:
    bench.subject.mend()


def _blink(bench: Bench, script: Script) -> None:
    bench.close()
    bench.run(script.byte() * WAIT_UNIT_US)
    bench.open()


OPERATIONS: Final[tuple[Callable[[Bench, Script], None], ...]] = (
    _wait, _noise, _framed, _misbehave, _spoil, _cut, _late, _twice, _deaf, _order, _show, _blink,
    _fault, _mend,
)  # fmt: skip


# ---- what a line does to what a device says


def spoilt(at: int, mask: int, data: bytes) -> Delivery:
    at %= len(data)
    return [(0, data[:at] + bytes((data[at] ^ mask,)) + data[at + 1 :])]


def cut(size: int, data: bytes) -> Delivery:
    return [(0, data[: size % (len(data) + 1)])]


def late(by_us: int, data: bytes) -> Delivery:
    return [(by_us, data)]


def twice(by_us: int, data: bytes) -> Delivery:
    return [(0, data), (by_us, data)]


def seeds(subject: Subject) -> list[bytes]:
    """Scripts that show the fuzzer each operation, beginning with a line on which all is well."""
    code = {operation: number for number, operation in enumerate(OPERATIONS)}
    online, after = bytes((code[_wait], 255)), bytes((code[_wait], 50))
    faults = [bytes((code[_fault], number, code[_order], 1)) for number in range(FAULTS)]
    frames = [bytes((code[_framed], len(body))) + body for body in subject.bodies]
    strange = [bytes((code[_misbehave], len(body))) + body for body in subject.bodies]
    deeds = (
        bytes((code[_noise], 4, 0x53, 0x02, 0x00, 0xFF)),
        2 * (bytes((code[_noise], 200)) + bytes(range(200))),
        bytes((code[_spoil], 3, 0x10)),
        bytes((code[_cut], 4)),
        bytes((code[_late], 40)),
        bytes((code[_twice], 2)),
        bytes((code[_deaf],)),
        bytes((code[_order], 1)),
        bytes((code[_show], 7)),
        bytes((code[_blink], 20)),
        bytes((code[_mend],)),
    )
    alone = [online + deed + after for deed in (*deeds, *faults, *frames, *strange)]
    return [online, *alone, online + after.join((*deeds[2:], *frames)), *frames]
