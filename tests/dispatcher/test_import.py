"""Importing a network: all or nothing, every bad row named, the same files again change nothing."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from dispatcher import importing
from dispatcher.importing.faults import ImportRefused
from dispatcher.importing.files import read_csv, read_document, read_files
from dispatcher.importing.rows import KINDS, REFERENCES
from dispatcher.store.bookings import insert_booking
from dispatcher.store.database import Database
from dispatcher.store.importing import TABLES, Counts, import_rows
from dispatcher.store.schema import badges, bookings, cabinets, desired_states, key_tags, members, vehicles
from tests.contract.keys import public_text
from tests.dispatcher.network import (
    ELEVEN_MS,
    HOUR_MS,
    NETWORK,
    NOW_MS,
    booking_row,
    empty_database,
    import_document,
    network_database,
)


@pytest.fixture
def database() -> Iterator[Database]:
    with network_database() as database:
        yield database


@pytest.fixture
def empty() -> Iterator[Database]:
    with empty_database() as database:
        yield database


def _with(changes: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The network with some fields changed, as in "members[1].name", or rows added, as in "members"."""
    document = copy.deepcopy({kind: list(rows) for kind, rows in NETWORK.items()})
    for path, value in changes.items():
        if "[" not in path:
            document.setdefault(path, []).append(value)
            continue
        kind, rest = path.split("[")
        index, field = rest.split("].")
        document[kind][int(index)][field] = value
    return document


def _faults(document: object, database: Database) -> list[str]:
    rows, faults = read_document(document, "n.json")
    try:
        database.write_now(lambda connection: import_rows(connection, rows, NOW_MS, Random(1).randbytes))
    except ImportRefused as refused:
        faults += refused.faults
    return [str(fault) for fault in faults]


def _count(database: Database, table: Table) -> int:
    statement = select(func.count()).select_from(table)
    return database.read_now(lambda connection: connection.execute(statement).scalar_one())


def _row(database: Database, table: Table, row_id: str) -> dict[str, Any]:
    statement = select(table).where(table.c.id == row_id)
    return dict(database.read_now(lambda connection: connection.execute(statement).mappings().one()))


# --- all or nothing, again and again


def test_every_row_arrives_and_every_cabinet_is_computed(empty: Database) -> None:
    report = import_document(empty, NETWORK)
    assert {kind: counts.added for kind, counts in report.by_kind.items()} == {
        kind: len(rows) for kind, rows in NETWORK.items()
    }
    assert {kind: _count(empty, table) for kind, table in TABLES.items()} == {
        kind: len(rows) for kind, rows in NETWORK.items()
    }
    statement = select(desired_states.c.cabinet_id).where(desired_states.c.dirty)
    dirty = empty.read_now(lambda connection: connection.execute(statement).scalars().all())
    assert set(dirty) == {"gare-1", "mairie-1"}


def test_the_same_document_again_changes_nothing(database: Database) -> None:
    before = _row(database, badges, "b-alix")
    database.write_now(lambda connection: connection.execute(desired_states.delete()))
    report = import_document(database, NETWORK, NOW_MS + 1000, seed=2)
    assert all(counts == Counts(0, 0, len(NETWORK[kind])) for kind, counts in report.by_kind.items())
    assert not report.wrote
    assert _row(database, badges, "b-alix") == before
    assert _count(database, desired_states) == 0


def test_a_changed_row_is_updated_and_what_is_left_out_stays(database: Database) -> None:
    report = import_document(database, {"members": [{"id": "m-alix", "name": "Alix Lefebvre"}]})
    assert report.by_kind["members"] == Counts(0, 1, 0)
    assert _row(database, members, "m-alix")["name"] == "Alix Lefebvre"
    assert _count(database, members) == len(NETWORK["members"])


def test_one_bad_row_and_nothing_is_imported(empty: Database) -> None:
    assert len(_faults(_with({"keys[3].home_slot": 9}), empty)) == 1
    assert all(_count(empty, table) == 0 for table in TABLES.values())


def test_a_badge_keeps_its_reference_and_the_instant_of_its_revocation(database: Database) -> None:
    before = _row(database, badges, "b-alix")
    revoked = {**NETWORK["badges"][0], "state": "revoked"}
    import_document(database, {"badges": [revoked]}, NOW_MS + 1000)
    import_document(database, {"badges": [revoked]}, NOW_MS + 2000)
    after = _row(database, badges, "b-alix")
    assert (after["ref"], after["revoked_ms"]) == (before["ref"], NOW_MS + 1000)
    import_document(database, {"badges": [{**revoked, "state": "active"}]}, NOW_MS + 3000)
    assert _row(database, badges, "b-alix")["revoked_ms"] is None


def test_two_badges_may_swap_their_credentials(database: Database) -> None:
    one, _, other = NETWORK["badges"]
    swapped = [{**one, "credential": other["credential"]}, {**other, "credential": one["credential"]}]
    report = import_document(database, {"badges": swapped})
    assert report.by_kind["badges"] == Counts(0, 2, 0)
    assert _row(database, badges, "b-alix")["credential"] == other["credential"]


def test_a_tag_may_move_to_another_key_when_its_time_on_the_first_has_ended(database: Database) -> None:
    tag = NETWORK["tags"][0]
    moved = [
        {**tag, "valid_until": "2026-10-01T00:00:00Z"},
        {**tag, "key_id": "k-family", "valid_from": "2026-10-01T00:00:00Z"},
    ]
    report = import_document(database, {"tags": moved})
    assert report.by_kind["tags"] == Counts(1, 1, 0)
    assert _count(database, key_tags) == 3


# --- what is wrong is named


NEW_VEHICLE = {"id": "v-new1", "name": "New", "category": "city", "home_station_id": "gare"}
SAME_BADGE = {"id": "b-new", "member_id": "m-brahim", "credential": "calypso:00000000075BCD15"}
SAME_TAG = {"key_id": "k-family", "credential": "em4100:0100000001"}


@pytest.mark.parametrize(
    ("change", "place", "fault"),
    [
        (
            {"members[4].standing": "suspendet"},
            "members[4]",
            "standing = 'suspendet': expected 'active', 'suspended' or 'licence_expired'",
        ),
        (
            {"stations[0].latitude": "50,63"},
            "stations[0]",
            "latitude = '50,63': expected a valid number, unable to parse string as a number",
        ),
        (
            {"stations[0].latitude": 91},
            "stations[0]",
            "latitude = 91: expected less than or equal to 90",
        ),
        (
            {"stations[1].longitude": float("nan")},
            "stations[1]",
            "longitude = nan: expected a finite number",
        ),
        (
            {"cabinets[0].id": "Gare 1"},
            "cabinets[0]",
            "id = 'Gare 1': expected a text that matches '^[a-z0-9][a-z0-9-]{1,39}$'",
        ),
        (
            {"cabinets[0].slots": 0},
            "cabinets[0]",
            "slots = 0: expected greater than or equal to 1",
        ),
        (
            {"cabinets[0].public_key": "!" * 43},
            "cabinets[0]",
            f"public_key = '{'!' * 43}': expected an Ed25519 public key: 43 characters of base64url",
        ),
        (
            {"members[0].name": ""},
            "members[0]",
            "name = '': expected a text of at least 1 character",
        ),
        (
            {"members[0].email": "a@b"},
            "members[0]",
            "email: expected one of the fields id, name, organisation_id, standing, role",
        ),
        (
            {"badges[0].credential": "calypso:75bcd15"},
            "badges[0]",
            (
                "credential = (not shown): expected a typed credential such as calypso:00000000075BCD15, "
                "hexadecimal in upper case"
            ),
        ),
        (
            {"tags[0].valid_from": "2026-01-01T00:00:00"},
            "tags[0]",
            (
                "valid_from = '2026-01-01T00:00:00': expected a time with its UTC offset, such as "
                "2026-03-29T10:00:00+02:00"
            ),
        ),
        (
            {"vehicles": NEW_VEHICLE},
            "vehicles[4]",
            "energy: expected a value",
        ),
        (
            {"vehicles[0].energy": "steam"},
            "vehicles[0]",
            "energy = 'steam': expected 'petrol', 'diesel', 'hybrid', 'plug_in_hybrid', 'electric' or 'hydrogen'",
        ),
        (
            {"keys[0].id": "k1"},
            "keys[0]",
            "id = 'k1': expected a text that matches '^[A-Za-z0-9_-]{4,64}$'",
        ),
        (
            {"members": "nobody"},
            "members[6]",
            "expected an object, found 'nobody'",
        ),
        (
            {"stations[0].municipality_id": "paris"},
            "stations[0]",
            "municipality_id = 'paris': expected an id of one of the municipalities, imported or stored",
        ),
        (
            {"keys[0].home_slot": 9},
            "keys[0]",
            "home_slot = 9: expected at most 8, the slots of gare-1",
        ),
        (
            {"keys[1].home_slot": 1},
            "keys[1]",
            "home_slot = 1: expected a slot of its own; key k-city-1 lives there in gare-1",
        ),
        (
            {"badges": SAME_BADGE},
            "badges[3]",
            (
                "credential = (not shown): expected a credential of no other badge; "
                "n.json: badges[0], id 'b-alix', has it"
            ),
        ),
        (
            {"tags": SAME_TAG},
            "tags[2]",
            "credential = (not shown): expected a tag that no other key carries at that time; k-city-1 does",
        ),
        (
            {"members": {"id": "m-alix", "name": "Again"}},
            "members[6]",
            "id = 'm-alix': expected one row for each of the members; n.json: members[0] has it already",
        ),
    ],
)
def test_a_bad_row_is_named_by_place_field_value_and_expectation(
    empty: Database, change: dict[str, Any], place: str, fault: str
) -> None:
    assert f"n.json: {place}: {fault}" in _faults(_with(change), empty)


def test_every_bad_row_is_named_at_once(empty: Database) -> None:
    document = _with({"members[0].standing": "x", "stations[0].latitude": "x", "keys[2].home_slot": -1})
    rows, faults = read_document(document, "n.json")
    assert len(faults) == 3
    assert len(rows) == sum(len(entries) for entries in document.values()) - 3
    assert empty is not None


@pytest.mark.parametrize(("kind", "field"), REFERENCES)
def test_every_reference_is_checked(empty: Database, kind: str, field: str) -> None:
    document = copy.deepcopy({key: list(rows) for key, rows in NETWORK.items()})
    document[kind][0][field] = "not-there"
    assert any(
        fault.startswith(f"n.json: {kind}[0]: {field} = 'not-there': expected an id of one of the {target}")
        for fault in _faults(document, empty)
        for target in (REFERENCES[kind, field],)
    )


def test_a_reference_to_what_is_stored_is_good(database: Database) -> None:
    new = {"id": "m-new", "name": "New", "organisation_id": "city-hall"}
    assert _faults({"members": [new]}, database) == []


def test_a_stored_badge_keeps_its_credential_from_others(database: Database) -> None:
    stolen = {"id": "b-new", "member_id": "m-brahim", "credential": "calypso:00000000075BCD15"}
    (fault,) = _faults({"badges": [stolen]}, database)
    assert "a stored badge, id 'b-alix', has it" in fault
    assert "75BCD15" not in fault


def test_a_cabinet_is_not_made_smaller_than_its_keys_need(database: Database) -> None:
    (fault,) = _faults({"cabinets": [{"id": "gare-1", "station_id": "gare", "slots": 2}]}, database)
    assert fault == "n.json: cabinets[0]: slots = 2: expected at least 3, the slot where key k-family lives"


def test_a_key_has_at_most_the_tags_that_a_box_takes(database: Database) -> None:
    tags = [{"key_id": "k-family", "credential": f"em4100:02000000{n:02}"} for n in range(5)]
    (fault,) = _faults({"tags": tags}, database)
    assert (
        fault == "n.json: tags[4]: key_id = 'k-family': expected at most 4 tags on one key; end those that are gone"
    )


@pytest.mark.parametrize(
    ("kind", "index", "field", "value"),
    [
        ("keys", 0, "home_cabinet_id", "mairie-1"),
        ("keys", 0, "life_cycle", "retired"),
        ("vehicles", 0, "home_station_id", "mairie"),
        ("vehicles", 0, "life_cycle", "retired"),
    ],
)
def test_what_members_have_booked_is_not_moved_away_under_them(
    database: Database, kind: str, index: int, field: str, value: str
) -> None:
    row = booking_row("held", ELEVEN_MS, ELEVEN_MS + HOUR_MS)
    database.write_now(lambda connection: insert_booking(connection, row))
    changed = {"home_slot": 4, **NETWORK[kind][index], field: value}
    if kind == "vehicles":
        del changed["home_slot"]
    faults = _faults({kind: [changed]}, database)
    assert any(f"{field} = {value!r}" in fault and "(live bookings: 1)" in fault for fault in faults)


def test_a_vehicle_with_history_is_retired_not_deleted(database: Database) -> None:
    row = booking_row("over", ELEVEN_MS, ELEVEN_MS + HOUR_MS, state="completed")
    database.write_now(lambda connection: insert_booking(connection, row))
    import_document(database, {"vehicles": [{**NETWORK["vehicles"][0], "life_cycle": "retired"}]})
    assert _row(database, vehicles, "v-city-1")["life_cycle"] == "retired"
    assert _count(database, bookings) == 1


# --- documents and files


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "n.json: expected an object with lists named municipalities, stations"),
        ({"memebrs": []}, "n.json: memebrs: expected one of the lists municipalities, stations"),
        ({"members": {}}, "n.json: members = {}: expected a list of objects"),
        ({"members": [None]}, "n.json: members[0]: expected an object, found None"),
    ],
)
def test_a_document_of_another_shape_is_told_the_right_one(document: object, fault: str) -> None:
    rows, faults = read_document(document, "n.json")
    assert not rows
    assert str(faults[0]).startswith(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "a JSON document: Expecting property name"),
        ('{"members": [], "members": []}', "a JSON document: 'members' stands twice"),
        ("[" * 100_000, "a JSON document: "),
    ],
)
def test_a_file_that_is_no_json_is_named(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "network.json"
    path.write_text(text)
    _, faults = read_files([path])
    assert str(faults[0]).startswith(f"{path}: expected {fault}")


CSV = {
    "municipalities.csv": "id,name\nlille,Lille\n",
    "stations.csv": "id;name;municipality_id;latitude;longitude;public\ngare;Gare;lille;50.6;3.07;no\n",
    "cabinets.csv": "id,station_id,slots\ngare-1,gare,8\n",
    "cabinet_stations.csv": "cabinet_id,station_id,serves\ngare-1,gare,no\n",
    "organisations.csv": "id,name\norg-1,Ville\n",
    "cost_centres.csv": "id,organisation_id,name\ncc-1,org-1,Parcs\n",
    "pools.csv": "id,organisation_id,name\npool-1,org-1,Jardiniers\n",
    "pool_members.csv": "pool_id,member_id,state\n",
    "members.csv": '\ufeffid,name,organisation_id,standing\r\nm-1,"Dumont, Alix",,active\r\n\r\nm-2,Noé,,\r\n',
    "badges.csv": "id,member_id,credential\nb-1,m-1,calypso:00000000075BCD15\n",
    "vehicles.csv": "id,name,category,energy,home_station_id\nv-01,Lilas 1,city,petrol,gare\n",
    "keys.csv": "id,vehicle_id,home_cabinet_id,home_slot\nk-01,v-01,gare-1,1\n",
    "tags.csv": "key_id,credential,valid_from,valid_until\nk-01,em4100:0100000001,2026-01-01T00:00:00+01:00,\n",
}  # fmt: skip


def test_one_csv_file_of_each_kind_makes_a_network(tmp_path: Path, empty: Database) -> None:
    assert {name.removesuffix(".csv") for name in CSV} == set(KINDS)
    for name, text in CSV.items():
        (tmp_path / name).write_bytes(text.encode())
    rows, faults = read_files([tmp_path / name for name in sorted(CSV)])
    assert not faults
    report = empty.write_now(lambda connection: import_rows(connection, rows, NOW_MS, Random(1).randbytes))
    assert report.by_kind["members"] == Counts(2, 0, 0)
    assert _row(empty, members, "m-1")["name"] == "Dumont, Alix"
    assert _row(empty, members, "m-2")["standing"] == "active"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "members.csv:1: expected a header of field names"),
        ("id,name,id\n", "members.csv:1: expected a header in which no name stands twice"),
        ("id,name\nm-1,A\nm-2\n", "members.csv:3: expected 2 cells as in the header, found 1"),
        ("id,name\nm-1,A,B\n", "members.csv:2: expected 2 cells as in the header, found 3"),
        ("id,nom\nm-1,A\n", "members.csv:2: name: expected a value"),
        ('id,name\nm-1,"A\nm-2,B\n', "members.csv: expected CSV (RFC 4180), found: unexpected end of data"),
        ("id,name\nm-1,A\n\nm 2,B\n", "members.csv:4: id = 'm 2': expected a text that matches"),
    ],
)
def test_a_bad_csv_row_is_named_by_its_line(text: str, fault: str) -> None:
    _, faults = read_csv("members", text, "members.csv")
    assert any(str(each).startswith(fault) for each in faults), faults


def test_files_that_are_none_of_ours_are_named(tmp_path: Path) -> None:
    for name in ("people.csv", "network.xml"):
        (tmp_path / name).write_text("x")
    (tmp_path / "members.csv").write_bytes("id,name\nm-1,No\xe9\n".encode("latin-1"))
    paths = [tmp_path / name for name in ("people.csv", "network.xml", "members.csv", "cabinets.csv")]
    rows, faults = read_files(paths)
    assert not rows
    texts = [str(fault) for fault in faults]
    assert texts[0].startswith(f"{paths[0]}: expected a file named *.json, or one of municipalities.csv")
    assert texts[1].startswith(f"{paths[1]}: expected a file named *.json")
    assert texts[2] == f"{paths[2]}:2: expected UTF-8, not the byte 0xe9"
    assert texts[3] == f"{paths[3]}: expected a file that can be read: No such file or directory"


@pytest.mark.parametrize("pin", ["471", "47111", "471a", 4711, "４７１１"])
def test_a_pin_of_another_form_is_refused_and_told_to_nobody(database: Database, pin: object) -> None:
    badge = {"id": "b-new", "member_id": "m-alix", "credential": "calypso:00000000000000AA", "pin": pin}
    (fault,) = _faults({"badges": [badge]}, database)
    assert "pin" in fault
    assert str(pin) not in fault


def test_the_example_in_the_manual_can_be_imported_and_shows_every_field(empty: Database) -> None:
    text = importing.__doc__ or ""
    example = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert _faults(example, empty) == []
    assert {kind: set(rows[0]) for kind, rows in example.items()} == {
        kind: set(model.model_fields) for kind, model in KINDS.items()
    }


def test_the_network_as_one_json_file_is_the_same(tmp_path: Path, empty: Database) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(NETWORK, ensure_ascii=False), encoding="utf-8")
    rows, faults = read_files([path])
    assert not faults
    report = empty.write_now(lambda connection: import_rows(connection, rows, NOW_MS, Random(1).randbytes))
    assert report.by_kind["vehicles"] == Counts(4, 0, 0)


def test_what_a_row_leaves_out_stays_as_it_is_stored(database: Database) -> None:
    key = public_text(7)
    import_document(database, {"cabinets": [{**NETWORK["cabinets"][0], "public_key": key}]})
    ended = {**NETWORK["tags"][0], "valid_until": "2026-10-01T00:00:00Z"}
    import_document(database, {"tags": [ended]})
    bare = {
        "members": [{"id": "m-suspended", "name": "Sam Suspended"}],
        "badges": [{"id": "b-alix-old", "member_id": "m-alix", "credential": "calypso:0000000000000A01"}],
        "cabinets": [NETWORK["cabinets"][0]],
        "tags": [NETWORK["tags"][0]],
    }
    report = import_document(database, bare)
    assert not report.wrote
    assert _row(database, members, "m-suspended")["standing"] == "suspended"
    assert _row(database, badges, "b-alix-old")["state"] == "revoked"
    assert _row(database, cabinets, "gare-1")["public_key"] == key


def test_what_a_row_says_in_so_many_words_is_taken_over(database: Database) -> None:
    pardoned = {"id": "m-suspended", "name": "Sam Suspended", "standing": "active"}
    import_document(database, {"members": [pardoned]})
    assert _row(database, members, "m-suspended")["standing"] == "active"


def test_a_cabinet_with_live_bookings_is_not_retired(database: Database) -> None:
    booked = booking_row("b1", NOW_MS, NOW_MS + HOUR_MS)
    database.write_now(lambda connection: insert_booking(connection, booked))
    with pytest.raises(ImportRefused, match="while it is booked"):
        import_document(database, {"cabinets": [{**NETWORK["cabinets"][0], "life_cycle": "retired"}]})
