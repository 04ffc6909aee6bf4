"""The signals of a reader, told apart by eye without colours and by ear without looking.

A signal is the LED's temporary state, after which the reader shows its own permanent one again, and a row of
beeps. Times are in tenths of a second, as on the wire.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from station_agent.core.device_events import ReaderSignal
from station_agent.drivers.osdp.messages import Command


class Colour(IntEnum):
    """The colours that the cheapest two-colour reader has."""

    BLACK = 0
    RED = 1
    GREEN = 2
    AMBER = 3


@dataclass(frozen=True, slots=True)
class Look:
    """One signal: a light of `shown_ds`, on and off in turns, and `beeps` with a pause between them."""

    colour: Colour
    on_ds: int
    off_ds: int  # 0: steady
    shown_ds: int
    beeps: int
    beep_ds: int
    pause_ds: int


LOOKS = {
    # steady green for as long as a hand needs to find the open slot; one long beep: done
    ReaderSignal.TAKEN: Look(Colour.GREEN, 10, 0, shown_ds=50, beeps=1, beep_ds=6, pause_ds=1),
    # even green blinking: yes, but look around; two beeps; longer, for the walk along the slots
    ReaderSignal.ANOTHER_SLOT: Look(Colour.GREEN, 5, 5, shown_ds=80, beeps=2, beep_ds=2, pause_ds=2),
    # a short amber flash each second and one tick: heard, working on it; the next signal replaces it
    ReaderSignal.WAIT: Look(Colour.AMBER, 2, 8, shown_ds=50, beeps=1, beep_ds=1, pause_ds=1),
    # amber flicker, three ticks, soon over: the badge may be shown again at once
    ReaderSignal.AGAIN: Look(Colour.AMBER, 1, 1, shown_ds=15, beeps=3, beep_ds=1, pause_ds=1),
    # long red, short dark, and two long beeps: no; the number to call stands beside the reader
    ReaderSignal.CALL: Look(Colour.RED, 8, 2, shown_ds=80, beeps=2, beep_ds=8, pause_ds=3),
    # long amber with a wink, for as long as an entry is waited for, and two ticks: key in your PIN
    ReaderSignal.PIN: Look(Colour.AMBER, 15, 3, shown_ds=200, beeps=2, beep_ds=1, pause_ds=1),
}

_LED = Struct("<BBBBBBBHBBBBB")
_BUZ = Struct("<BBBBB")
_READER = _LAMP = 0
_SET_TEMPORARY, _KEEP_PERMANENT = 2, 0
_DEFAULT_TONE = 2


def led_payload(look: Look) -> bytes:
    temporary = (_SET_TEMPORARY, look.on_ds, look.off_ds, look.colour, Colour.BLACK, look.shown_ds)
    return _LED.pack(_READER, _LAMP, *temporary, _KEEP_PERMANENT, 0, 0, 0, 0)


def buzzer_payload(look: Look) -> bytes:
    return _BUZ.pack(_READER, _DEFAULT_TONE, look.beep_ds, look.pause_ds, look.beeps)


COMMANDS = {
    signal: ((Command.LED, led_payload(look)), (Command.BUZ, buzzer_payload(look)))
    for signal, look in LOOKS.items()
}
