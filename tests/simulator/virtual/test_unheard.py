"""A box whose "online" the broker lost: nothing that it says counts, so it says so again until it is answered."""

from dispatcher.store.incidents import all_incidents
from dispatcher.store.reachability import reachable_cabinets
from simulator.virtual.timers import MINUTE_US, SECOND_US
from simulator.virtual.world import VirtualWorld, heap_world
from station_agent.reporting import UNHEARD_EVERY_US


def is_online(world: VirtualWorld, cabinet: str) -> bool:
    return cabinet in world.database.read_now(reachable_cabinets)


def test_a_boot_with_a_clock_of_last_year_whose_presence_was_lost_is_heard_within_seconds() -> None:
    heap, world = heap_world(1, seed=1)
    (cabinet,) = world.network.cabinets
    box = world.boxes[cabinet]
    world.centre.boot()
    box.boot()
    heap.run_until(MINUTE_US)
    assert is_online(world, cabinet)

    box.kill(None)
    heap.run_until(2 * MINUTE_US)
    box.clock.is_synchronised = False
    box.clock.step(-365 * 86_400_000)
    world.stage.broker.withheld = lambda _client, topic: topic.endswith("/presence")
    box.boot()
    heap.run_until(3 * MINUTE_US)
    assert not is_online(world, cabinet), "its reports look older than those of the boot before"

    world.stage.broker.withheld = lambda _client, _topic: False
    heap.run_until(3 * MINUTE_US + UNHEARD_EVERY_US + 5 * SECOND_US)
    assert is_online(world, cabinet)
    said: list[str] = []
    world.stage.broker.on_message = lambda topic, _payload: said.append(topic.rsplit("/", 1)[-1])
    heap.run_until(8 * MINUTE_US)
    assert "presence" not in said, "once it is heard, it need not be said again"
    assert world.database.read_now(all_incidents) == ()
