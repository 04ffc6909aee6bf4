"""The bench names each kind of harm: codecs that are broken on purpose, and what it says of them."""

from collections.abc import Callable

import pytest

from fuzz.documents import codec_json
from fuzz.held import Held
from fuzz.line import SECOND_US, Bench
from fuzz.script import OPERATIONS, play, seeds
from fuzz.subjects import SUBJECTS, ModbusSubject, OsdpSubject, Rdm6300Subject
from station_agent.core.device_events import CardRead
from station_agent.drivers.base import Output
from station_agent.drivers.rdm6300 import Rdm6300Reader
from station_agent.drivers.teltonika.codec_json import TeltonikaJson

WAIT, NOISE, FRAMED = range(3)
NOISE_OF_64 = bytes((NOISE, 64)) + bytes(64)


class Hoarder(Rdm6300Reader):
    """Keeps all that ever came."""

    def __init__(self, reader: str) -> None:
        super().__init__(reader)
        self.heap: list[bytes] = []

    def received(self, now_us: int, data: bytes) -> Output:
        self.heap.append(data)
        return super().received(now_us, data)


class Raiser(Rdm6300Reader):
    """Cannot bear a zero."""

    def received(self, now_us: int, data: bytes) -> Output:
        return super().received(now_us, bytes(1 // byte and byte for byte in data))


class Stumbler(Rdm6300Reader):
    """Once out of step, for ever out of step."""

    def received(self, now_us: int, data: bytes) -> Output:
        output = super().received(now_us, data)
        return Output() if self.statistics.garbled else output


class Spinner(Rdm6300Reader):
    """Wants to be called at once, again and again."""

    @property
    def wake_at_us(self) -> int | None:
        return 0 if self.statistics.garbled else None


class Liar(Rdm6300Reader):
    """Tells a card as no such reader can."""

    def received(self, now_us: int, data: bytes) -> Output:
        return Output(events=(CardRead("tags", 26, b"\x00\x00\x00\x00"),))


def played(codec: Callable[[str], Rdm6300Reader], script: bytes) -> None:
    subject = Rdm6300Subject()
    subject.codec = codec("tags")
    play(subject, script)


@pytest.mark.parametrize(
    ("codec", "names"),
    [
        (Hoarder, "it holds .* bytes of what came"),
        (Stumbler, "it does not tell what happens"),
        (Spinner, "time does not go on"),
        (Liar, "a tag of 26 bits"),
    ],
)
def test_a_codec_that_does_harm_is_named(codec: Callable[[str], Rdm6300Reader], names: str) -> None:
    with pytest.raises(AssertionError, match=names):
        played(codec, NOISE_OF_64 * 30)
    played(Rdm6300Reader, NOISE_OF_64 * 30)


def test_what_a_codec_raises_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        played(Raiser, NOISE_OF_64)


def test_a_card_that_nobody_showed_is_named_and_one_in_the_session_is_not() -> None:
    bench = Bench(OsdpSubject())
    bench.open()
    bench.run(2 * SECOND_US)
    with pytest.raises(AssertionError, match="nobody showed"):
        bench.subject.check(CardRead("reader", 32, b"\x00\x00\x00\x07"))
    bench.subject.show(bench.now_us, 7)
    bench.run(SECOND_US)
    assert bench.subject.has_told(bench.events, 7)


def test_a_click_without_an_order_is_named() -> None:
    bench = Bench(ModbusSubject())
    bench.open()
    bench.codec.release(1)  # type: ignore[attr-defined]  # past the bench, which counts the orders
    with pytest.raises(AssertionError, match="nobody had ordered"):
        bench.run(3 * SECOND_US)


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_seed_does_no_harm_and_brings_its_device_on(name: str) -> None:
    for seed in seeds(SUBJECTS[name]()):
        assert play(SUBJECTS[name](), seed).events


def test_the_seeds_show_each_operation() -> None:
    used: set[int] = set()
    for seed in seeds(Rdm6300Subject()):
        used |= set(seed)
    assert used >= set(range(len(OPERATIONS)))


def test_a_script_that_ends_in_the_middle_is_one() -> None:
    for operation in range(len(OPERATIONS)):
        for more in (b"", b"\xff"):
            play(Rdm6300Subject(), bytes((operation,)) + more)


def test_what_is_held_is_counted_beyond_what_was_there_at_first() -> None:
    heap: dict[str, list[bytes]] = {"name": [b"at first"]}
    held = Held(heap)
    assert held.beyond == 0
    heap["name"].append(bytes(1000))
    assert held.beyond == 1000
    heap["name"].clear()
    assert held.beyond < 0


def test_a_message_that_is_kept_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    read = TeltonikaJson.read

    def keeps(self: TeltonikaJson, now_ms: int, payload: bytes) -> object:
        kept.append(payload)
        self.faults = {**self.faults, len(kept): 1}  # type: ignore[dict-item]  # a stowaway
        return read(self, now_ms, payload)

    monkeypatch.setattr(TeltonikaJson, "read", keeps)
    with pytest.raises(AssertionError, match="kept"):
        codec_json(b"\x00{}")
