"""Cars that are left otherwise than they should be: each is named, and where none is, nothing is."""

from collections import Counter

import pytest

from simulator.hunt.checks.promises import broken_promises
from simulator.hunt.faults.parking import PARKING
from simulator.hunt.scenario import Options, Run, live
from simulator.verdict.evidence import read_evidence
from station_agent.core import vehicles

pytestmark = pytest.mark.long  # eight hours of six stations each
SEED = 1
SLIPS = tuple(fault.name for fault in PARKING)
ABOUT_VEHICLES = {
    "return_doubtful",
    "vehicle_doors_open",
    "vehicle_not_plugged_in",
    "vehicle_low_voltage",
    "car_outside_bay",
}


def lived(slips: tuple[str, ...]) -> Run:
    return live(SEED, Options(hours=8, stations=6, faults=slips, drawn=False))


def opened(run: Run) -> Counter[str]:
    incidents = run.world.database.read_now(read_evidence).incidents
    return Counter(incident.kind for incident in incidents if incident.kind in ABOUT_VEHICLES)


def test_a_day_on_which_everybody_parks_as_they_should_opens_no_incident_about_a_vehicle() -> None:
    run = lived(())
    assert broken_promises(run) == []
    assert opened(run) == Counter()


def test_slips_open_their_incidents_and_the_judge_explains_each() -> None:
    run = lived(SLIPS)
    assert broken_promises(run) == []
    assert set(opened(run)) == ABOUT_VEHICLES


def test_slips_shift_nobody_elses_draws() -> None:
    plain, slipped = lived(()), lived(SLIPS)
    plans = [
        sorted(booking.start_ms for booking in run.world.database.read_now(read_evidence).bookings)
        for run in (plain, slipped)
    ]
    assert plans[0] == plans[1]


def test_a_box_that_notices_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vehicles, "shows", lambda _sign, _scene: None)
    found = {one.what.split(": ", 1)[1].split(" since ")[0] for one in broken_promises(lived(SLIPS))}
    assert found >= {"moved_after_return", "doors_open_at_return", "unplugged_at_return"}


def test_a_box_that_takes_every_drive_for_a_doubtful_return_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vehicles.Vehicles, "_home_ms", lambda _self, _vehicle, _at_ms: vehicles.LONG_AGO_MS)
    found = [one.what for one in broken_promises(lived(()))]
    assert any("moved_after_return" in what and "which nothing showed" in what for what in found)
