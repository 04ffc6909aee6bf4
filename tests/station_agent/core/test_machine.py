"""The core under anything that hands, cards, keys, codes, orders and power cuts can do, in any order.

Hypothesis draws the deeds; a second, plain reading of the rules says after each whether a slot with a key had to
stay shut. What is told is numbered without gaps, a key is in one place, and a power cut changes nothing.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contract.facts import AccessGranted, CommandDecided, KeyTaken, Purpose
from contract.messages import Grant, StationSettings
from contract.release_codes import release_code, release_code_key, window_number
from station_agent.core import model
from station_agent.core.picture import Picture
from tests.station_agent.core.box import DIGEST_KEY, HOUR_MS, MINUTE_MS, START_MS, Box

PEOPLE = ("ann", "bob")
PINS = {"ann": "4711", "bob": "0815"}
KEYS = ("key-1", "key-2", "key-3")
SLOTS = (1, 2, 3, 4)
DAY_MS = 24 * HOUR_MS
people, keys, slots = st.sampled_from(PEOPLE), st.sampled_from(KEYS), st.sampled_from(SLOTS)


class Cabinet(RuleBasedStateMachine):
    """A box, its cabinet as it physically is, and what may be wanted of it."""

    @initialize()
    def begin(self) -> None:
        self.box = Box(pins=dict(PINS), complete_until_ms=START_MS + 30 * DAY_MS)
        self.hanging: dict[int, str] = {1: "key-1", 2: "key-2", 3: "key-3"}
        self.in_hands: list[str] = []
        self.shown: str | None = None
        """Who showed a card and was right about what it asks for, in the deed that is being judged."""
        self.ordered: int | None = None
        """The slot that an order or a code was good for."""
        self.counter = 0
        self.used_codes: set[tuple[int, int | None]] = set()
        self.count = 0
        self.judged = len(self.box.effects)
        self.revoked: tuple[str, ...] = ()
        self.blocked: tuple[str, ...] = ()
        self.somebody_gets_a_right("ann", "key-1", 0, 3, stand_in=True, is_order=False)
        self.somebody_gets_a_right("bob", "key-2", 0, 12, stand_in=False, is_order=False)

    # --- what is wanted

    @rule(
        who=people,
        key=keys,
        start_min=st.integers(-120, 180),
        hours=st.sampled_from([0.5, 1, 3, 12]),
        stand_in=st.booleans(),
        is_order=st.booleans(),
    )
    def somebody_gets_a_right(
        self, who: str, key: str, start_min: int, hours: float, stand_in: bool, is_order: bool
    ) -> None:
        self.count += 1
        start_ms = start_min * MINUTE_MS
        self.box.grant(
            f"grant-{self.count}",
            badge=who,
            key=key,
            start_ms=start_ms,
            hours=hours,
            stand_in=stand_in and not is_order,
            order="service_order" if is_order else "booking",
        )
        self.desire()

    @rule(who=people, is_suspended=st.booleans())
    def a_badge_is_revoked_or_a_member_suspended(self, who: str, is_suspended: bool) -> None:
        if is_suspended:
            self.box.suspended = (f"ref-{who}", f"staff-{who}")
        else:
            self.revoked = (f"ref-{who}",)
        self.desire()

    @rule()
    def all_are_pardoned(self) -> None:
        self.box.suspended, self.revoked, self.blocked = (), (), ()
        self.desire()

    @rule(key=keys)
    def a_vehicle_is_blocked(self, key: str) -> None:
        self.blocked = (key,)
        self.desire()

    def desire(self) -> None:
        self.box.desire(revoked=self.revoked, blocked=self.blocked)

    # --- who stands there

    @rule(who=people)
    def shows_a_badge(self, who: str) -> None:
        self.shown = f"ref-{who}"
        self.box.badge(who)
        self.judge()

    @rule(who=people, pin=st.sampled_from([*PINS.values(), "47", "*4711", "99999999"]))
    def shows_a_staff_card_and_keys_in(self, who: str, pin: str) -> None:
        self.box.staff_card(who)
        self.judge()  # nothing may open yet but for a return
        self.shown = f"staff-{who}" if pin.removeprefix("*") == PINS[who] else None
        self.box.keys(pin + "#")
        self.judge()

    @rule(tag=st.sampled_from(["tag-1", "tag-2", "tag-3", "tag-9", "strange"]))
    def shows_a_tag(self, tag: str) -> None:
        self.box.tag(tag)
        self.judge()

    @rule(digits=st.text("0123456789*#", min_size=1, max_size=9))
    def keys_in_anything(self, digits: str) -> None:
        self.box.keys(digits)
        self.judge()

    @rule(slot=slots, is_old=st.booleans())
    def keys_in_a_code(self, slot: int, is_old: bool) -> None:
        """One that was made now or half an hour ago; of a number, a slot opens once."""
        number = window_number(self.box.now_ms) + (-3 if is_old else 0)
        is_good = not is_old and (slot, number) not in self.used_codes
        self.ordered = slot if is_good else None
        before = len(self.box.facts)
        self.box.keys("*" + release_code(release_code_key(DIGEST_KEY), slot, number))
        opened = [fact for fact in self.box.facts[before:] if isinstance(fact, AccessGranted)]
        assert is_good or not opened
        self.used_codes |= {(fact.slot, fact.code) for fact in opened}
        self.judge()

    @rule(slot=slots, late=st.booleans(), again=st.booleans())
    def an_operator_orders(self, slot: int, late: bool, again: bool) -> None:
        self.counter += 0 if again and self.counter else 1
        self.ordered = None if late else slot
        before = len([fact for fact in self.box.facts if isinstance(fact, CommandDecided)])
        name = f"command-{self.counter}"
        self.box.command(name, counter=self.counter, slot=slot, expires_ms=self.box.now_ms - 1 if late else None)
        decided = [fact for fact in self.box.facts if isinstance(fact, CommandDecided)]
        assert len(decided) - before <= 1
        assert len({fact.command for fact in decided}) == len(decided), "each is decided once"
        self.judge()

    # --- hands

    @precondition(lambda self: any(not door for _, door in self.box.contacts.values()))
    @rule(slot=slots, by_force=st.booleans())
    def a_door_springs_open(self, slot: int, by_force: bool) -> None:
        if by_force or slot in self.box.released():
            self.box.opens(slot)
            self.judge()

    @rule(slot=slots)
    def a_key_is_taken(self, slot: int) -> None:
        if self.box.contacts[slot][1] and slot in self.hanging:
            self.in_hands.append(self.hanging.pop(slot))
            self.box.take(slot)
            self.judge()

    @rule(slot=slots, which=st.integers(0, 2))
    def a_key_is_hung_up(self, slot: int, which: int) -> None:
        if self.box.contacts[slot][1] and slot not in self.hanging and self.in_hands:
            self.hanging[slot] = self.in_hands.pop(which % len(self.in_hands))
            self.box.hang(slot)
            self.judge()

    @rule(slot=slots)
    def a_door_is_shut(self, slot: int) -> None:
        self.box.shut(slot)
        self.judge()

    # --- time and power

    @rule(seconds=st.sampled_from([1, 5, 30, 300, 1200, 7200, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.box.pass_time(seconds * 1000)
        wake_ms = self.box.station.wake_at_line_ms
        if wake_ms is not None and wake_ms <= self.box.line_ms:
            self.box.handle(model.Elapsed())
            after_ms = self.box.station.wake_at_line_ms
            assert after_ms is None or after_ms > self.box.line_ms, "it does not ask for itself for ever"
        self.judge()

    @rule()
    def the_power_is_cut(self) -> None:
        before = Picture.model_validate_json(self.box.picture)
        self.box.reboot()
        self.box.see()
        after = Picture.model_validate_json(self.box.picture)
        assert (after.custody, after.uses) == (before.custody, before.uses)
        assert after.pin_failures == before.pin_failures
        self.judge()

    # --- the plain reading of the rules

    def judge(self) -> None:
        """Every release that was ordered since the last look."""
        fresh = self.box.effects[self.judged :]
        self.judged = len(self.box.effects)
        for place, effect in enumerate(fresh):
            if isinstance(effect, model.ReleaseSlot) and not effect.again:
                assert any(isinstance(one, model.Journal) for one in fresh[:place]), "durable before the lock moves"
                if effect.slot in self.hanging:
                    self.may_leave(effect.slot)
        self.shown = self.ordered = None

    def may_leave(self, slot: int) -> None:
        granted = self.box.last_decision()
        assert granted.slot == slot
        if isinstance(granted, CommandDecided):
            assert self.ordered == slot, "an operator ordered just this slot, in time"
            return
        if granted.purpose is Purpose.RELEASE_CODE:
            assert self.ordered == slot, "the hotline's code was made for just this slot, now"
            return
        assert granted.purpose in {Purpose.TAKE, Purpose.RETAKE}, "a slot with a key is no place for a return"
        assert self.shown is not None, "a card was shown, with its PIN where it asks for one"
        assert self.shown == granted.badge
        grant = next(grant for grant in self.box.grants if grant.grant == granted.grant)
        self.may_open(grant, granted)

    def may_open(self, grant: Grant, granted: AccessGranted) -> None:
        rules, now_ms = StationSettings(), self.box.now_ms
        assert granted.badge in grant.badges
        assert granted.badge not in self.revoked
        assert grant.start_ms - rules.opening_allowance_s * 1000 <= now_ms < grant.end_ms
        taken = [fact for fact in self.box.facts if isinstance(fact, KeyTaken) and fact.grant == grant.grant]
        if not taken:
            assert granted.purpose is Purpose.TAKE
            assert now_ms <= grant.take_by_ms
            assert granted.badge not in self.box.suspended
        if grant.order == "booking":
            assert granted.key not in self.blocked
        if granted.key != grant.key and not taken:
            assert grant.stand_in, "another key than the booked one"

    @invariant()
    def facts_are_numbered_without_gaps(self) -> None:
        if hasattr(self, "box"):
            assert [fact.seq for fact in self.box.facts] == list(range(1, len(self.box.facts) + 1))

    @invariant()
    def a_key_is_in_one_place(self) -> None:
        if hasattr(self, "box"):
            picture = Picture.model_validate_json(self.box.picture)
            known = [slot.key for slot in picture.slots.values() if slot.key is not None] + list(picture.custody)
            assert len(set(known)) == len(known)


TestCabinet = Cabinet.TestCase
TestCabinet.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
