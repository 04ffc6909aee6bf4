"""`teltonika`: trackers that send Codec JSON over MQTT, or Codec 8 and 8 Extended on a line of their own."""

from functools import partial
from typing import Literal, Self

from pydantic import model_validator

from station_agent.drivers.declaration import Fault, Peer, VehicleDriver
from station_agent.drivers.tables import BaudRate, DeviceUrl, LinePlace, VehicleTable
from station_agent.drivers.talkers import TalkerAnnotator
from station_agent.drivers.teltonika.codec_json import TeltonikaJson
from station_agent.drivers.teltonika.receiver import TeltonikaReceiver
from station_agent.drivers.teltonika.signals import Family


class TeltonikaTable(VehicleTable):
    """A vehicle with a Teltonika tracker."""

    driver: Literal["teltonika"] = "teltonika"
    """What the tracker speaks: Teltonika's own forms."""
    model: Family = Family.FMB
    """Family of the tracker: the same AVL id means another thing in another family."""
    device: DeviceUrl | None = None
    """A line on which the tracker sends Codec 8 or 8 Extended packets, such as `socket://`; MQTT where absent."""
    baud_rate: BaudRate = 115200
    """Of that line."""

    @property
    def line(self) -> LinePlace | None:
        return None if self.device is None else LinePlace(self.device, self.baud_rate)

    @model_validator(mode="after")
    def _a_line_or_a_topic(self) -> Self:
        if self.device is not None and self.tracker is not None:
            raise ValueError("device and tracker: expected one of them, a line or a topic")
        return self


_JSON = "tests/station_agent/drivers/teltonika/test_codec_json.py"
_FRAMES = "tests/station_agent/drivers/teltonika/test_frames.py"
_RECEIVER = "tests/station_agent/drivers/teltonika/test_receiver.py"
_SIGNALS = "tests/station_agent/drivers/teltonika/test_signals.py"
_MESSAGES = "tests/wire/test_vehicle_messages.py"
_WIRE = "tests/wire/test_talkers.py"

DRIVER = VehicleDriver(
    name="teltonika",
    table=TeltonikaTable,
    messages=lambda table: TeltonikaJson(table.model),
    codec=lambda table: TeltonikaReceiver(table.id, table.model),
    line="MQTT topic; or pyserial URL",
    annotator=partial(TalkerAnnotator, "tracker"),
    readings=frozenset(
        {"odometer_m", "energy_percent", "charging", "ignition", "moving", "low_voltage_mv", "doors_open"}
    ),
    peers=(
        Peer(
            "mosquitto_pub",
            (f"{_MESSAGES}::test_codec_json_from_mosquitto_pub_is_the_reading_of_its_vehicle",),
        ),
        Peer(
            "the maker's packet and a recorded one",
            (
                f"{_FRAMES}::test_the_makers_packet_is_read",
                f"{_FRAMES}::test_a_recorded_packet_is_read",
                f"{_RECEIVER}::test_the_makers_packet_is_told_and_acknowledged_in_one_output",
            ),
        ),
    ),
    faults=(
        Fault(
            "no fix: latlng 0,0; no satellite",
            "is no position; one with the engine off is held in memory for a while, and is in no text",
            (
                f"{_RECEIVER}::test_zero_volts_and_no_fix_are_not_known",
                f"{_FRAMES}::test_a_position_is_in_no_text_of_what_was_read",
                f"{_JSON}::test_a_position_is_told_where_the_engine_is_known_to_be_off",
                f"{_RECEIVER}::test_a_last_position_without_a_satellite_is_not_told",
            ),
        ),
        Fault(
            "a clock from before the first fix (2004)",
            "the report has no time of its own: it counts as spoken now",
            (
                f"{_JSON}::test_a_time_not_worth_believing_is_no_time",
                f"{_RECEIVER}::test_a_tracker_before_its_first_fix_has_no_time",
            ),
        ),
        Fault(
            "0 where nothing is known: 12 V battery, odometer; absent ids",
            "are left out of the reading",
            (
                f"{_JSON}::test_zero_volts_and_absent_signals_are_not_known",
                f"{_SIGNALS}::test_zeros_of_what_cannot_be_zero_are_not_known",
            ),
        ),
        Fault(
            "the same id means another thing in another family",
            "each family has its own table; one odometer is never replaced by another",
            (
                f"{_SIGNALS}::test_a_family_has_one_odometer_and_its_own_batteries",
                f"{_SIGNALS}::test_an_odometer_that_falls_silent_is_not_replaced_by_another",
                f"{_SIGNALS}::test_the_trackers_own_cell_is_not_the_cars_battery",
            ),
        ),
        Fault(
            "a position while driving",
            "is dropped and counted in a metric that must read 0 (`position_with_ignition_on`)",
            (
                f"{_JSON}::test_a_position_while_driving_is_counted_and_carried_nowhere",
                f"{_RECEIVER}::test_a_position_with_ignition_on_is_counted_and_carried_nowhere",
            ),
        ),
        Fault(
            "an answer that the tracker does not hear: it sends again",
            "a record is acknowledged each time and told once",
            (
                f"{_RECEIVER}::test_a_tracker_that_hears_no_answer_sends_again_and_is_told_once",
                f"{_RECEIVER}::test_a_record_sent_again_in_another_packet_is_not_told",
            ),
        ),
        Fault(
            "spoilt, cut and noisy packets",
            "are not acknowledged and come whole later; the next one is found after a pause of 2 s at the latest",
            (
                f"{_RECEIVER}::test_a_spoilt_packet_is_not_acknowledged_and_comes_whole_later",
                f"{_RECEIVER}::test_on_a_line_with_noise_and_loss_everything_is_told_once_in_the_end",
                f"{_FRAMES}::test_a_cut_packet_hides_the_next_one_no_longer_than_until_silence",
            ),
        ),
        Fault(
            "messages that are no report: not JSON, too large, another form",
            "are counted by fault and read no further",
            (f"{_JSON}::test_what_is_no_report_is_counted_by_fault", f"{_JSON}::test_bytes_never_raise"),
        ),
        Fault(
            "cable pulled",
            "what was half received is forgotten; the others go on, and silence shows in the reading's age",
            (
                f"{_RECEIVER}::test_half_a_packet_from_before_is_forgotten_when_the_line_opens_again",
                f"{_RECEIVER}::test_records_are_remembered_while_the_line_is_gone",
                f"{_WIRE}::test_the_cable_of_a_talker_is_pulled_and_comes_back_without_touching_the_others",
            ),
        ),
    ),
)
