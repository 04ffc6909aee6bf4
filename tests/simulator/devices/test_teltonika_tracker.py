import pytest

from simulator.devices.teltonika_tracker import (
    BEFORE_FIRST_FIX_MS,
    CODEC_8,
    CODEC_8_EXTENDED,
    KEPT_MAX,
    RECORDS_PER_PACKET,
    RESEND_US,
    Moment,
    TeltonikaTracker,
    encode,
)
from tests.station_agent.drivers.teltonika.packets import E_MS, E

MOMENT = Moment(1_800_000_000_000, {239: 1, 66: 12_400}, position=(50.63, 3.06))


def said(tracker: TeltonikaTracker) -> bytes:
    assert tracker.wake_at_us is not None
    return tracker.elapsed(tracker.wake_at_us)


def noted(count: int = 1) -> TeltonikaTracker:
    tracker = TeltonikaTracker()
    for _ in range(count):
        tracker.note(0, MOMENT)
    return tracker


def test_a_packet_written_by_hand_is_what_it_sends() -> None:
    values: dict[int, int | bytes] = {239: 0, 240: 1, 66: 11922, 16: 6870, 389: 12346, 132: 1, 256: b"VIN"}
    assert encode(CODEC_8_EXTENDED, [Moment(E_MS, values, event=239)]) == E


def test_codec_8_has_no_room_for_wide_ids_and_free_lengths() -> None:
    wide = Moment(1, {239: 1, 411: 80, 256: b"VIN"}, event=411)
    assert encode(CODEC_8, [wide]) == encode(CODEC_8, [Moment(1, {239: 1})])


def test_it_sends_again_until_the_answer_fits() -> None:
    tracker = noted(2)
    packet = said(tracker)
    assert tracker.wake_at_us == RESEND_US
    tracker.receive(1, (1).to_bytes(4))
    assert (said(tracker), len(tracker.kept)) == (packet, 2)
    tracker.receive(2, (2).to_bytes(4)[:3])
    tracker.receive(2, (2).to_bytes(4)[3:])
    assert tracker.kept == ()
    assert tracker.elapsed(2 * RESEND_US) == b""


def test_a_record_made_while_a_packet_is_under_way_waits_for_the_next() -> None:
    tracker = noted()
    first = said(tracker)
    tracker.note(1, MOMENT)
    assert said(tracker) == first
    tracker.receive(2, (1).to_bytes(4))
    assert tracker.wake_at_us == 2
    assert len(tracker.kept) == 1


def test_no_packet_holds_more_records_than_the_limit() -> None:
    assert said(noted(3 * RECORDS_PER_PACKET)) == encode(CODEC_8, [MOMENT] * RECORDS_PER_PACKET)


def test_a_full_tracker_forgets_its_oldest_records() -> None:
    tracker = noted(KEPT_MAX)
    last = Moment(1, {})
    tracker.note(0, last)
    assert len(tracker.kept) == KEPT_MAX
    assert tracker.kept[-1] == last


def test_a_power_cut_loses_no_record() -> None:
    tracker = noted()
    packet = said(tracker)
    tracker.power_cycle(7)
    assert tracker.wake_at_us == 7
    assert said(tracker) == packet


def test_it_tells_its_number_first_and_again_after_a_power_cut() -> None:
    tracker = TeltonikaTracker(imei="356307042441013")
    tracker.note(0, MOMENT)
    assert said(tracker) == bytes.fromhex("000F333536333037303432343431303133")
    tracker.receive(1, b"\x00")
    assert said(tracker)[:2] == b"\x00\x0f"
    tracker.receive(2, b"\x01")
    assert said(tracker) == encode(CODEC_8, [MOMENT])
    tracker.power_cycle(3)
    assert said(tracker)[:2] == b"\x00\x0f"


def test_deafness_keeps_everything() -> None:
    tracker = noted()
    tracker.deaf = True
    said(tracker)
    tracker.receive(1, (1).to_bytes(4))
    assert tracker.kept == (MOMENT,)


@pytest.mark.parametrize(
    ("fault", "value", "packet"),
    [
        ("cut_to", 9, encode(CODEC_8, [MOMENT])[:9]),
        ("wrong_crc", True, encode(CODEC_8, [MOMENT])[:-1] + bytes((encode(CODEC_8, [MOMENT])[-1] ^ 0x55,))),
        ("zero_volts", True, encode(CODEC_8, [Moment(MOMENT.at_ms, {239: 1, 66: 0}, MOMENT.position)])),
        ("without_fix", True, encode(CODEC_8, [Moment(MOMENT.at_ms, MOMENT.values)])),
        ("before_first_fix", True, encode(CODEC_8, [Moment(BEFORE_FIRST_FIX_MS, MOMENT.values)])),
    ],
)
def test_each_fault_is_seen_on_the_wire(fault: str, value: object, packet: bytes) -> None:
    tracker = TeltonikaTracker()
    setattr(tracker, fault, value)
    tracker.note(0, MOMENT)
    assert said(tracker) == packet


def test_without_records_it_is_silent() -> None:
    assert TeltonikaTracker().elapsed(RESEND_US) == b""
