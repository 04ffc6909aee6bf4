from station_agent.drivers.modbus.frames import pulse_coil, read_coils, read_inputs
from station_agent.drivers.owed import OwedAnswers

READ = read_inputs(1, 0, 8)


def test_answer_is_owed_for_its_time_and_no_longer() -> None:
    owed = OwedAnswers(owed_for_us=2_000_000)
    assert owed.until_us(READ) == 0
    owed.add(500, READ)
    assert owed.until_us(READ) == 2_000_500


def test_refusals_do_not_say_which_channel_so_all_releases_on_a_unit_look_alike() -> None:
    owed = OwedAnswers(owed_for_us=2_000_000)
    owed.add(0, pulse_coil(1, 3, 700))
    assert owed.until_us(pulse_coil(1, 4, 700))
    assert not owed.until_us(pulse_coil(2, 3, 700))


def test_other_functions_and_other_units_cannot_be_mistaken() -> None:
    owed = OwedAnswers(owed_for_us=2_000_000)
    owed.add(0, READ)
    assert not owed.until_us(read_coils(1, 0, 1))
    assert not owed.until_us(read_inputs(2, 0, 8))


def test_answer_that_is_owed_until_it_is_settled_is_owed_for_any_time() -> None:
    owed = OwedAnswers(owed_for_us=2_000_000)
    owed.add(0, READ, until_settled=True)
    assert not owed.is_settled(10**15)
    owed.settle(1)
    assert owed.is_settled(0)


def test_fresh_answer_settles_what_its_unit_owed() -> None:
    owed = OwedAnswers(owed_for_us=2_000_000)
    owed.add(0, READ)
    owed.add(0, read_inputs(2, 0, 8))
    owed.settle(1)
    assert not owed.until_us(READ)
    assert owed.until_us(read_inputs(2, 0, 8))
