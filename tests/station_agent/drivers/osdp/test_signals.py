from station_agent.core.device_events import ReaderSignal
from station_agent.drivers.osdp.signals import COMMANDS, LOOKS


def test_each_signal_has_a_look() -> None:
    assert set(LOOKS) == set(COMMANDS) == set(ReaderSignal)


def test_no_two_signals_look_the_same_to_whoever_sees_no_colours_or_sound_the_same() -> None:
    rhythms = {(look.on_ds, look.off_ds) for look in LOOKS.values()}
    sounds = {(look.beeps, look.beep_ds) for look in LOOKS.values()}
    assert len(rhythms) == len(sounds) == len(ReaderSignal)


def test_a_sound_is_over_before_its_light() -> None:
    for look in LOOKS.values():
        assert look.beeps * (look.beep_ds + look.pause_ds) <= look.shown_ds


def test_payloads_have_the_lengths_of_the_standard() -> None:
    for (_, led), (_, buzzer) in COMMANDS.values():
        assert (len(led), len(buzzer)) == (14, 5)
