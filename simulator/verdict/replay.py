"""Goes through the world's own record of a cabinet and knows, at each fact, how things stood just before it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from simulator.network.model import Network
from simulator.world.moment import Moment
from simulator.world.record import PhysicalFact, What, WorldRecord


@dataclass(frozen=True, slots=True)
class Outing:
    """A key that left a cabinet, and for which booking its taker had come."""

    removed: PhysicalFact
    booking: str | None


@dataclass(frozen=True, slots=True)
class Return:
    """A key that came back, and the booking for which it had left."""

    inserted: PhysicalFact
    booking: str | None
    removed: PhysicalFact | None = None
    """How it had left; None: another cabinet."""

    @property
    def out_ms(self) -> int | None:
        """How long it was out, wall time; None: that is not known here."""
        return None if self.removed is None else self.inserted.moment.at_ms - self.removed.moment.at_ms


@dataclass(slots=True)
class CabinetScene:
    """One cabinet as it physically is."""

    hooks: dict[int, str]
    """Key by slot."""
    open_slots: set[int] = field(default_factory=set)
    last_badge: PhysicalFact | None = None
    last_card: PhysicalFact | None = None
    """That badge, or a tag that was shown after it."""
    back: dict[str, Return] = field(default_factory=dict)
    """How each key last came back, by key."""
    out: dict[str, Outing] = field(default_factory=dict)
    """By key."""
    last_pin: PhysicalFact | None = None
    """Keyed in after the last badge."""
    wrong_pins: dict[str, list[int]] = field(default_factory=dict)
    """When wrong PINs in a row were keyed in for a card, wall times, by credential."""
    tapped: dict[str, PhysicalFact] = field(default_factory=dict)
    """The first badge that was shown after each booking's key came back, by booking."""

    def slot_of(self, key: str) -> int | None:
        return next((slot for slot, hanging in self.hooks.items() if hanging == key), None)

    def then(self, fact: PhysicalFact) -> None:
        """What is different after this fact."""
        deed = fact.deed
        match deed.what:
            case What.BADGE_SHOWN:
                self.last_badge = self.last_card = fact
                self.last_pin = None
                if any(back.booking == deed.booking for back in self.back.values()):
                    self.tapped.setdefault(deed.booking or "", fact)
            case What.TAG_SHOWN:
                self.last_card = fact
            case What.PIN_KEYED:
                self._pin_keyed(fact)
            case What.DOOR_OPENED if deed.slot is not None:
                self.open_slots.add(deed.slot)
            case What.DOOR_CLOSED if deed.slot is not None:
                self.open_slots.discard(deed.slot)
            case What.KEY_REMOVED if deed.slot is not None and deed.key is not None:
                del self.hooks[deed.slot]
                card = self.last_badge
                came_for = card.deed.booking if card is not None and card.deed.who == deed.who else None
                self.out[deed.key] = Outing(fact, came_for)
            case What.KEY_INSERTED if deed.slot is not None and deed.key is not None:
                self.hooks[deed.slot] = deed.key
                outing = self.out.pop(deed.key, None)
                booking, removed = (outing.booking, outing.removed) if outing is not None else (None, None)
                self.back[deed.key] = Return(fact, booking, removed)
                self.tapped.pop(self.back[deed.key].booking or "", None)

    def _pin_keyed(self, fact: PhysicalFact) -> None:
        self.last_pin, card = fact, fact.deed.credential or ""
        if fact.deed.is_right:
            self.wrong_pins.pop(card, None)
        else:
            self.wrong_pins.setdefault(card, []).append(fact.moment.at_ms)


@dataclass(frozen=True, slots=True)
class Stay:
    """A key on a hook that is not its own, from when to when (None: still)."""

    key: str
    cabinet: str
    slot: int
    since: Moment
    until: Moment | None


def first_scene(network: Network, cabinet: str) -> CabinetScene:
    """Before anybody came: every key hangs in its home slot."""
    keys = (vehicle.key for vehicle in network.vehicles if vehicle.key.cabinet == cabinet)
    return CabinetScene({key.home_slot: key.id for key in keys})


def replay(
    network: Network, cabinet: str, facts: Sequence[PhysicalFact]
) -> Iterator[tuple[PhysicalFact, CabinetScene]]:
    """Each fact with the scene just before it. The scene changes under the iteration."""
    scene = first_scene(network, cabinet)
    for fact in facts:
        yield fact, scene
        scene.then(fact)


def last_scene(network: Network, cabinet: str, facts: Sequence[PhysicalFact]) -> CabinetScene:
    scene = first_scene(network, cabinet)
    for fact in facts:
        scene.then(fact)
    return scene


def arrivals(record: WorldRecord) -> Mapping[str, Sequence[int]]:
    """By key, when it was hung up, in whichever cabinet; wall times in their order."""
    found: dict[str, list[int]] = {}
    for fact in record:
        if fact.deed.what is What.KEY_INSERTED and fact.deed.key is not None:
            found.setdefault(fact.deed.key, []).append(fact.moment.at_ms)
    return {key: sorted(times) for key, times in found.items()}


def back_ms(hung_up: Mapping[str, Sequence[int]], outing: Outing) -> int | None:
    """When the key of an outing hung somewhere again; None: it is still out."""
    key, left_ms = outing.removed.deed.key or "", outing.removed.moment.at_ms
    return next((at_ms for at_ms in hung_up.get(key, ()) if at_ms >= left_ms), None)


def keys_out(scenes: Iterable[CabinetScene]) -> dict[str, Outing]:
    """Every key that hangs nowhere, with how it left the last cabinet that it hung in."""
    scenes = tuple(scenes)
    hanging = {key for scene in scenes for key in scene.hooks.values()}
    found: dict[str, Outing] = {}
    for scene in scenes:
        for key, outing in scene.out.items():
            known = found.get(key)
            newer = known is None or known.removed.moment.line_us < outing.removed.moment.line_us
            if key not in hanging and newer:
                found[key] = outing
    return found


def stays_elsewhere(network: Network, cabinet: str, facts: Sequence[PhysicalFact]) -> Iterator[Stay]:
    """Every time that a key of the fleet hung in another slot than its own, here or at home."""
    homes = {vehicle.key.id: (vehicle.key.cabinet, vehicle.key.home_slot) for vehicle in network.vehicles}
    begun: dict[str, PhysicalFact] = {}
    for fact in facts:
        key, slot = fact.deed.key, fact.deed.slot
        if key not in homes or slot is None:
            continue
        if fact.deed.what is What.KEY_INSERTED and homes[key] != (cabinet, slot):
            begun[key] = fact
        elif fact.deed.what is What.KEY_REMOVED and key in begun:
            yield Stay(key, cabinet, slot, begun.pop(key).moment, fact.moment)
    for key, fact in begun.items():
        assert fact.deed.slot is not None, "a key hangs in a slot"
        yield Stay(key, cabinet, fact.deed.slot, fact.moment, None)
