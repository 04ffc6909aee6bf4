"""`vss`: vehicles that tell their signals under the names of VSS 5.1, as JSON over MQTT."""

from functools import partial
from typing import Literal

from contract.facts import VehicleReading
from station_agent.drivers.declaration import Fault, Peer, VehicleDriver
from station_agent.drivers.tables import VehicleTable
from station_agent.drivers.talkers import TalkerAnnotator
from station_agent.drivers.vss import VssJson


class VssTable(VehicleTable):
    """A vehicle that speaks VSS."""

    driver: Literal["vss"]
    """What the vehicle speaks: JSON under the names of VSS 5.1, over MQTT."""


_WIRE = "tests/wire/test_vehicle_messages.py"
_TESTS = "tests/station_agent/drivers/test_vss.py"

DRIVER = VehicleDriver(
    name="vss",
    table=VssTable,
    messages=lambda _table: VssJson(),
    line="MQTT topic",
    annotator=partial(TalkerAnnotator, "vehicle"),
    readings=frozenset(VehicleReading.model_fields) - {"age_s"},
    peers=(Peer("mosquitto_pub", (f"{_WIRE}::test_vss_from_mosquitto_pub_is_the_vehicles_reading",)),),
    faults=(
        Fault(
            "stale beside fresh signals",
            "what was sampled 5 min before the youngest signal is left out: a reading has one age",
            (f"{_TESTS}::test_a_stale_signal_is_not_told_with_a_fresh_one",),
        ),
        Fault(
            "values out of range, of another type, UNDEFINED",
            "are not known, never 0",
            (
                f"{_TESTS}::test_what_cannot_be_is_not_known",
                f"{_TESTS}::test_a_flag_is_true_or_false_or_not_known",
                f"{_TESTS}::test_ignition_is_a_state_of_the_low_voltage_system",
            ),
        ),
        Fault(
            "a clock that is wrong",
            "the report has no time of its own; a vehicle slightly ahead spoke now",
            (
                f"{_TESTS}::test_a_time_not_worth_believing_is_no_time",
                f"{_TESTS}::test_a_vehicle_slightly_ahead_spoke_now",
            ),
        ),
        Fault(
            "a position while driving",
            "is dropped and counted in a metric that must read 0 (`position_with_ignition_on`)",
            (
                f"{_TESTS}::test_a_position_with_ignition_on_is_counted_and_carried_nowhere",
                f"{_WIRE}::test_what_is_no_report_from_mosquitto_pub_is_counted_by_fault",
            ),
        ),
        Fault(
            "messages that are no report: not JSON, too large, no name of VSS",
            "are counted by fault and read no further",
            (f"{_TESTS}::test_what_is_no_report_is_counted_by_fault", f"{_TESTS}::test_bytes_never_raise"),
        ),
    ),
)
