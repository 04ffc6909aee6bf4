"""A box in a test: the core alone, its cabinet moved by hand, everything it noted and ordered at hand.

box = Box(); box.grant("booking-1", badge="ann", key="key-1")
box.badge("ann"); box.opens(1); box.take(1); box.shut(1)
assert box.kinds() == [...]
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from contract.credentials import CredentialType, credential_digest, pin_digest
from contract.facts import AccessGranted, CommandDecided, Fact, VehicleReading
from contract.messages import BadgeEntry, Command, CommandReply, Desired, Grant, KeyEntry, StationSettings
from contract.places import Bay
from station_agent.core import model
from station_agent.core.clock import ClockTrust
from station_agent.core.device_events import (
    CabinetSeen,
    CardRead,
    DeviceEvent,
    KeypadPressed,
    ReaderSeen,
    ReaderSignal,
    SlotSeen,
)
from station_agent.core.devices import SEEN_BY_MS
from station_agent.core.picture import Picture
from station_agent.core.setup import StationSetup
from station_agent.core.station import Station

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
START_MS = 1_800_000_000_000
DIGEST_KEY = bytes(32)
NONCE = "a" * 32
BADGE_TYPE = CredentialType(name="calypso", bits=64, pin="not_required")
STAFF_TYPE = CredentialType(name="mifare-7", bits=56)  # a UID and nothing else: it asks for a PIN
TAG_TYPE = CredentialType(name="em4100", bits=40)
AnyFact = TypeVar("AnyFact", bound=Fact)


def number_of(name: str, size: int) -> bytes:
    """A stable UID for a name."""
    return name.encode().rjust(size, b"\0")[-size:]


def badge_digest(name: str) -> str:
    return credential_digest(DIGEST_KEY, f"calypso:{number_of(name, 8).hex().upper()}")


def staff_digest(name: str) -> str:
    return credential_digest(DIGEST_KEY, f"mifare-7:{number_of(name, 7).hex().upper()}")


def tag_digest(name: str) -> str:
    return credential_digest(DIGEST_KEY, f"em4100:{number_of(name, 5).hex().upper()}")


@dataclass
class Box:
    """Slots 1 to 4; keys key-1, key-2, key-3 at home in slots 1, 2, 3; key-9 belongs elsewhere."""

    now_ms: int = START_MS
    line_ms: int = 0
    contacts: dict[int, tuple[bool, bool]] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    effects: list[model.Effect] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    badges: set[str] = field(default_factory=set)
    version: int = 0
    picture: str = "{}"
    disk_is_good: bool = True
    settings: StationSettings = field(default_factory=StationSettings)
    pins: dict[str, str] = field(default_factory=dict)
    """Of members who carry a staff card as well: their reference is `staff-` and the name."""
    suspended: tuple[str, ...] = ()
    complete_until_ms: int | None = None
    bay: Bay | None = None
    """Of every vehicle that lives here."""
    second_key_of_car_1: bool = False
    """True: key-3 is another one of car-1."""
    moved_away: frozenset[str] = frozenset()
    """Keys that live elsewhere by now."""

    def __post_init__(self) -> None:
        self.contacts = {1: (True, False), 2: (True, False), 3: (True, False), 4: (False, False)}
        self.boot()
        self.see()
        for reader in ("entrance", "returns"):
            self.handle(ReaderSeen(reader, tampered=False, power_failed=False))
        self.pass_time(SEEN_BY_MS)
        self.handle(model.Elapsed())
        self.trust()
        self.desire()
        self.forget()

    def boot(self) -> None:
        """A fresh core over what was journalled."""
        setup = StationSetup(
            slots=(1, 2, 3, 4),
            readers=(("entrance", "badge"), ("returns", "return_tag")),
            badge_types=(BADGE_TYPE, STAFF_TYPE),
            tag_types=(TAG_TYPE,),
            digest_key=DIGEST_KEY,
        )
        last_seq = self.facts[-1].seq if self.facts else 0
        picture = Picture.model_validate_json(self.picture)
        self.station = Station(setup, boot_nonce=NONCE, picture=picture, last_seq=last_seq, clock=ClockTrust())
        self._carry_out(self.station.start(self.now, "1"))

    def reboot(self) -> None:
        """Power cut and back: the journal's picture and the held `desired` are all that is left."""
        self.boot()
        self.station.restore_desired(self._arrived(self.version))
        self.trust()

    # --- what happens

    @property
    def now(self) -> model.Now:
        return model.Now(self.now_ms, self.line_ms)

    def pass_time(self, ms: int) -> None:
        self.now_ms += ms
        self.line_ms += ms

    def handle(self, event: model.Event) -> list[model.Effect]:
        effects = self.station.handle(self.now, event)
        self._carry_out(effects)
        return effects

    def see(self) -> list[model.Effect]:
        slots = tuple(SlotSeen(slot, key, door) for slot, (key, door) in sorted(self.contacts.items()))
        return self.handle(CabinetSeen(slots))

    def move(self, slot: int, *, key: bool, door: bool) -> None:
        self.pass_time(500)
        self.contacts[slot] = (key, door)
        self.see()

    def opens(self, slot: int) -> None:
        self.move(slot, key=self.contacts[slot][0], door=True)

    def take(self, slot: int) -> None:
        self.move(slot, key=False, door=self.contacts[slot][1])

    def hang(self, slot: int) -> None:
        self.move(slot, key=True, door=self.contacts[slot][1])

    def shut(self, slot: int) -> None:
        self.move(slot, key=self.contacts[slot][0], door=False)

    def badge(self, name: str) -> list[model.Effect]:
        return self.handle(CardRead("entrance", 64, number_of(name, 8)))

    def staff_card(self, name: str) -> list[model.Effect]:
        """The other card of a member who has a PIN."""
        return self.handle(CardRead("entrance", 56, number_of(name, 7)))

    def keys(self, keys: str) -> list[model.Effect]:
        """Keyed in at the entrance."""
        return self.handle(KeypadPressed("entrance", keys))

    def odometer(self, vehicle: str, metres: int) -> None:
        """Its tracker says so."""
        self.handle(model.VehicleRead(vehicle, VehicleReading(age_s=0, odometer_m=metres), None))

    def tells(self, vehicle: str, age_ms: int = 0, **signals: Any) -> list[model.Effect]:
        """Its tracker says so, of a moment that long ago."""
        reading = VehicleReading(age_s=0, **signals)
        return self.handle(model.VehicleRead(vehicle, reading, self.now_ms - age_ms))

    def elapse_within(self, ms: int) -> None:
        """Time passes, and the core is called whenever it wants to be."""
        until_ms = self.line_ms + ms
        while (wake_ms := self.station.wake_at_line_ms) is not None and wake_ms <= until_ms:
            self.elapse()
        self.pass_time(until_ms - self.line_ms)

    def tag(self, name: str) -> list[model.Effect]:
        return self.handle(CardRead("returns", 40, number_of(name, 5)))

    def command(
        self,
        name: str = "command-1",
        *,
        counter: int = 1,
        slot: int | None = 1,
        action: Literal["release_slot", "report_now"] = "release_slot",
        expires_ms: int | None = None,
    ) -> list[model.Effect]:
        """An order from the centre, good for a minute if nothing else is said."""
        return self.handle(
            model.CommandArrived(
                Command(
                    cabinet="gare-1",
                    command=name,
                    counter=counter,
                    action=action,
                    slot=slot,
                    issued_ms=self.now_ms,
                    expires_ms=self.now_ms + MINUTE_MS if expires_ms is None else expires_ms,
                )
            )
        )

    def trust(self) -> None:
        self.handle(model.ClockRead(synchronised=True))

    def event(self, event: DeviceEvent) -> list[model.Effect]:
        return self.handle(event)

    def elapse(self) -> list[model.Effect]:
        wake_ms = self.station.wake_at_line_ms
        assert wake_ms is not None
        self.pass_time(max(0, wake_ms - self.line_ms))
        return self.handle(model.Elapsed())

    # --- what is wanted

    def grant(
        self,
        name: str,
        *,
        badge: str,
        others: tuple[str, ...] = (),
        key: str = "key-1",
        start_ms: int = 0,
        hours: float = 2,
        take_by_ms: int = 0,
        stand_in: bool = False,
        order: Literal["booking", "service_order"] = "booking",
    ) -> Grant:
        """A right of one or several badges from now (plus `start_ms`) on; the new wanted state arrives at once."""
        start = self.now_ms + start_ms
        end = start + int(hours * HOUR_MS)
        grant = Grant(
            grant=name,
            order=order,
            badges=tuple(ref for name in (badge, *others) for ref in self._refs(name)),
            key=key,
            category="city" if stand_in else None,
            stand_in=stand_in,
            start_ms=start,
            end_ms=end,
            take_by_ms=min(start + (take_by_ms or 30 * MINUTE_MS), end),
        )
        self.grants.append(grant)
        self.badges.update((badge, *others))
        self.desire()
        return grant

    def desire(self, *, revoked: tuple[str, ...] = (), blocked: tuple[str, ...] = ()) -> None:
        self.version += 1
        self.revoked, self.blocked = revoked, blocked
        self.handle(self._arrived(self.version))

    def _refs(self, name: str) -> tuple[str, ...]:
        return (f"ref-{name}", f"staff-{name}") if name in self.pins else (f"ref-{name}",)

    def _badge_entries(self) -> tuple[BadgeEntry, ...]:
        """Everybody's badge; a member with a PIN has a staff card too, and the PIN goes with both."""
        entries = []
        for name in sorted(self.badges):
            digests = {f"ref-{name}": badge_digest(name), f"staff-{name}": staff_digest(name)}
            for ref in self._refs(name):
                pin = pin_digest(DIGEST_KEY, digests[ref], self.pins[name]) if name in self.pins else None
                entries.append(BadgeEntry(ref=ref, digest=digests[ref], pin_digest=pin))
        return tuple(entries)

    def _arrived(self, version: int) -> model.DesiredArrived:
        keys = tuple(
            KeyEntry(
                key=f"key-{n}",
                vehicle="car-1" if n == 3 and self.second_key_of_car_1 else f"car-{n}",
                tag_digests=(tag_digest(f"tag-{n}"),),
                home_slot=n if n < 9 and f"key-{n}" not in self.moved_away else None,
                category="city" if n < 9 else None,
                bay=self.bay if n < 9 else None,
            )
            for n in (1, 2, 3, 9)
        )
        desired = Desired(
            cabinet="gare-1",
            version=version,
            boot_nonce=NONCE,
            badges=self._badge_entries(),
            keys=keys,
            grants=tuple(self.grants),
            suspended=self.suspended,
            complete_until_ms=self.complete_until_ms,
            revoked=getattr(self, "revoked", ()),
            blocked=getattr(self, "blocked", ()),
            settings=self.settings,
        )
        return model.DesiredArrived(desired, b"wire", f"digest-{version}")

    # --- what came of it

    def _carry_out(self, effects: list[model.Effect]) -> None:
        """As the agent does it."""
        for effect in effects:
            self.effects.append(effect)
            if not isinstance(effect, model.Journal):
                continue
            if self.disk_is_good:
                self.facts.extend(effect.facts)
                self.picture = effect.picture
            if self.disk_is_good is not self.station.durable:
                self._carry_out(self.station.handle(self.now, model.DurabilityChanged(self.disk_is_good)))
                if not self.disk_is_good:
                    return

    def forget(self) -> None:
        """Only what comes from now on counts; numbers go on."""
        self.seen_facts = len(self.facts)
        self.effects.clear()

    def new(self) -> list[Fact]:
        return self.facts[self.seen_facts :]

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.new()]

    def last(self, kind: type[AnyFact]) -> AnyFact:
        return next(fact for fact in reversed(self.facts) if isinstance(fact, kind))

    def last_decision(self) -> AccessGranted | CommandDecided:
        """What the last release follows from."""
        return next(fact for fact in reversed(self.facts) if isinstance(fact, AccessGranted | CommandDecided))

    def released(self) -> list[int]:
        return [effect.slot for effect in self.effects if isinstance(effect, model.ReleaseSlot)]

    def replies(self) -> list[CommandReply]:
        return [effect.reply for effect in self.effects if isinstance(effect, model.Reply)]

    def signals(self) -> list[ReaderSignal]:
        return [effect.signal for effect in self.effects if isinstance(effect, model.Indicate)]
