"""Two thousand members with their badges, standing and employers, drawn from the seed. Every name is invented."""

import random
from collections.abc import Iterator, Mapping

from simulator.network.data import read_json
from simulator.network.draws import UniqueDraws, stream
from simulator.network.model import (
    CALYPSO,
    MIFARE_7,
    Card,
    CardKind,
    Member,
    Organisation,
    Standing,
)

MEMBERS = 2000  # the network of Lille in its first years (domain.md)
CITY_HALL_DRIVERS = 124  # municipal agents who drove on the city's account in 2012 (domain.md)
CITY_HALL = "Ville de Lille"
PARTNERS = {  # invented companies, and how many of their staff drive
    "Filature du Nord": 36,
    "Ateliers de la Deûle": 22,
    "Imprimerie Vauban": 15,
    "Brasserie des Trois Ponts": 9,
    "Cabinet Esquermes": 4,  # fewer than 5 drivers: no figure may be shown for it (domain.md, P8)
}

SUSPENDED_SHARE = 0.02  # a few unpaid bills among a hundred members
LICENCE_EXPIRED_SHARE = 0.01
STAFF_CARD_SHARE = 0.6  # of an organisation's drivers carry the employer's card instead of Pass Pass
SECOND_BADGE_SHARE = 0.15
OLD_BADGE_SHARE = 0.25  # Pass Pass cards are replaced every few years


def draw_people(seed: int, ids: UniqueDraws) -> tuple[tuple[Organisation, ...], tuple[Member, ...]]:
    """City hall, its partners, and all members: those of organisations first, then private people."""
    rng = stream(seed, "people")
    names = read_json("names.json")
    drivers = {CITY_HALL: CITY_HALL_DRIVERS, **PARTNERS}
    organisations = {name: Organisation(ids.opaque_id("o"), name) for name in drivers}
    employers = [organisations[name].id for name, count in drivers.items() for _ in range(count)]
    members = tuple(
        _draw_member(rng, ids, names, employer) for employer in (*employers, *[None] * (MEMBERS - len(employers)))
    )
    return tuple(organisations.values()), members


def _draw_member(
    rng: random.Random, ids: UniqueDraws, names: Mapping[str, list[str]], organisation: str | None
) -> Member:
    return Member(
        id=ids.opaque_id("m"),
        name=f"{rng.choice(names['given'])} {rng.choice(names['family'])}",
        standing=_draw_standing(rng),
        organisation=organisation,
        badges=tuple(_draw_badges(rng, ids, organisation)),
        old_badge=_card(ids, CALYPSO) if rng.random() < OLD_BADGE_SHARE else None,
    )


def _draw_standing(rng: random.Random) -> Standing:
    drawn = rng.random()
    if drawn < SUSPENDED_SHARE:
        return Standing.SUSPENDED
    if drawn < SUSPENDED_SHARE + LICENCE_EXPIRED_SHARE:
        return Standing.LICENCE_EXPIRED
    return Standing.ACTIVE


def _draw_badges(rng: random.Random, ids: UniqueDraws, organisation: str | None) -> Iterator[Card]:
    carries_staff_card = organisation is not None and rng.random() < STAFF_CARD_SHARE
    first, second = (MIFARE_7, CALYPSO) if carries_staff_card else (CALYPSO, MIFARE_7)
    yield _card(ids, first)
    if rng.random() < SECOND_BADGE_SHARE:
        yield _card(ids, second)


def _card(ids: UniqueDraws, kind: CardKind) -> Card:
    return Card(kind.name, kind.bits, ids.number(kind.bits))
