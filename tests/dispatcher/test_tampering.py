"""A reader that was opened: named until the reader itself says that it is shut."""

from contract.messages import DeviceState
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.database import Database
from dispatcher.store.links import keep_reported
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import NOW_MS, incidents, new_database

KIND, SUBJECT = IncidentKind.READER_TAMPERED, "cab-a/entrance"


def entrance(*, online: bool = True, tampered: bool | None = None) -> DeviceState:
    return DeviceState(device="entrance", online=online, tampered=tampered)


OPENED, SHUT = entrance(tampered=True), entrance(tampered=False)


def told(*reports: tuple[DeviceState, ...]) -> list[tuple[str, str, bool]]:
    """The incidents after reports of one box, each with these devices."""
    database, box = new_database(), FakeBox()
    for devices in reports:
        report(database, box, devices)
    return incidents(database)


def report(database: Database, box: FakeBox, devices: tuple[DeviceState, ...]) -> None:
    database.write_now(lambda connection: keep_reported(connection, box.report(devices=devices), NOW_MS))


def test_a_reader_that_is_shut_or_does_not_say_is_no_incident() -> None:
    assert told((SHUT,), (entrance(),), (entrance(online=False),), ()) == []


def test_a_reader_that_was_opened_is_one_incident_until_it_is_shut() -> None:
    assert told((OPENED,), (OPENED,)) == [(KIND, SUBJECT, True)]
    assert told((OPENED,), (OPENED,), (SHUT,), (SHUT,)) == [(KIND, SUBJECT, False)]


def test_a_reader_that_was_torn_off_says_nothing_that_would_close_it() -> None:
    assert told((OPENED,), (entrance(online=False),)) == [(KIND, SUBJECT, True)]
    assert told((OPENED,), (entrance(online=False),), (SHUT,)) == [(KIND, SUBJECT, False)]


def test_a_reader_that_was_replaced_or_taken_out_of_service_is_not_awaited() -> None:
    assert told((OPENED,), (entrance(),)) == [(KIND, SUBJECT, False)]
    assert told((OPENED,), ()) == [(KIND, SUBJECT, False)]


def test_each_reader_is_a_subject_of_its_own() -> None:
    other = DeviceState(device="returns", online=True, tampered=True)
    assert told((OPENED, other), (SHUT, other)) == [(KIND, SUBJECT, False), (KIND, "cab-a/returns", True)]


def test_an_old_report_closes_nothing() -> None:
    database, box = new_database(), FakeBox()
    shut = box.report(devices=(SHUT,))
    report(database, box, (OPENED,))
    database.write_now(lambda connection: keep_reported(connection, shut, NOW_MS))
    assert incidents(database) == [(KIND, SUBJECT, True)]
