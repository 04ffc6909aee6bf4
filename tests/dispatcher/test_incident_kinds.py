"""Every kind of incident, made and mended: opened once however often it is seen, and closed once."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from contract.facts import (
    AccessRefused,
    AgentStarted,
    CabinetInput,
    CabinetInputChanged,
    ClockTrustChanged,
    DeviceBack,
    DeviceLost,
    DoorClosed,
    DoorOpened,
    EpochStarted,
    FactsNotDurable,
    Identity,
    InventoryDue,
    KeyReturned,
    KeyTaken,
    PinGuessing,
    Purpose,
    ReleaseFailed,
    VehicleNoticed,
    VehicleReading,
    VehicleSign,
)
from contract.messages import DeviceState, SlotState
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import KINDS, Found, IncidentKind, runbook
from dispatcher.core.reconcile import CLOCK_PATIENCE_S, DESIRED_PATIENCE_S, FACTS_PATIENCE_S
from dispatcher.core.rules import FleetRules
from dispatcher.store.incident_desk import close
from dispatcher.store.incident_history import history_of
from dispatcher.store.incidents import all_incidents
from dispatcher.store.schema import (
    blocks,
    bookings,
    cabinets,
    desired_states,
    key_states,
    members,
    stations,
    vehicle_readings,
)
from dispatcher.store.unfounded import settle_rows, without_origin
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.scene import UNDER_1, Scene
from tests.dispatcher.small_fleet import CABINET, HOUR, MINUTE, NOW_MS, OTHER_CABINET, RULES, book

K = IncidentKind
DAY_S = 24 * 3600
RUNBOOKS = Path(__file__).parents[2] / "docs"
HEADINGS = (
    "What it means",
    "What people see",
    "What the system did",
    "Check first",
    "What to do",
    "When it closes",
    "When to escalate",
)

NAMED: Mapping[str, tuple[IncidentKind, ...]] = {
    "key out without a right": (K.KEY_OUT_WITHOUT_RIGHT, K.UNIDENTIFIED_KEY_OUT),
    "slot opened without a journalled decision": (K.SLOT_OPENED_WITHOUT_DECISION,),
    "slot opened, nothing taken": (K.SLOT_OPENED_NOTHING_TAKEN,),
    "wrong key taken": (K.WRONG_KEY_TAKEN,),
    "booking active but key still in the slot": (K.BOOKING_ACTIVE_KEY_IN_SLOT,),
    "key overdue": (K.KEY_OVERDUE,),
    "key in the wrong slot": (K.KEY_IN_WRONG_SLOT,),
    "key at the wrong station": (K.KEY_AT_WRONG_STATION,),
    "key missing from inventory": (K.KEY_MISSING, K.INVENTORY_DUE),
    "key probably in the car": (K.KEY_PROBABLY_IN_CAR,),
    "return doubtful": (K.RETURN_DOUBTFUL,),
    "cabinet nearly full": (K.CABINET_NEARLY_FULL,),
    "cabinet forced, tampered, door left open": (K.CABINET_OVERRIDE, K.CABINET_TAMPERED, K.DOOR_LEFT_OPEN),
    "reader replaced or tampered": (K.READER_REPLACED, K.READER_TAMPERED),
    "mains lost, battery running down": (K.MAINS_LOST, K.BATTERY_LOW),
    "odometer changed without a rental": (K.ODOMETER_WITHOUT_RENTAL,),
    "energy below what the next booking needs": (K.VEHICLE_NOT_READY,),
    "EV not plugged in after return": (K.VEHICLE_NOT_PLUGGED_IN,),
    "car outside its bay at return": (K.CAR_OUTSIDE_BAY,),
    "vehicle silent": (K.VEHICLE_SILENT,),
    "cabinet silent, a storm is one incident": (K.CABINET_SILENT, K.CABINETS_SILENT_STORM),
    "cabinet clock not trusted": (K.CABINET_CLOCK_NOT_TRUSTED,),
    "desired on the box older than ours": (K.DESIRED_NOT_TAKEN,),
    "facts missing in a cabinet's sequence": (K.FACTS_MISSING,),
    "facts that contradict each other": (K.FACTS_CONFLICT,),
    "service order overdue": (K.SERVICE_ORDER_OVERDUE,),
}
"""What the reconciler must name, and under which kinds it does."""

Case = Callable[[Scene], Iterator[None]]
CASES: dict[IncidentKind, Case] = {}
"""By kind: makes the discrepancy, and after its `yield` mends it."""


def case(*kinds: IncidentKind) -> Callable[[Case], Case]:
    def add(made: Case) -> Case:
        for kind in kinds:
            assert kind not in CASES, f"{kind} has a case"
            CASES[kind] = made
        return made

    return add


def taken(scene: Scene, slot: int = 1, key: str | None = "key-1", **fields: Any) -> None:
    scene.tell(KeyTaken, slot=slot, identity=Identity.READ if key else Identity.UNKNOWN, key=key, **fields)


def returned(scene: Scene, slot: int = 1, key: str | None = "key-1", **fields: Any) -> None:
    scene.tell(KeyReturned, slot=slot, identity=Identity.READ if key else Identity.UNKNOWN, key=key, **fields)


def hanging(*present: bool, key: str | None = None) -> list[SlotState]:
    """All slots shut; the first holds `key`."""
    slots = [SlotState(slot=number, key_present=held, door_open=False) for number, held in enumerate(present, 1)]
    if key is not None:
        slots[0] = slots[0].model_copy(update={"key": key, "identity": "read"})
    return slots


# --- keys


@case(K.KEY_OUT_WITHOUT_RIGHT)
def _(scene: Scene) -> Iterator[None]:
    taken(scene)
    yield
    returned(scene)


@case(K.UNIDENTIFIED_KEY_OUT)
def _(scene: Scene) -> Iterator[None]:
    taken(scene, 3, None)
    yield
    returned(scene, 3, None)


@case(K.WRONG_KEY_TAKEN)
def _(scene: Scene) -> Iterator[None]:
    book(scene.database)
    book(scene.database, 2, vehicle_id="car-2", key_id="key-2")  # nobody can give that car to the first booking
    taken(scene, 2, "key-2", **UNDER_1)
    yield
    returned(scene, 2, "key-2")


@case(K.KEY_IN_WRONG_SLOT)
def _(scene: Scene) -> Iterator[None]:
    returned(scene, 3)
    yield
    returned(scene, 1)


@case(K.KEY_AT_WRONG_STATION)
def _(scene: Scene) -> Iterator[None]:
    other = FakeBox(OTHER_CABINET)
    returned(scene, 2, box=other)
    yield
    returned(scene, 1)


@case(K.KEY_MISSING)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(DoorClosed, slot=3)
    scene.report(*hanging(True, key="key-1"))
    scene.pass_s(1)
    scene.report(*hanging(False))
    yield
    scene.report(*hanging(True, key="key-1"))


@case(K.KEY_OVERDUE)
def _(scene: Scene) -> Iterator[None]:
    book(scene.database)
    taken(scene, **UNDER_1)
    yield from _too_late(scene)


@case(K.SERVICE_ORDER_OVERDUE)
def _(scene: Scene) -> Iterator[None]:
    book(scene.database, purpose="cleaning")
    taken(scene, **UNDER_1)
    yield from _too_late(scene)


def _too_late(scene: Scene) -> Iterator[None]:
    scene.now_ms += 2 * HOUR + 11 * MINUTE
    scene.tell(DeviceBack, device="badge-reader")  # all before it is told
    yield
    returned(scene)


@case(K.BOOKING_ACTIVE_KEY_IN_SLOT)
def _(scene: Scene) -> Iterator[None]:
    book(scene.database, state=BookingState.ACTIVE)
    row = {
        "key_id": "key-1",
        "state": "in_slot",
        "cabinet_id": CABINET,
        "slot": 1,
        "identity": "read",
        "since_ms": 1,
    }
    scene.execute(insert(key_states).values(row))
    yield
    scene.execute(update(bookings).values(state="completed"))


@case(K.KEY_PROBABLY_IN_CAR)
def _(scene: Scene) -> Iterator[None]:
    book(scene.database)
    taken(scene, **UNDER_1)
    scene.open_slot(Purpose.RETURN)
    scene.tell(DoorClosed, slot=1)
    yield
    returned(scene)


@case(K.SLOT_OPENED_NOTHING_TAKEN)
def _(scene: Scene) -> Iterator[None]:
    book(scene.database)
    returned(scene)
    scene.open_slot(Purpose.TAKE)
    scene.tell(DoorClosed, slot=1)
    yield
    taken(scene, **UNDER_1)


@case(K.BOOKING_BLOCKED)
def _(scene: Scene) -> Iterator[None]:
    book(scene.database, start_ms=NOW_MS + HOUR)
    window = {
        "start_ms": NOW_MS,
        "expected_end_ms": NOW_MS + 9 * HOUR,
        "ended_ms": None,
        "begun": False,
        "author": "api/test",
    }
    made = {"author": "api/test", "created_ms": NOW_MS, "changed_ms": NOW_MS, "version": 1}
    row = {"id": "block-1", "vehicle_id": "car-1", "kind": "damage", **window, **made}
    scene.execute(insert(blocks).values(row))
    yield
    scene.execute(update(blocks).values(ended_ms=scene.now_ms))


# --- cabinets


@case(K.CABINET_SILENT)
def _(scene: Scene) -> Iterator[None]:
    scene.presence(scene.box, online=False)
    scene.now_ms += (RULES.cabinet_silent_s + 1) * 1000
    yield
    scene.box.connection += 1
    scene.presence(scene.box, online=True)


@case(K.CABINETS_SILENT_STORM)
def _(scene: Scene) -> Iterator[None]:
    boxes = [scene.box, *(FakeBox(f"more-{number}") for number in range(2))]
    row = {"slots": 3, "station_id": "st-a", "life_cycle": "in_service", "public_key": None}
    scene.execute(insert(cabinets).values([row | {"id": box.cabinet} for box in boxes[1:]]))
    scene.cabinets += [box.cabinet for box in boxes[1:]]
    for box in boxes:
        scene.presence(box, online=True)
        scene.presence(box, online=False)
    scene.now_ms += (RULES.cabinet_silent_s + 1) * 1000
    yield
    for box in boxes:
        box.connection += 1
        scene.presence(box, online=True)


@case(K.CABINET_CLOCK_NOT_TRUSTED)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(ClockTrustChanged, source="none")
    scene.pass_s(1)
    scene.now_ms += CLOCK_PATIENCE_S * 1000 + 1
    yield
    scene.tell(ClockTrustChanged, source="kernel")


@case(K.DESIRED_NOT_TAKEN)
def _(scene: Scene) -> Iterator[None]:
    scene.execute(update(desired_states).values(version=8, wire="w"))
    scene.report(desired_version=7)
    scene.pass_s(1)
    scene.now_ms += DESIRED_PATIENCE_S * 1000 + 1
    yield
    scene.report(desired_version=8)


@case(K.FACTS_MISSING)
def _(scene: Scene) -> Iterator[None]:
    scene.box.note(DoorClosed, slot=1)
    scene.report()
    scene.pass_s(1)
    scene.now_ms += FACTS_PATIENCE_S * 1000 + 1
    yield
    scene.tell(DoorClosed, slot=1)
    scene.take_all()


@case(K.DEVICE_LOST)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(DeviceLost, device="badge-reader", why="no_answer")
    yield
    scene.tell(DeviceBack, device="badge-reader")


@case(K.READER_REPLACED)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(DeviceLost, device="badge-reader", why="reader_replaced")
    yield
    scene.tell(DeviceBack, device="badge-reader")


@case(K.READER_TAMPERED)
def _(scene: Scene) -> Iterator[None]:
    scene.report(devices=(DeviceState(device="badge-reader", online=True, tampered=True),))
    yield
    scene.report(devices=(DeviceState(device="badge-reader", online=True, tampered=False),))


_INPUTS = {
    K.MAINS_LOST: CabinetInput.MAINS_LOST,
    K.BATTERY_LOW: CabinetInput.BATTERY_LOW,
    K.CABINET_TAMPERED: CabinetInput.TAMPERED,
    K.CABINET_OVERRIDE: CabinetInput.OVERRIDE,
}


def _input_case(told: CabinetInput) -> Case:
    def made(scene: Scene) -> Iterator[None]:
        scene.tell(CabinetInputChanged, input=told, active=True)
        yield
        scene.tell(CabinetInputChanged, input=told, active=False)

    return made


for _kind, _told in _INPUTS.items():
    case(_kind)(_input_case(_told))


@case(K.INVENTORY_DUE)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(InventoryDue, why="override", keys_present=2)
    yield
    scene.now_ms += 7 * DAY_S * 1000


@case(K.LOCK_STUCK)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(ReleaseFailed, slot=1, purpose=Purpose.TAKE, pulses=3, last_result="confirmed")
    yield
    scene.tell(DoorOpened, slot=1, released=True)


@case(K.DOOR_LEFT_OPEN)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(DoorOpened, slot=1, released=True)
    scene.now_ms += RULES.door_open_s * 1000 + 1
    yield
    scene.tell(DoorClosed, slot=1)


@case(K.CABINET_NEARLY_FULL)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(DoorClosed, slot=3)
    scene.report(*hanging(True, True, True))
    yield
    scene.report(*hanging(True, True, False))


@case(K.SLOT_OPENED_WITHOUT_DECISION)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(DoorOpened, slot=1, released=False)
    yield
    scene.tell(DoorClosed, slot=1)


# --- people


@case(K.BADGE_AT_TWO_STATIONS)
def _(scene: Scene) -> Iterator[None]:
    scene.execute(update(stations).where(stations.c.id == "st-b").values(latitude=50.7))
    for box in (scene.box, FakeBox(OTHER_CABINET)):
        scene.tell(AccessRefused, box, reader="entrance", reason=Reason.NO_BOOKING, badge="ref-1")
    yield
    scene.now_ms += DAY_S * 1000


@case(K.PIN_GUESSING)
def _(scene: Scene) -> Iterator[None]:
    scene.tell(PinGuessing, reader="entrance", tries=20)
    yield
    scene.now_ms += HOUR


# --- vehicles


@case(K.VEHICLE_HANDED_BACK)
def _(scene: Scene) -> Iterator[None]:
    book(scene.database)
    taken(scene, **UNDER_1)
    returned(scene, handed_back=True, **UNDER_1)
    yield
    taken(scene, **UNDER_1)


_SIGNS = {
    K.RETURN_DOUBTFUL: VehicleSign.MOVED_AFTER_RETURN,
    K.VEHICLE_DOORS_OPEN: VehicleSign.DOORS_OPEN_AT_RETURN,
    K.VEHICLE_NOT_PLUGGED_IN: VehicleSign.UNPLUGGED_AT_RETURN,
    K.VEHICLE_LOW_VOLTAGE: VehicleSign.LOW_VOLTAGE,
    K.VEHICLE_LOW_ENERGY: VehicleSign.LOW_ENERGY,
}


def _sign_case(sign: VehicleSign) -> Case:
    def made(scene: Scene) -> Iterator[None]:
        scene.tell(VehicleNoticed, vehicle="car-1", sign=sign, active=True)
        yield
        scene.tell(VehicleNoticed, vehicle="car-1", sign=sign, active=False)

    return made


for _kind, _sign in _SIGNS.items():
    case(_kind)(_sign_case(_sign))


@case(K.VEHICLE_NOT_READY)
def _(scene: Scene) -> Iterator[None]:
    scene.rules = FleetRules(energy_percent_per_hour={"city": 15})
    book(scene.database, start_ms=NOW_MS + HOUR)
    row = {"vehicle_id": "car-1", "at_ms": NOW_MS, "energy_percent": 30}
    scene.execute(insert(vehicle_readings).values(row))
    yield
    scene.execute(update(vehicle_readings).values(energy_percent=80))


@case(K.VEHICLE_SILENT)
def _(scene: Scene) -> Iterator[None]:
    scene.execute(insert(vehicle_readings).values(vehicle_id="car-1", at_ms=NOW_MS))
    scene.now_ms += RULES.vehicle_silent_h * HOUR + 1
    yield
    scene.execute(update(vehicle_readings).values(at_ms=scene.now_ms))


@case(K.CAR_OUTSIDE_BAY)
def _(scene: Scene) -> Iterator[None]:
    returned(scene, at_home=False)
    yield
    taken(scene)


@case(K.ODOMETER_WITHOUT_RENTAL)
def _(scene: Scene) -> Iterator[None]:
    returned(scene, vehicle=VehicleReading(age_s=60, odometer_m=30_000, ignition=False))
    scene.now_ms += HOUR
    taken(scene, vehicle=VehicleReading(age_s=60, odometer_m=37_500, ignition=False))
    yield
    scene.now_ms += 7 * DAY_S * 1000


# --- boxes and rows


@case(K.JOURNAL_NOT_DURABLE)
def _(scene: Scene) -> Iterator[None]:
    """It tells of what is over: closed as soon as it is opened."""
    scene.tell(FactsNotDurable, count=3)
    yield


@case(K.FACTS_CONFLICT)
def _(scene: Scene) -> Iterator[None]:
    """The box has noticed first, and its new epoch is the end of it."""
    scene.tell(EpochStarted, why="hash_conflict")
    yield


AT_ONCE = {K.JOURNAL_NOT_DURABLE, K.FACTS_CONFLICT}


@case(K.FACT_UNREADABLE)
def _(scene: Scene) -> Iterator[None]:
    scene.box.note_text('{"seq": 1, "kind": "door_opened"}')
    scene.take_all()
    yield
    scene.tell(AgentStarted, boot_nonce="b1" * 16, version="1")


@case(K.ROW_WITHOUT_ORIGIN)
def _(scene: Scene) -> Iterator[None]:
    scene.execute(insert(members).values(id="m-forged", name="F", standing="active"))
    forged = without_origin(members, {members.c.id: "m-forged", "origin": None})
    scene.write(settle_rows, [forged], scene.now_ms)
    yield
    scene.execute(delete(members).where(members.c.id == "m-forged"))
    scene.write(settle_rows, [], scene.now_ms)


# --- the tests


def test_everything_that_has_to_be_named_has_a_kind_and_every_kind_a_case() -> None:
    assert {kind for kinds in NAMED.values() for kind in kinds} <= set(KINDS)
    assert set(CASES) == set(KINDS) == set(IncidentKind)


@pytest.mark.parametrize("kind", IncidentKind)
def test_each_kind_is_opened_once_and_closed_once(kind: IncidentKind) -> None:
    scene = Scene()
    steps = CASES[kind](scene)
    next(steps)
    for _ in range(3):
        told = scene.pass_s(1)
    assert [is_open for each, _, is_open in told if each == kind] == [kind not in AT_ONCE]
    next(steps, None)
    for _ in range(3):
        told = scene.pass_s(1)
    assert [is_open for each, _, is_open in told if each == kind] == [False]


@pytest.mark.parametrize("kind", [kind for kind, rule in KINDS.items() if rule.by_hand])
def test_what_an_operator_closed_stays_closed_and_its_own_end_finds_nothing_left_to_close(
    kind: IncidentKind,
) -> None:
    scene = Scene()
    steps = CASES[kind](scene)
    next(steps)
    scene.pass_s(1)
    (incident,) = [found for found in scene.database.read_now(all_incidents) if found.kind == kind]
    scene.write(close, incident.ref, "found out", "api/claire", scene.now_ms)
    for _ in range(3):
        told = scene.pass_s(1)
    assert [is_open for each, _, is_open in told if each == kind] == [False]
    next(steps, None)
    told = scene.pass_s(1)
    assert [is_open for each, _, is_open in told if each == kind] == [False]
    (*_, last) = scene.database.read_now(lambda connection: history_of(connection, incident.id))
    assert (last.what, last.author, last.detail) == ("closed", "api/claire", {"reason": "found out"})


@pytest.mark.parametrize("kind", IncidentKind)
def test_each_kind_says_what_the_system_does_and_what_a_person_can_do(kind: IncidentKind) -> None:
    rule = KINDS[kind]
    assert rule.advice.endswith(".")
    assert rule.by_itself.endswith(".")
    assert rule.found is not Found.BY_STATE or rule.lasts_ms is None  # what a state shows ends with the state
    assert rule.found is Found.BY_FACT or not rule.by_hand


@pytest.mark.parametrize("kind", IncidentKind)
def test_each_kind_has_a_page_for_whoever_is_called(kind: IncidentKind) -> None:
    lines = (RUNBOOKS / runbook(kind)).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert lines[2] == f"`{kind}`"
    assert tuple(line.removeprefix("## ") for line in lines if line.startswith("## ")) == HEADINGS
    empty = [line for line, after in zip(lines, lines[2:], strict=False) if line.startswith("## ") and not after]
    assert empty == []


def test_there_are_no_other_pages() -> None:
    assert {path.name for path in (RUNBOOKS / "runbooks").iterdir()} == {f"{kind}.md" for kind in IncidentKind}
