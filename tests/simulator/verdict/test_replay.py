"""Keys that hang in another cabinet than the one that they left."""

from simulator.network.lilas import lilas_network
from simulator.verdict.replay import arrivals, back_ms, keys_out, last_scene, stays_elsewhere
from simulator.world.moment import Moment
from simulator.world.record import Deed, What, WorldRecord

NETWORK = lilas_network(seed=1, stations=2)
HOME, THERE = NETWORK.cabinets
KEY = next(vehicle.key for vehicle in NETWORK.vehicles if vehicle.key.cabinet == HOME)
SPARE = 8


def moved(record: WorldRecord, at_s: int, cabinet: str, what: What, slot: int, who: str = "member:1") -> None:
    record.write(cabinet, Moment(at_s * 1000, at_s * 1_000_000), Deed(what, who, slot, KEY.id))


def brought_elsewhere() -> WorldRecord:
    record = WorldRecord()
    moved(record, 10, HOME, What.KEY_REMOVED, KEY.home_slot)
    moved(record, 100, THERE, What.KEY_INSERTED, SPARE)
    return record


def out_of(record: WorldRecord) -> dict[str, str]:
    scenes = [last_scene(NETWORK, cabinet, record.of(cabinet)) for cabinet in NETWORK.cabinets]
    return {key: outing.removed.deed.who for key, outing in keys_out(scenes).items()}


def test_a_key_that_hangs_at_another_station_is_not_out() -> None:
    assert out_of(brought_elsewhere()) == {}


def test_a_key_is_out_with_who_took_it_last_whichever_cabinet_it_left() -> None:
    record = brought_elsewhere()
    moved(record, 200, THERE, What.KEY_REMOVED, SPARE, who="staff")
    assert out_of(record) == {KEY.id: "staff"}


def test_an_outing_ends_where_the_key_hangs_first() -> None:
    record = brought_elsewhere()
    outing = last_scene(NETWORK, HOME, record.of(HOME)).out[KEY.id]
    assert back_ms(arrivals(record), outing) == 100_000
    assert back_ms({}, outing) is None


def test_a_stay_in_another_cabinet_is_one_elsewhere_whatever_the_slots_number() -> None:
    record = WorldRecord()
    moved(record, 10, HOME, What.KEY_REMOVED, KEY.home_slot)
    moved(record, 100, THERE, What.KEY_INSERTED, KEY.home_slot)
    (stay,) = stays_elsewhere(NETWORK, THERE, record.of(THERE))
    assert (stay.key, stay.cabinet, stay.since.at_ms, stay.until) == (KEY.id, THERE, 100_000, None)
