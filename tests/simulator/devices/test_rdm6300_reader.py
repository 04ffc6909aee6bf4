import pytest

from simulator.devices.rdm6300_reader import REPEAT_US, Rdm6300Device, frame_of

TAG = bytes.fromhex("01000734E0")
OTHER = bytes.fromhex("01005A117C")


def frames(device: Rdm6300Device, count: int) -> list[bytes]:
    """What it says at its next instants."""
    said = []
    for _ in range(count):
        assert device.wake_at_us is not None
        said.append(device.elapsed(device.wake_at_us))
    return said


def test_the_published_frame_is_sent() -> None:
    assert frame_of(TAG) == bytes.fromhex("02 30 31 30 30 30 37 33 34 45 30 44 32 03")


def test_a_held_tag_repeats_and_a_removed_one_ends_without_a_word() -> None:
    device = Rdm6300Device()
    device.hold(1_000, TAG)
    assert frames(device, 3) == [frame_of(TAG)] * 3
    assert device.wake_at_us == 1_000 + 3 * REPEAT_US
    assert device.elapsed(device.wake_at_us - 1) == b"", "not before its time"
    device.remove(TAG)
    assert device.elapsed(10 * REPEAT_US) == b""
    assert Rdm6300Device().wake_at_us is device.wake_at_us, "nothing is to come"


def test_two_tags_take_turns() -> None:
    device = Rdm6300Device()
    device.hold(0, TAG)
    device.hold(0, OTHER)
    assert frames(device, 4) == [frame_of(OTHER), frame_of(TAG)] * 2
    assert device.tags == {TAG, OTHER}


def test_a_tag_taken_away_and_shown_at_once_does_not_speed_it_up() -> None:
    device = Rdm6300Device()
    device.hold(0, TAG)
    device.elapsed(0)
    device.remove(TAG)
    device.hold(10, TAG)
    assert device.wake_at_us == REPEAT_US


@pytest.mark.parametrize(
    ("fault", "value", "said"),
    [
        ("noise", b"\x00\x7f", b"\x00\x7f" + frame_of(TAG)),
        ("cut_to", 5, frame_of(TAG)[:5]),
        ("bad_checksum", True, b"\x0201000734E0D3\x03"),
    ],
)
def test_a_fault_spoils_each_frame_until_it_is_switched_off(fault: str, value: object, said: bytes) -> None:
    device = Rdm6300Device()
    device.hold(0, TAG)
    setattr(device, fault, value)
    assert frames(device, 2) == [said] * 2
    setattr(device, fault, getattr(Rdm6300Device(), fault))
    assert frames(device, 1) == [frame_of(TAG)]


def test_it_hears_nothing() -> None:
    assert Rdm6300Device().receive(0, b"hello") == b""
