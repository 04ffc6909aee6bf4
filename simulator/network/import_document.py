"""The network as the one JSON document that `dispatcher import` takes."""

from collections.abc import Iterator, Mapping
from typing import Any

from simulator.network.model import SLOTS, Member, Network

Row = dict[str, Any]


def import_document(network: Network, public_keys: Mapping[str, str]) -> dict[str, list[Row]]:
    """Lists of rows by kind. `public_keys`: Ed25519, base64url, by cabinet; absent: not provisioned yet."""
    return {
        "municipalities": [{"id": place.id, "name": place.name} for place in network.municipalities],
        "stations": [
            {
                "id": station.id,
                "name": station.name,
                "municipality_id": station.municipality,
                "latitude": station.latitude,
                "longitude": station.longitude,
            }
            for station in network.stations
        ],
        "cabinets": [
            {
                "id": station.cabinet,
                "station_id": station.id,
                "slots": SLOTS,
                "public_key": public_keys.get(station.cabinet),
            }
            for station in network.stations
        ],
        "organisations": [{"id": it.id, "name": it.name} for it in network.organisations],
        "members": [_member(member) for member in network.members],
        "badges": [badge for member in network.members for badge in _badges(member)],
        **_fleet(network),
    }


def _member(member: Member) -> Row:
    return {
        "id": member.id,
        "name": member.name,
        "organisation_id": member.organisation,
        "standing": member.standing.value,
    }


def _badges(member: Member) -> Iterator[Row]:
    cards = [(card, "active") for card in member.badges]
    if member.old_badge is not None:
        cards.append((member.old_badge, "revoked"))
    for number, (card, state) in enumerate(cards, start=1):
        badge_id = f"b{member.id.removeprefix('m')}-{number}"
        row: Row = {"id": badge_id, "member_id": member.id, "credential": card.credential, "state": state}
        yield row | ({"pin": member.pin} if card.asks_for_pin else {})


def _fleet(network: Network) -> dict[str, list[Row]]:
    keys = [vehicle.key for vehicle in network.vehicles]
    return {
        "vehicles": [
            {
                "id": vehicle.id,
                "name": vehicle.name,
                "category": vehicle.category,
                "energy": vehicle.energy.value,
                "home_station_id": vehicle.station,
            }
            for vehicle in network.vehicles
        ],
        "keys": [
            {
                "id": key.id,
                "vehicle_id": key.vehicle,
                "home_cabinet_id": key.cabinet,
                "home_slot": key.home_slot,
            }
            for key in keys
        ],
        "tags": [{"key_id": key.id, "credential": key.tag.credential} for key in keys],
    }
