"""Which cabinets are silent, and when many silences are one storm: a provider's uplink, a broker, a power cut.

Silences that begin within minutes of one another have one cause, and one incident names them. Cabinets that were
named before keep their own. The storm ends when only a few are left: these get incidents of their own.
"""

from collections.abc import Iterator

from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.picture import CabinetView, Picture
from dispatcher.core.rules import FleetRules

REPORT_EVERY_S = 600  # the contract: an agent that is well says its whole state at least this often
TOGETHER_S = 120  # three times a broker's patience with a dead connection: what fails together is noticed by then
STORM_MIN = 2  # two neighbours are silent together for reasons of their own
STORM_SUBJECT = "network"


def storm_limit(cabinets: int, rules: FleetRules) -> int:
    """More cabinets than these are a storm."""
    return max(STORM_MIN, min(rules.storm_cabinets, cabinets // 3))


def storm_text(cabinet_ids: list[str]) -> str:
    """What is seen of a storm; `storm_members` reads it."""
    return f"{len(cabinet_ids)} cabinets: {', '.join(sorted(cabinet_ids))}"


def storm_members(seen: str) -> frozenset[str]:
    """The cabinets that a storm's incident names."""
    return frozenset(seen.partition(": ")[2].split(", "))


def of_silences(picture: Picture, rules: FleetRules) -> Iterator[Discrepancy]:
    """Every silence, alone or as a storm. While we do not listen, all stays as it was."""
    own = [cabinet for cabinet in picture.cabinets if _has_own(cabinet)]
    rest = [cabinet for cabinet in picture.cabinets if not _has_own(cabinet)]
    if picture.listening:
        own = [cabinet for cabinet in own if _is_silent(cabinet, rules, was_silent=True)]
        in_storm = _storm(picture, rest, rules)
        silent = [each for each in rest if _is_silent(each, rules, was_silent=each.cabinet_id in picture.storm)]
    else:
        in_storm = [cabinet for cabinet in rest if cabinet.cabinet_id in picture.storm]
        silent = in_storm
    if in_storm:
        yield _of_storm([cabinet.cabinet_id for cabinet in in_storm], rules)
        silent = []
    for cabinet in (*own, *silent):
        yield _of_one(cabinet, rules)


def _storm(picture: Picture, rest: list[CabinetView], rules: FleetRules) -> list[CabinetView]:
    """The silent cabinets that one storm has; empty: there is none."""
    limit = storm_limit(len(picture.cabinets), rules)
    silent = [each for each in rest if _is_silent(each, rules, was_silent=each.cabinet_id in picture.storm)]
    if picture.storm:
        return silent if len(silent) > limit // 2 else []
    together = [each for each in rest if _silent_since_s(each, rules) > -TOGETHER_S]
    return silent if silent and len(together) > limit else []


def _has_own(cabinet: CabinetView) -> bool:
    return IncidentKind.CABINET_SILENT in cabinet.open_already


def _is_silent(cabinet: CabinetView, rules: FleetRules, *, was_silent: bool) -> bool:
    if was_silent and not (cabinet.online and cabinet.heard):
        return True
    return _silent_since_s(cabinet, rules) > 0


def _silent_since_s(cabinet: CabinetView, rules: FleetRules) -> float:
    """For how long it counts as silent; below 0: in how long it will, if nothing is heard of it."""
    if cabinet.online:
        return cabinet.quiet_s - rules.cabinet_silent_s - REPORT_EVERY_S
    return (cabinet.quiet_s if cabinet.online is None else cabinet.offline_s) - rules.cabinet_silent_s


def _of_storm(cabinet_ids: list[str], rules: FleetRules) -> Discrepancy:
    return Discrepancy(
        IncidentKind.CABINETS_SILENT_STORM,
        STORM_SUBJECT,
        expected=f"offline for at most {rules.cabinet_silent_s} s, a report every {REPORT_EVERY_S} s",
        seen=storm_text(cabinet_ids),
    )


def _of_one(cabinet: CabinetView, rules: FleetRules) -> Discrepancy:
    return Discrepancy(
        IncidentKind.CABINET_SILENT,
        cabinet.cabinet_id,
        expected=f"offline for at most {rules.cabinet_silent_s} s, a report every {REPORT_EVERY_S} s",
        seen={True: "online, but without a report", False: "offline", None: "never heard"}[cabinet.online],
        cabinet_id=cabinet.cabinet_id,
    )
