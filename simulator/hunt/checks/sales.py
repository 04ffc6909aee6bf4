"""Time that was sold though it was not free, and no-shows that nobody could know of."""

from collections.abc import Iterator

from dispatcher.core.windows import utc_text
from simulator.hunt.scenario import Run
from simulator.verdict.evidence import Evidence
from simulator.verdict.replay import arrivals, back_ms, replay
from simulator.verdict.rights import Judge
from simulator.virtual.spells import Touches
from simulator.world.record import Intent, What, WorldRecord

CUT = frozenset({"partition", "region", "badge_revoked_offline"})
SLACK_MS = 5_000  # two looks, a message and a commit


def sold_while_held(judge: Judge, record: WorldRecord) -> Iterator[str]:
    """A booking that was made over the rest of another one whose retake hold still ran."""
    by_vehicle: dict[str, list[int]] = {}
    for index, booking in enumerate(judge.evidence.bookings):
        by_vehicle.setdefault(booking.vehicle, []).append(index)
    hung_up = arrivals(record)
    for cabinet in judge.network.cabinets:
        facts = record.of(cabinet)
        done_ms = [f.moment.at_ms for f in facts if f.deed.intent is Intent.SAY_DONE]
        for fact, scene in replay(judge.network, cabinet, facts):
            outing = scene.out.get(fact.deed.key or "") if fact.deed.what is What.KEY_INSERTED else None
            held = judge.evidence.booking_by_id.get(outing.booking or "") if outing is not None else None
            if held is None or judge.excuses.is_disturbed(held.key):
                continue
            here_ms = fact.moment.at_ms
            if outing is not None and back_ms(hung_up, outing) != here_ms:
                continue  # it had hung at another station before: its hold began there
            until_ms = min(here_ms + judge.rules.retake_hold_s * 1000, held.end_ms)
            if any(here_ms <= at_ms <= here_ms + judge.rules.second_tap_s * 1000 + SLACK_MS for at_ms in done_ms):
                continue  # the member said that it was over
            for index in by_vehicle.get(held.vehicle, ()):
                other = judge.evidence.bookings[index]
                sold = other.id != held.id and here_ms + SLACK_MS < other.created_ms < until_ms - SLACK_MS
                if sold and other.start_ms < held.end_ms and held.start_ms < other.end_ms:
                    yield (
                        f"booking {other.id} was sold at {utc_text(other.created_ms)} over {held.id}, "
                        f"whose key came back at {utc_text(here_ms)} and which is held until {utc_text(until_ms)}"
                    )


def declared_in_silence(run: Run, evidence: Evidence) -> Iterator[str]:
    """A no-show that was declared while its station could not say whether the key was taken."""
    clock = run.world.stage.clock
    for booking in evidence.bookings:
        declared_ms = booking.no_show_declared_ms
        if declared_ms is None:
            continue
        take_by_us, declared_us = clock.at_us(booking.take_by_ms), clock.at_us(declared_ms)
        for spell in run.spells.near(booking.cabinet, take_by_us, declared_us, frozenset({Touches.WAY})):
            cloned = any(
                copy.covers(booking.cabinet, spell.from_us, declared_us) for copy in run.spells.of("box_cloned")
            )  # who has a copy of the box spoke for it meanwhile
            if spell.fault in CUT and not cloned and spell.from_us <= take_by_us and spell.until_us >= declared_us:
                yield (
                    f"booking {booking.id} was declared a no-show at {utc_text(declared_ms)}, "
                    f"while {booking.cabinet} was cut off since before {utc_text(booking.take_by_ms)}"
                )
