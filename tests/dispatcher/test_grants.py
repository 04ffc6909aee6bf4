"""What a box is told: who may take which key, and nothing about anybody else."""

from dataclasses import replace

from contract.credentials import cabinet_digest_key, credential_digest, pin_digest
from contract.messages import Desired
from contract.places import Bay, Place
from dispatcher.core.booking_states import BookingState
from dispatcher.core.grants import (
    KEPT_PAST_END_MS,
    Badge,
    Box,
    FleetKey,
    Material,
    Right,
    content_digest,
    desired_content,
    next_version,
)
from dispatcher.core.rules import FleetRules
from tests.dispatcher.small_fleet import CABINET, HOUR, MINUTE, NOW_MS, OTHER_CABINET, RULES

DAY = 24 * HOUR
BOX = Box(CABINET, cabinet_digest_key(b"m" * 32, CABINET), "b1" * 16)
RIGHT = Right(
    grant_id="grant-1",
    key_id="key-1",
    state=BookingState.BOOKED,
    start_ms=NOW_MS,
    end_ms=NOW_MS + 2 * HOUR,
    take_by_ms=NOW_MS + 30 * MINUTE,
    member_ids=("member-1", "member-2"),
    booking_version=1,
)
BADGES = (
    Badge("ref-1", "member-1", "calypso:01", revoked=False),
    Badge("ref-1b", "member-1", "calypso:1B", revoked=False),
    Badge("ref-2", "member-2", "calypso:02", revoked=False),
    Badge("ref-lost", "member-1", "calypso:0F", revoked=True),
)
FLEET = (
    FleetKey("key-1", "car-1", CABINET, 1, ("fob:01",), blocked=False, home=Place(50.6, 3.06)),
    FleetKey("key-2", "car-2", CABINET, 2, ("fob:02", "fob:2B"), blocked=True),
    FleetKey("key-3", "car-3", OTHER_CABINET, 1, ("fob:03",), blocked=True, home=Place(50.7, 3.07)),
)
EVERYBODY = frozenset({"member-1", "member-2"})


def made(
    *rights: Right,
    badges: tuple[Badge, ...] = BADGES,
    in_standing: frozenset[str] = EVERYBODY,
    rules: FleetRules = RULES,
    now_ms: int = NOW_MS,
) -> Desired:
    return desired_content(BOX, Material(rights or (RIGHT,), in_standing, badges), FLEET, rules, now_ms)


def test_a_booking_is_a_grant_for_its_owner_and_its_drivers() -> None:
    (grant,) = made().grants
    assert grant.badges == ("ref-1", "ref-1b", "ref-2")
    assert (grant.grant, grant.key) == ("grant-1", "key-1")
    assert (grant.start_ms, grant.end_ms, grant.take_by_ms) == (
        RIGHT.start_ms,
        RIGHT.end_ms,
        RIGHT.take_by_ms,
    )
    assert not grant.stand_in


def test_badges_go_out_as_digests_under_the_key_of_the_cabinet() -> None:
    digests = {entry.ref: entry.digest for entry in made().badges}
    assert digests["ref-2"] == credential_digest(BOX.digest_key, "calypso:02")
    assert "calypso" not in made().to_json()


def test_a_box_knows_the_bays_of_the_vehicles_that_live_there_and_of_no_others() -> None:
    bays = {entry.key: entry.bay for entry in made(rules=FleetRules(bay_radius_m=80)).keys}
    assert bays == {"key-1": Bay(latitude=50.6, longitude=3.06, radius_m=80), "key-2": None, "key-3": None}


def test_a_revoked_badge_opens_nothing_and_is_named_so() -> None:
    desired = made()
    assert desired.revoked == ("ref-lost",)
    assert "ref-lost" in {entry.ref for entry in desired.badges}
    assert "ref-lost" not in desired.grants[0].badges


def test_a_member_without_standing_takes_no_key_but_is_not_cut_off_from_one_that_is_out() -> None:
    suspended = frozenset({"member-2"})
    assert made(in_standing=suspended).grants[0].badges == ("ref-2",)
    out = replace(RIGHT, state=BookingState.ACTIVE)
    assert made(out, in_standing=suspended).grants[0].badges == ("ref-1", "ref-1b", "ref-2")


def test_a_grant_that_nobody_can_use_is_not_sent() -> None:
    desired = made(badges=())
    assert desired.grants == ()
    assert made(in_standing=frozenset()).grants == ()


def test_badges_of_a_member_without_standing_are_told_as_such() -> None:
    desired = made(in_standing=frozenset({"member-2"}), badges=BADGES[:3])
    assert desired.suspended == ("ref-1", "ref-1b")
    assert [entry.ref for entry in desired.badges] == ["ref-1", "ref-1b", "ref-2"]
    assert made().suspended == ()


def test_badges_that_no_right_names_stay_away_from_the_box() -> None:
    stranger = Badge("ref-9", "member-9", "calypso:09", revoked=False)
    assert made(badges=(*BADGES, stranger)).badges == made().badges


def test_a_pin_is_told_as_a_digest_of_this_badge_under_this_cabinets_key() -> None:
    with_pin = tuple(replace(badge, pin="4711") for badge in BADGES)
    digests = {entry.ref: entry for entry in made(badges=with_pin).badges}
    entry = digests["ref-2"]
    assert entry.pin_digest == pin_digest(BOX.digest_key, entry.digest, "4711")
    assert len({one.pin_digest for one in digests.values()}) == len(digests), "one for each badge"
    assert made().badges[0].pin_digest is None


def test_the_fleets_rules_reach_the_box_under_their_names() -> None:
    rules = FleetRules(pin_digits=6, pin_tries=5, uncertain_clock="refuse", max_offline_age_s=86_400)
    settings = made(rules=rules).settings
    assert (settings.pin_digits, settings.pin_tries) == (6, 5)
    assert (settings.uncertain_clock, settings.max_offline_age_s) == ("refuse", 86_400)


def test_grants_come_nearest_first() -> None:
    later = replace(RIGHT, grant_id="grant-0", start_ms=NOW_MS + HOUR, take_by_ms=NOW_MS + HOUR + 1)
    assert [grant.grant for grant in made(later, RIGHT).grants] == ["grant-1", "grant-0"]


def test_a_grant_enters_at_the_horizon() -> None:
    start_ms = NOW_MS + 7 * DAY
    far = replace(RIGHT, start_ms=start_ms, take_by_ms=start_ms + 1, end_ms=start_ms + HOUR)
    assert made(far).grants
    assert not made(far, now_ms=NOW_MS - 1).grants


def test_a_grant_stays_some_hours_past_its_end_and_longer_while_the_key_is_out() -> None:
    long_ago_ms = RIGHT.end_ms + KEPT_PAST_END_MS
    assert made(now_ms=long_ago_ms - 1).grants
    assert not made(now_ms=long_ago_ms).grants
    for state in (BookingState.ACTIVE, BookingState.RETURNED):
        assert made(replace(RIGHT, state=state), now_ms=long_ago_ms + 9 * DAY).grants


def test_every_key_of_the_fleet_is_recognised_and_only_the_own_ones_have_a_home() -> None:
    found = {entry.key: (entry.home_slot, len(entry.tag_digests)) for entry in made().keys}
    assert found == {"key-1": (1, 1), "key-2": (2, 2), "key-3": (None, 1)}


def test_keys_of_vehicles_out_of_service_that_live_here_are_blocked() -> None:
    assert made().blocked == ("key-2",)


def test_the_rules_go_out_with_the_grants() -> None:
    settings = made(rules=FleetRules(opening_allowance_s=1, retake_hold_s=2, second_tap_s=3)).settings
    assert (settings.opening_allowance_s, settings.retake_hold_s, settings.second_tap_s) == (1, 2, 3)


def test_the_box_finds_its_boot_nonce_again() -> None:
    assert made().boot_nonce == BOX.boot_nonce


def test_the_same_rows_make_the_same_content_in_whatever_order_they_come() -> None:
    other = replace(RIGHT, grant_id="grant-2")
    again = desired_content(BOX, Material((other, RIGHT), EVERYBODY, BADGES[::-1]), FLEET[::-1], RULES, NOW_MS)
    assert content_digest(made(RIGHT, other)) == content_digest(again)


def test_a_digest_sees_content_and_not_versions() -> None:
    desired = made()
    assert content_digest(desired) == content_digest(desired.model_copy(update={"version": 99}))
    assert content_digest(desired) != content_digest(desired.model_copy(update={"grants": ()}))


def test_a_desired_that_is_too_large_leaves_out_its_farthest_grants() -> None:
    crowd = tuple(
        replace(
            RIGHT,
            grant_id=f"grant-{number:050}",
            start_ms=NOW_MS + number,
            take_by_ms=NOW_MS + number + 1,
        )
        for number in range(2000)
    )
    desired = made(*crowd)
    assert desired.grants_left_out > 0
    assert desired.grants_left_out + len(desired.grants) == 2000
    assert desired.grants[0].start_ms == NOW_MS


def test_versions_never_go_back() -> None:
    assert next_version(stored=0, held=0, now_ms=100) == 100
    assert next_version(stored=100, held=90, now_ms=100) == 101  # two within a millisecond
    assert next_version(stored=500, held=90, now_ms=100) == 501  # our clock was set back
    assert next_version(stored=5, held=700, now_ms=100) == 701  # our database was restored


CITY_FLEET = tuple(replace(key, category="city") for key in FLEET)


def _made_of_city_cars(*rights: Right, now_ms: int = NOW_MS) -> Desired:
    return desired_content(BOX, Material(rights, EVERYBODY, BADGES), CITY_FLEET, RULES, now_ms)


def test_a_right_that_any_key_of_the_category_fulfils_says_so() -> None:
    own, any_of_it = _made_of_city_cars(RIGHT, replace(RIGHT, grant_id="grant-2", stand_in=True)).grants
    assert (own.stand_in, own.category) == (False, None)
    assert (any_of_it.stand_in, any_of_it.category) == (True, "city")


def test_a_vehicle_without_a_category_has_no_stand_in() -> None:
    (grant,) = made(replace(RIGHT, stand_in=True)).grants
    assert (grant.stand_in, grant.category) == (False, None)


def test_a_box_knows_up_to_when_it_was_told_every_right_and_time_alone_tells_it_once_a_day() -> None:
    until = _made_of_city_cars(RIGHT).complete_until_ms
    assert until is not None
    assert until % DAY == 0
    assert NOW_MS + 6 * DAY < until <= NOW_MS + 7 * DAY
    later = {_made_of_city_cars(RIGHT, now_ms=NOW_MS + hour * HOUR).complete_until_ms for hour in range(24)}
    assert later == {until, until + DAY}


def test_a_booking_for_which_nobody_has_a_badge_is_not_told_and_ends_what_the_box_may_take_for_complete() -> None:
    nobodys = replace(RIGHT, grant_id="grant-2", member_ids=("member-9",), start_ms=NOW_MS + HOUR)
    desired = _made_of_city_cars(RIGHT, nobodys)
    assert [grant.grant for grant in desired.grants] == ["grant-1"]
    assert desired.complete_until_ms == NOW_MS + HOUR
