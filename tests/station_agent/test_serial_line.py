import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from runtime.clocks import SystemLineClock
from station_agent.core.device_events import CabinetLost, CardRead, DeviceEvent
from station_agent.drivers.base import LineStatistics, Output
from station_agent.serial_line import RETRY_FIRST_S, RETRY_MAX_S, SerialLine
from tests.wire.ptys import RawPty, eventually

LOST = CabinetLost("gone")


def no_order() -> None:
    """The codec says what it is told to by the test, whatever is ordered."""


def card(number: int) -> CardRead:
    return CardRead("gate", 8, bytes((number,)))


class ScriptedCodec:
    """Notes what it is told; says what the test puts into `answers`."""

    def __init__(self) -> None:
        self.statistics = LineStatistics()
        self.wake_at_us: int | None = None
        self.calls: list[str] = []
        self.heard = b""
        self.answers: dict[str, list[Output]] = {}
        self.woken_us = 0

    def opened(self, now_us: int) -> Output:
        return self._answer("opened")

    def received(self, now_us: int, data: bytes) -> Output:
        self.heard += data
        return self._answer("received")

    def elapsed(self, now_us: int) -> Output:
        self.woken_us = now_us
        if self.wake_at_us is not None and now_us >= self.wake_at_us:
            self.wake_at_us = None
        return self._answer("elapsed")

    def closed(self, now_us: int) -> Output:
        self.wake_at_us = None
        self.calls.append("closed")
        return Output(events=(LOST,))

    def _answer(self, call: str) -> Output:
        self.calls.append(call)
        outputs = self.answers.get(call)
        return outputs.pop(0) if outputs else Output()


class Bench:
    """A codec on a line, and what the line told."""

    def __init__(self, url: str) -> None:
        self.codec = ScriptedCodec()
        self.told: list[DeviceEvent] = []
        self.on_event: Callable[[DeviceEvent], object] = self.told.append
        self.line = SerialLine(url, 9600, self.codec, SystemLineClock(), self._tell)
        self.task = asyncio.create_task(self.line.run())

    def _tell(self, event: DeviceEvent) -> None:
        self.on_event(event)

    async def stop(self) -> None:
        if self.task.cancel():
            with suppress(asyncio.CancelledError):
                await self.task


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Bench]:
    bench = Bench(url)
    try:
        yield bench
    finally:
        await bench.stop()


@pytest.fixture
def pty() -> RawPty:
    return RawPty()


@pytest.fixture
async def bench(pty: RawPty) -> AsyncIterator[Bench]:
    async with running(pty.path) as bench:
        await eventually(lambda: bench.line.is_open)
        yield bench
    pty.close()


async def test_what_the_codec_sends_reaches_the_port_and_what_comes_reaches_the_codec(
    bench: Bench, pty: RawPty
) -> None:
    bench.codec.answers["received"] = [Output(send=b"\x00\x11\x13\xff\n", events=(card(1),))]
    pty.write(b"\x03\x04\x0d\x0a\x11")
    await eventually(lambda: bench.told)
    assert pty.read() == b"\x00\x11\x13\xff\n"
    assert bench.codec.heard == b"\x03\x04\x0d\x0a\x11"
    assert bench.told == [card(1)]


async def test_codec_is_called_when_it_asked_to_be(bench: Bench) -> None:
    wanted_us = SystemLineClock().now_us() + 30_000
    bench.codec.wake_at_us = wanted_us
    bench.line.give(no_order)
    await eventually(lambda: bench.codec.calls.count("elapsed") == 2)
    assert 0 <= bench.codec.woken_us - wanted_us < 1_000_000


async def test_timer_that_is_no_longer_wanted_is_taken_down(bench: Bench) -> None:
    bench.codec.wake_at_us = SystemLineClock().now_us() + 5_000_000
    bench.line.give(no_order)
    assert bench.line._timer is not None
    bench.codec.wake_at_us = None
    bench.line.give(no_order)
    assert bench.line._timer is None


async def test_an_order_is_acted_on_before_the_line_returns(bench: Bench, pty: RawPty) -> None:
    bench.codec.answers["elapsed"] = [Output(send=b"now", events=(card(7),))]
    bench.line.give(lambda: bench.codec.calls.append("order"))
    assert bench.codec.calls[-2:] == ["order", "elapsed"]
    assert bench.told == [card(7)]
    assert pty.read() == b"now"


async def test_order_given_while_events_are_told_comes_after_them(bench: Bench, pty: RawPty) -> None:
    def order_on_the_first(event: DeviceEvent) -> None:
        bench.told.append(event)
        if event == card(1):
            bench.line.give(no_order)

    bench.on_event = order_on_the_first
    bench.codec.answers["received"] = [Output(events=(card(1), card(2)))]
    bench.codec.answers["elapsed"] = [Output(events=(card(3),))]
    pty.write(b"x")
    await eventually(lambda: len(bench.told) == 3)
    assert bench.told == [card(1), card(2), card(3)]


async def test_order_on_a_closed_line_is_answered_by_the_codec(tmp_path: Path) -> None:
    async with running(str(tmp_path / "absent")) as bench:
        bench.codec.answers["elapsed"] = [Output(send=b"lost", events=(card(9),))]
        bench.line.give(no_order)
        assert bench.told == [card(9)]


async def test_unplugged_line_is_lost_once_and_heals_when_the_device_is_back(tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    first = RawPty()
    link.symlink_to(first.path)
    async with running(str(link)) as bench:
        await eventually(lambda: bench.line.is_open)
        link.unlink()
        first.close()
        await eventually(lambda: bench.told == [LOST])
        assert not bench.line.is_open
        assert bench.line.last_error
        second = RawPty()
        link.symlink_to(second.path)
        await eventually(lambda: bench.line.is_open)
        second.write(b"again")
        await eventually(lambda: bench.codec.heard == b"again")
        assert bench.told == [LOST]
        assert bench.line.open_count == 2
        second.close()


async def test_absent_port_is_tried_again_soon_then_ever_more_rarely_up_to_10_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[float] = []
    real_sleep = asyncio.sleep

    async def noted(delay_s: float) -> None:
        delays.append(delay_s)
        await real_sleep(0)

    monkeypatch.setattr("station_agent.serial_line.asyncio.sleep", noted)
    async with running(str(tmp_path / "absent")) as bench:
        async with asyncio.timeout(10):
            while len(delays) < 12:
                await real_sleep(0)
        assert "No such file" in bench.line.last_error
        assert bench.codec.calls == []
    assert delays[:3] == [RETRY_FIRST_S, 2 * RETRY_FIRST_S, 4 * RETRY_FIRST_S]
    assert delays[-1] == RETRY_MAX_S


async def test_cancelled_line_leaves_the_port_and_tells_nothing(pty: RawPty) -> None:
    bench = Bench(pty.path)
    await eventually(lambda: bench.line.is_open)
    await bench.stop()
    async with running(pty.path) as next_one:  # the lock on the port is gone with it
        await eventually(lambda: next_one.line.is_open)
    assert bench.codec.calls[-1] == "closed"
    assert bench.told == []
    assert not bench.line.is_open
    pty.write(b"into the void")
    await asyncio.sleep(0)
    assert bench.codec.heard == b""
    pty.close()


async def test_port_in_use_is_not_shared(pty: RawPty) -> None:
    async with running(pty.path) as first:
        await eventually(lambda: first.line.is_open)
        async with running(pty.path) as second:
            await eventually(lambda: second.line.last_error)
            assert "lock" in second.line.last_error
    pty.close()


async def test_port_that_takes_no_more_bytes_is_a_lost_link(bench: Bench) -> None:
    bench.codec.answers["elapsed"] = [Output(send=bytes(1_000_000))]
    bench.line.give(no_order)
    await eventually(lambda: bench.told == [LOST])


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("the disk is full")])
async def test_error_of_who_listens_ends_the_run_and_is_no_lost_link(
    bench: Bench, pty: RawPty, error: Exception
) -> None:
    def fail(event: DeviceEvent) -> None:
        if event != LOST:
            raise error

    bench.on_event = fail
    bench.codec.answers["received"] = [Output(events=(card(1),))]
    pty.write(b"x")
    with pytest.raises(type(error), match=str(error)):
        await asyncio.wait_for(bench.task, 5)
    assert not bench.line.is_open


async def test_error_in_a_timer_ends_the_run(bench: Bench) -> None:
    def fail(event: DeviceEvent) -> None:
        if event != LOST:
            raise ValueError("a bug")

    bench.on_event = fail
    bench.codec.answers["elapsed"] = [Output(), Output(events=(card(1),))]
    bench.codec.wake_at_us = SystemLineClock().now_us() + 1_000
    bench.line.give(no_order)
    with pytest.raises(ValueError, match="a bug"):
        await asyncio.wait_for(bench.task, 5)


async def test_url_that_nobody_understands_stops_the_line() -> None:
    bench = Bench("carrier-pigeon://coop")
    with pytest.raises(ValueError, match="carrier-pigeon"):
        await asyncio.wait_for(bench.task, 5)
