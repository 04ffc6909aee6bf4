from dataclasses import replace
from pathlib import Path

import pytest

from simulator.devices.osdp_values import Light
from simulator.page.picture import MEANS, signal_of
from station_agent.core.device_events import ReaderSignal
from station_agent.drivers.osdp.signals import COMMANDS, LOOKS, Colour
from tests.simulator.page.desk import desk


@pytest.mark.parametrize("signal", ReaderSignal)
def test_each_signal_is_known_by_its_light_while_it_lasts(signal: ReaderSignal) -> None:
    look = LOOKS[signal]
    light = Light(look.colour, Colour.BLACK, look.on_ds, look.off_ds, until_us=1)
    assert signal_of(light) is signal
    assert signal_of(replace(light, until_us=None)) is None, "a permanent light is the reader at rest"


async def test_a_reader_shows_a_member_what_its_panel_told_it_last(tmp_path: Path) -> None:
    with desk(tmp_path) as stage:
        reader = stage.bench.readers["entrance"]
        now_us = stage.bench.line_clock.now_us()
        assert stage.picture().readers[0].means == "at rest"
        for signal, commands in COMMANDS.items():
            for code, payload in commands:
                reader._execute(now_us, code, payload)
            seen = stage.picture().readers[0]
            assert (seen.signal, seen.means) == (signal, MEANS[signal])
            assert (seen.colour, seen.beeps) == (LOOKS[signal].colour.name.lower(), LOOKS[signal].beeps)
        assert seen.buzzes == len(COMMANDS)
