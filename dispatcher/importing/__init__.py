"""Reads a network into the dispatcher: rows.py says what a row is, files.py reads them, checks.py compares
them with one another and with what is stored; dispatcher/store/importing.py writes them, all or nothing.

One JSON document holds lists of rows by kind. The same rows may come as CSV, one file for each kind, named
after it (`members.csv`), with the fields in its header and an empty cell for what is absent. Rows may name
rows of other files of the same import, and what is stored already. Importing again updates what differs;
what a file leaves out stays as it is.

{
  "municipalities": [{"id": "lille", "name": "Lille"}],
  "stations": [{"id": "gare", "name": "Gare", "municipality_id": "lille", "latitude": 50.6366,
                "longitude": 3.0706, "public": true, "life_cycle": "in_service"}],
  "cabinets": [{"id": "gare-1", "station_id": "gare", "slots": 8,
                "public_key": "BiSrbU2jhxElrCFN7Z169ofOkoB6xEzOfQ4fhKZTcWo", "life_cycle": "in_service"}],
  "cabinet_stations": [{"cabinet_id": "gare-1", "station_id": "gare", "serves": true}],
  "organisations": [{"id": "city-hall", "name": "Ville de Lille"}],
  "cost_centres": [{"id": "parks", "organisation_id": "city-hall", "name": "Parcs et jardins"}],
  "pools": [{"id": "gardeners", "organisation_id": "city-hall", "name": "Jardiniers"}],
  "pool_members": [{"pool_id": "gardeners", "member_id": "m-7f3k", "state": "active"}],
  "members": [{"id": "m-7f3k", "name": "Alix Dumont", "organisation_id": "city-hall", "standing": "active",
               "role": "member"}],
  "badges": [{"id": "b-91xq", "member_id": "m-7f3k", "credential": "calypso:00000000075BCD15",
              "state": "active", "pin": "4711"}],
  "vehicles": [{"id": "v-28dm", "name": "Lilas 001", "category": "city", "energy": "electric",
                "home_station_id": "gare", "life_cycle": "in_service", "plate": "AB123CD"}],
  "keys": [{"id": "k-55wc", "vehicle_id": "v-28dm", "home_cabinet_id": "gare-1", "home_slot": 1,
            "life_cycle": "in_service"}],
  "tags": [{"key_id": "k-55wc", "credential": "em4100:0100000001",
            "valid_from": "2026-01-01T00:00:00+01:00", "valid_until": null}]
}

May be left out: public, life_cycle (in_service), standing and state (active), role (member), public_key (the
box is not provisioned yet), serves (true), organisation_id, plate, pin (it stays as it is; null: the badge has
none), valid_from and valid_until (always), and any list.
"""
