import pytest

from contract.facts import VehicleReading
from contract.limits import TooLarge, fit_desired, fit_reported
from contract.messages import BadgeEntry, Desired, Grant, KeyEntry, Reported, SlotState, VehicleState


def desired(grant_count: int, keys: int = 0) -> Desired:
    grants = tuple(
        Grant(
            grant=f"grant-{number:05}",
            badges=(f"badge-{number:05}",),
            key="key-1",
            start_ms=number * 1000,
            take_by_ms=number * 1000 + 500,
            end_ms=number * 1000 + 900,
        )
        for number in range(grant_count)
    )
    badges = tuple(BadgeEntry(ref=grant.badges[0], digest="A" * 43) for grant in grants)
    entries = tuple(KeyEntry(key=f"key-{n:05}", vehicle="car-1") for n in range(keys))
    return Desired(cabinet="gare-1", version=1, grants=grants[::-1], badges=badges, keys=entries)


def size(message: Desired) -> int:
    return len(message.to_json().encode())


def test_what_fits_is_left_alone() -> None:
    small = desired(5)
    assert fit_desired(small) is small


def test_the_farthest_grants_go_first_and_are_counted_with_their_badges() -> None:
    large = desired(400)
    limit = size(large) // 2
    fitted = fit_desired(large, limit)
    kept = len(fitted.grants)
    assert size(fitted) <= limit
    assert [grant.grant for grant in fitted.grants] == [f"grant-{n:05}" for n in range(kept)]
    assert fitted.grants_left_out == 400 - kept
    assert [badge.ref for badge in fitted.badges] == [f"badge-{n:05}" for n in range(kept)]
    assert size(fit_desired(large, limit + 300)) > limit, "one more grant fits as soon as there is room"


def test_a_desired_that_cannot_fit_says_so() -> None:
    with pytest.raises(TooLarge, match="gare-1"):
        fit_desired(desired(3, keys=100), 500)


def test_a_report_leaves_out_vehicles_before_anything_else() -> None:
    report = Reported(
        cabinet="gare-1",
        boot_nonce="0" * 32,
        boot_ms=1,
        connection=1,
        revision=1,
        at_ms=1,
        epoch="0" * 32,
        seq=0,
        desired_version=0,
        desired_high_water=0,
        journal_depth=0,
        clock_trusted=True,
        slots=(SlotState(slot=1, key_present=True, door_open=False),),
        vehicles=tuple(VehicleState(vehicle=f"car-{n}", reading=VehicleReading(age_s=n)) for n in range(50)),
    )
    assert fit_reported(report) is report
    fitted = fit_reported(report, 600)
    assert fitted.slots == report.slots
    assert fitted.vehicles == ()
    with pytest.raises(TooLarge, match="gare-1"):
        fit_reported(report, 100)
