import pytest

from contract.facts import VehicleReading
from station_agent.drivers.teltonika.signals import Family, reading_of


def reading(family: Family, values: dict[int, object]) -> VehicleReading:
    return reading_of(family, values.get)


@pytest.mark.parametrize(
    ("family", "odometer_m", "energy_percent", "charging"),
    [(Family.FMB, 1_000, 70, True), (Family.FMB_CAN, 2_000, 60, None), (Family.FMB_OBD, 3_000, 70, True)],
)
def test_a_family_has_one_odometer_and_its_own_batteries(
    family: Family, odometer_m: int, energy_percent: int, charging: bool | None
) -> None:
    everything: dict[int, object] = {16: 1_000, 87: 2_000, 389: 3, 152: 60, 411: 70, 89: 50, 410: 1}
    it = reading(family, everything)
    assert (it.odometer_m, it.energy_percent, it.charging) == (odometer_m, energy_percent, charging)


def test_an_odometer_that_falls_silent_is_not_replaced_by_another() -> None:
    assert reading(Family.FMB_CAN, {16: 1_000, 87: 0}).odometer_m is None
    assert reading(Family.FMB_OBD, {16: 1_000}).odometer_m is None


@pytest.mark.parametrize("family", Family)
def test_zeros_of_what_cannot_be_zero_are_not_known(family: Family) -> None:
    it = reading(family, {16: 0, 87: 0, 389: 0, 66: 0})
    assert (it.odometer_m, it.low_voltage_mv) == (None, None)


@pytest.mark.parametrize("family", Family)
def test_nothing_said_is_nothing_known(family: Family) -> None:
    assert reading(family, {}) == VehicleReading(age_s=0)


def test_the_trackers_own_cell_is_not_the_cars_battery() -> None:
    assert reading(Family.FMB, {67: 3927}).low_voltage_mv is None


def test_values_out_of_range_are_not_known() -> None:
    it = reading(Family.FMB, {16: 2_000_000_001, 411: 101, 89: 40, 66: 60_001, 239: 2, 240: 255, 410: 7})
    assert it == VehicleReading(age_s=0, energy_percent=40)


@pytest.mark.parametrize(
    ("doors", "is_open"),
    [
        (0, False),
        (0x100, True),
        (0x2000, True),
        (0x3F00, True),
        (0x1, None),
        (0x4000, None),
        (-1, None),
        ("0", None),
    ],
)
def test_any_door_bonnet_or_boot_is_open_or_all_are_shut_or_it_is_not_known(
    doors: object, is_open: bool | None
) -> None:
    assert reading(Family.FMB_CAN, {90: doors}).doors_open is is_open


def test_a_tracker_in_the_obd_socket_knows_of_no_doors() -> None:
    assert reading(Family.FMB_OBD, {90: 0}).doors_open is None


def test_kilometres_beyond_any_car_are_not_known() -> None:
    assert reading(Family.FMB_OBD, {389: 2_000_000}).odometer_m == 2_000_000_000
    assert reading(Family.FMB_OBD, {389: 2_000_001}).odometer_m is None
