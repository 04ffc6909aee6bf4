"""Operators who release a slot from afar, and what others make of their orders: late, again, forged."""

from functools import partial

from contract.envelope import Signer
from contract.messages import Command
from contract.topics import COMMANDS, Author
from simulator.hunt.faults.liars import THIEF_KEY
from simulator.hunt.faults.menu import Cast, Fault
from simulator.network.wiring import slot_numbers
from simulator.virtual.people import Person
from simulator.virtual.premises import DISPATCHER_ID, NAMESPACE
from simulator.virtual.spells import Touches
from simulator.virtual.timers import MINUTE_US, SECOND_US
from simulator.virtual.world import Order
from simulator.world.acts import CloseDoor, Pause, Script, StepAway, StepUp

VALID_MS = 60_000
NOBODY = frozenset[Touches]()


def _order(cast: Cast) -> None:
    """An operator orders a slot to be released; somebody who is there shuts it again."""
    command, wire = _signed(cast, cast.world.stage.premises.signer)
    _send(cast, command, wire)
    again_us = cast.rng.randrange(1, 50) * SECOND_US  # no answer came
    cast.later(again_us, partial(_spread, cast, command, wire))


def _late_order(cast: Cast) -> None:
    """The order is kept back by whoever owns the broker, and comes when it has long expired."""
    command, wire = _signed(cast, cast.world.stage.premises.signer)
    cast.later(cast.rng.randrange(2, 20) * MINUTE_US, partial(_spread, cast, command, wire))


def _forged_order(cast: Cast) -> None:
    command, wire = _signed(cast, Signer(Author.DISPATCHER, DISPATCHER_ID, THIEF_KEY))
    _spread(cast, command, wire)


def _foreign_order(cast: Cast) -> None:
    """An order for another cabinet, told to this one."""
    other = cast.rng.choice([name for name in cast.world.boxes if name != cast.cabinet] or [cast.box.cabinet])
    _command, wire = _signed(cast, cast.world.stage.premises.signer, cabinet=other)
    if other != cast.cabinet:
        cast.world.stage.broker.spread(COMMANDS.topic(NAMESPACE, cast.box.cabinet), wire)


def _signed(cast: Cast, signer: Signer, cabinet: str | None = None) -> tuple[Command, bytes]:
    now_ms = cast.world.stage.clock.now_ms()
    command = Command(
        cabinet=cabinet or cast.box.cabinet,
        command=f"{cast.rng.getrandbits(64):016x}",
        counter=now_ms,
        action="release_slot",
        slot=cast.rng.choice(slot_numbers()),
        issued_ms=now_ms,
        expires_ms=now_ms + VALID_MS,
    )
    return command, signer.sign(command)


def _send(cast: Cast, command: Command, wire: bytes) -> None:
    assert command.slot is not None, "these orders are about slots"
    issued_us = cast.world.stage.timers.now_us()
    cast.world.orders.append(Order(command.cabinet, command.slot, issued_us, issued_us + VALID_MS * 1000))
    cast.spell.detail = f"slot {command.slot}"
    _spread(cast, command, wire)
    Person("operator", _shut(command.cabinet, command.slot), cast.world.around, cast.rng).begin()


def _spread(cast: Cast, command: Command, wire: bytes) -> None:
    cast.world.stage.broker.spread(COMMANDS.topic(NAMESPACE, command.cabinet), wire)


def _shut(cabinet: str, slot: int) -> Script[None]:
    yield StepUp(cabinet)
    yield Pause(65 * SECOND_US)  # until the order can come no more
    yield CloseDoor(slot)
    yield StepAway()


ORDERS = (
    Fault("order", NOBODY, 6, (60, 61), _order),
    Fault("late_order", NOBODY, 6, (1200, 1300), _late_order),
    Fault("forged_order", NOBODY, 8, (60, 61), _forged_order),
    Fault("foreign_order", NOBODY, 8, (60, 61), _foreign_order),
)
