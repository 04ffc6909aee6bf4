"""An operator's order all the way: from the database over the air to the lock, and the key in somebody's hand."""

from random import Random

from dispatcher.store.commands import RELEASE_SLOT, StoredCommand, command_by_id, insert_command, next_counter
from dispatcher.store.incidents import all_incidents
from dispatcher.store.keys import key_state
from simulator.virtual.people import Person
from simulator.virtual.world import VirtualWorld, heap_world
from simulator.world.acts import CloseDoor, Pause, Script, StepAway, StepUp, TakeKey

MINUTE_US = 60_000_000


def order(world: VirtualWorld, cabinet: str, slot: int, command_id: str) -> None:
    """As the API writes it."""
    now_ms = world.stage.clock.now_ms()
    world.database.write_now(
        lambda c: insert_command(
            c,
            StoredCommand(
                id=command_id,
                cabinet_id=cabinet,
                slot=slot,
                counter=next_counter(c, cabinet, now_ms),
                action=RELEASE_SLOT,
                author="operators",
                reason="test",
                issued_ms=now_ms,
                expires_ms=now_ms + 60_000,
            ),
        )
    )
    assert world.centre.dispatcher is not None
    world.centre.dispatcher.changed()


def outcome(world: VirtualWorld, cabinet: str, command_id: str) -> str | None:
    found = world.database.read_now(lambda connection: command_by_id(connection, cabinet, command_id))
    assert found is not None
    return found.outcome


def take(cabinet: str, slot: int) -> Script[None]:
    yield StepUp(cabinet)
    yield TakeKey(slot)
    yield Pause(1_000_000)
    yield CloseDoor(slot)
    yield StepAway()


def test_a_key_that_an_operator_hands_out_is_out_under_the_order_and_no_incident() -> None:
    heap, world = heap_world(1, seed=1)
    (cabinet,) = world.network.cabinets
    key = world.network.vehicles[0].key
    world.centre.boot()
    world.boxes[cabinet].boot()
    heap.run_until(MINUTE_US)
    order(world, cabinet, key.home_slot, "order-1")
    heap.run_until(MINUTE_US + 3_000_000)
    assert outcome(world, cabinet, "order-1") == "completed"
    Person("operator's friend", take(cabinet, key.home_slot), world.around, Random(1)).begin()
    heap.run_until(2 * MINUTE_US)
    known = world.database.read_now(lambda connection: key_state(connection, key.id))
    assert known is not None
    assert (known.state, known.command_id) == ("taken", "order-1")
    assert world.database.read_now(all_incidents) == ()
