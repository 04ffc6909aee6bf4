from runtime.clocks import SystemLineClock
from simulator.page.rows import KEPT, Lane, Ring, Row, SerialLane, Way
from station_agent.drivers.modbus.annotate import ModbusAnnotator

ASKS = bytes.fromhex("01 02 00 00 00 08 79 CC")
SAYS = bytes.fromhex("01 02 01 00 A1 88")


def test_who_comes_late_is_told_what_is_kept_and_then_each_thing_once() -> None:
    ring: Ring[int] = Ring()
    for number in range(KEPT + 10):
        ring.put(number)
    kept, first = ring.since(0)
    assert (kept[0], kept[-1], len(kept)) == (10, KEPT + 9, KEPT)
    assert ring.since(first) == ([], first)
    ring.put(7)
    assert ring.since(first) == ([7], first + 1)


async def test_two_who_look_are_told_the_same() -> None:
    lane = Lane()
    one, other = lane.follow(), lane.follow()
    row = Row("cabinet", 1, Way.NEITHER, "a door")
    lane.put(row)
    assert await one() == await other() == [row]
    assert await one() == []


async def test_frames_are_told_both_ways_and_polls_that_bring_nothing_are_marked() -> None:
    clock = SystemLineClock()
    lane = SerialLane("locks", ModbusAnnotator, clock)
    lane.note(clock.now_us(), ASKS, sent=True)
    follow = lane.follow()
    assert await follow() == [], "nobody looked when it passed"
    for _ in range(4):
        lane.note(clock.now_us(), ASKS, sent=True)
        lane.note(clock.now_us(), SAYS, sent=False)
    rows = await follow()
    assert [(row.lane, row.way, row.more) for row in rows[:2]] == [
        ("locks", Way.SENT, "01 02 00 00 00 08 79 CC"),
        ("locks", Way.RECEIVED, "01 02 01 00 A1 88"),
    ]
    assert [row.is_repeat for row in rows] == [False] * 4 + [True] * 4
