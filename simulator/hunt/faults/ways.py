"""Faults of the network: messages late, lost, doubled, out of order; stations cut off; the broker gone."""

from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.virtual.box import VirtualBox
from simulator.virtual.spells import Touches

WAY = frozenset({Touches.WAY})


def _loss(cast: Cast) -> End:
    way = cast.box.way
    way.lost = cast.rng.uniform(0.05, 0.4)

    def end() -> None:
        way.lost = 0.0

    return end


def _delay(cast: Cast) -> End:
    way = cast.box.way
    way.slow_us = cast.rng.randrange(300_000, 2_000_000)  # the worst that the architecture's bounds count on

    def end() -> None:
        way.slow_us = 0

    return end


def _duplication(cast: Cast) -> End:
    way = cast.box.way
    way.doubled = cast.rng.uniform(0.1, 0.6)

    def end() -> None:
        way.doubled = 0.0

    return end


def _reordering(cast: Cast) -> End:
    way = cast.box.way
    way.overtakes = cast.rng.uniform(0.1, 0.5)

    def end() -> None:
        way.overtakes = 0.0

    return end


def cut(box: VirtualBox) -> End:
    """Nothing passes between a box and the broker until it ends."""
    box.way.cuts += 1
    if box.link is not None:
        box.link.cut()

    def end() -> None:
        box.way.cuts -= 1
        if box.link is not None:
            box.link.heal()

    return end


def _partition(cast: Cast) -> End:
    return cut(cast.box)


def _region(cast: Cast) -> End:
    """A mobile cell fails: every third station."""
    third = cast.rng.randrange(3)
    boxes = [box for index, box in enumerate(cast.world.boxes.values()) if index % 3 == third]
    cast.spell.cabinets = frozenset(box.cabinet for box in boxes)
    ends = [cut(box) for box in boxes]

    def end() -> None:
        for one in ends:
            one()

    return end


def _broker_restart(cast: Cast) -> None:
    cast.world.stage.broker.restart(cast.lasts_us)


def _centre_way(cast: Cast) -> End:
    """The dispatcher's own line: messages come twice, late, or not at all, whoever sent them."""
    way = cast.world.centre.way
    way.doubled, way.overtakes, way.lost = (
        cast.rng.uniform(0, 0.4),
        cast.rng.uniform(0, 0.4),
        cast.rng.uniform(0, 0.2),
    )

    def end() -> None:
        way.doubled = way.overtakes = way.lost = 0.0

    return end


WAYS = (
    Fault("loss", WAY, 6, (30, 600), _loss),
    Fault("delay", WAY, 6, (30, 900), _delay),
    Fault("duplication", WAY, 6, (60, 900), _duplication),
    Fault("reordering", WAY, 6, (60, 900), _reordering),
    Fault("partition", WAY, 5, (20, 2400), _partition),
    Fault("region", WAY, 6, (60, 1500), _region, everywhere=True),
    Fault("centre_way", WAY, 2, (60, 900), _centre_way, everywhere=True),
    Fault("broker_restart", WAY, 3, (1, 60), _broker_restart, everywhere=True),
)
