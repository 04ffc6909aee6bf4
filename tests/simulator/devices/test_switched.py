from simulator.devices.kerong_board import KerongBoard
from simulator.devices.rdm6300_reader import Rdm6300Device, frame_of
from simulator.devices.switched import Switched, SwitchedTalker
from simulator.devices.wire import Wire

STATUS = bytes.fromhex("02 00 30 03 35")
TAG = bytes.fromhex("01000734E0")


def test_what_is_off_hears_nothing_and_says_nothing_until_it_is_on_again() -> None:
    board = KerongBoard(0)
    switched = Switched(board)
    answer = switched.receive(0, STATUS)
    switched.is_on = False
    assert switched.receive(1, STATUS) == b""
    assert board.request_count == 1
    switched.is_on = True
    assert switched.receive(2, STATUS) == answer != b""


def test_a_device_behind_a_switch_is_as_late_as_without() -> None:
    board = KerongBoard(0)
    board.late_ms = 70
    arrivals = []
    for device in (board, Switched(Switched(board))):
        wire = Wire([device], baud_rate=19200, turnaround_us=4000)
        wire.sent(0, STATUS)
        while (at_us := wire.wake_at_us) is not None:
            if wire.elapsed(at_us):
                arrivals.append(at_us)
    assert arrivals[0] == arrivals[1] > 70_000


def test_a_talker_that_is_off_wants_nothing_and_speaks_again_when_on() -> None:
    device = Rdm6300Device()
    switched = SwitchedTalker(device)
    device.hold(0, TAG)
    wanted = []
    for is_on in (True, False, True):
        switched.is_on = is_on
        wanted.append(switched.wake_at_us)
    assert wanted == [0, None, 0]
    switched.is_on = False
    assert switched.elapsed(1_000_000) == b""
    switched.is_on = True
    assert switched.elapsed(1_000_000) == frame_of(TAG)
