"""An example of each body that is sent in, and of the main answers: by the name of its model, for the document.

A test holds each against its model. Who adds a body adds its example here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

WHY = "badge broken, identity checked by phone"
FREE = {"start": "2026-10-05T11:00:00Z", "end": "2026-10-05T20:00:00Z"}
BOOKING: Mapping[str, Any] = MappingProxyType(
    {
        "id": "8sVh2mJtQ1cX0aZy",
        "member_id": "m-4711",
        "driver_ids": [],
        "pool_id": None,
        "organisation_id": None,
        "cost_centre_id": None,
        "vehicle_id": "v-city-1",
        "category": "city",
        "station_id": "gare",
        "cabinet_id": "gare-1",
        "start": "2026-10-05T09:00:00Z",
        "end": "2026-10-05T11:00:00Z",
        "original_start": "2026-10-05T09:00:00Z",
        "take_by": "2026-10-05T09:30:00Z",
        "state": "booked",
        "overdue": False,
        "grant": "pending",
        "taken_at": None,
        "returned_at": None,
        "hold_until": None,
        "ended_at": None,
        "created_at": "2026-10-04T10:07:00Z",
        "changed_at": "2026-10-04T10:07:00Z",
        "version": 1,
    }
)

EXAMPLES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # what is sent in
        "Assignment": {"assignee": "night-desk"},
        "BadgeSearch": {"credential": "calypso:00000000075BCD15"},
        "Because": {"reason": "asked for by the member in writing", "case": "2026-17"},
        "BlockEnding": {"reason": "windscreen replaced"},
        "BlockPatch": {"expected_end": "2026-10-07T18:00:00+02:00", "reason": "part is late"},
        "BookingChange": {"start": "2026-10-05T12:00:00+02:00", "end": "2026-10-05T14:00:00+02:00"},
        "CabinetChange": {"life_cycle": "in_service", "reason": "installed"},
        "Closing": {"reason": "Counted: all eight keys hang there."},
        "Completion": {"reason": "cabinet full, key left with the garage", "key_held_by": "Garage du Port"},
        "CostCentreChange": {"name": "Espaces verts"},
        "Ending": {"reason": "done sooner"},
        "Extension": {"end": "2026-10-05T14:30:00+02:00"},
        "KeyChange": {"home_slot": 4, "reason": "slot 2 sticks"},
        "MemberChange": {"standing": "suspended", "reason": "licence is being looked at"},
        "MemberQuery": {"name": "dum", "standing": "active"},
        "MunicipalityChange": {"name": "Villeneuve-d'Ascq"},
        "NewBadge": {"credential": "calypso:00000000075BCD15"},
        "NewBlock": {"vehicle_id": "v-city-1", "kind": "damage", "note": "windscreen cracked"},
        "NewBooking": {
            "member_id": "m-4711",
            "category": "city",
            "station_id": "gare",
            "start": "2026-10-05T11:00:00+02:00",
            "end": "2026-10-05T13:00:00+02:00",
        },
        "NewCabinet": {
            "id": "gare-2",
            "station_id": "gare",
            "slots": 16,
            "public_key": "BiSrbU2jhxElrCFN7Z169ofOkoB6xEzOfQ4fhKZTcWo",
        },
        "NewCommand": {"slot": 2, "reason": WHY},
        "NewComment": {"text": "Called: the key lies at the reception."},
        "NewCostCentre": {"organisation_id": "city-hall", "name": "Parcs et jardins"},
        "NewCustody": {"to_name": "Garage du Port", "note": "brakes"},
        "NewKey": {"vehicle_id": "v-city-1", "home_cabinet_id": "gare-1", "home_slot": 2},
        "NewMember": {"name": "Alix Dumont", "standing": "active"},
        "NewMunicipality": {"id": "mons", "name": "Mons-en-Baroeul"},
        "NewOrder": {
            "holder_id": "m-12",
            "vehicle_id": "v-city-1",
            "purpose": "cleaning",
            "end": "2026-10-05T12:00:00+02:00",
        },
        "NewOrganisation": {"name": "Ville de Lille"},
        "NewPin": {"pin": "4711", "reason": "forgotten"},
        "NewPool": {"organisation_id": "city-hall", "name": "Jardiniers", "member_ids": ["m-7f3k"]},
        "NewRelease": {"reason": WHY},
        "NewReleaseCode": {"slot": 2, "reason": WHY},
        "NewReleaseCodeOfBooking": {"reason": WHY},
        "NewShiftNote": {"text": "Mairie: the locksmith comes at 8, let him in.", "station_id": "mairie"},
        "NewStation": {
            "id": "mons-mairie",
            "name": "Mons Mairie",
            "municipality_id": "mons",
            "latitude": 50.6411,
            "longitude": 3.1107,
        },
        "NewTag": {"credential": "em4100:0100000001", "reason": "tag lost"},
        "NewTheft": {"case": "PV 2026-0815", "reason": "found torn off by the morning round"},
        "NewVehicle": {"name": "Lilas 005", "category": "city", "energy": "electric", "home_station_id": "gare"},
        "NewWebhook": {"url": "https://bookings.example/carshare"},
        "OrderPatch": {"end": "2026-10-05T13:00:00+02:00"},
        "OrganisationChange": {"name": "Mairie de Lille"},
        "PoolChange": {"add_member_ids": ["m-91xq"], "remove_member_ids": ["m-7f3k"], "reason": "autumn team"},
        "ReplayBegin": {"since": "2026-10-05T00:00:00+02:00"},
        "Replacement": {"reason": "scratched mirror", "category": "city"},
        "Revocation": {"reason": "lost"},
        "Rotation": {"keep_previous_s": 3600},
        "SlotChange": {"use": "spare"},
        "StationChange": {"public": False, "reason": "for one organisation"},
        "VehicleChange": {"home_station_id": "mairie", "reason": "more asked for there"},
        "VehicleSearch": {"plate": "AB-123-CD"},
        "WebhookPatch": {"state": "paused"},
        "WhoHeld": {
            "vehicle_id": "v-city-1",
            "at": "2026-10-05T12:10:00+02:00",
            "case": "PV 2026-0815",
            "reason": "notice of a fine",
        },
        # what is answered
        "BookingOut": {**BOOKING},
        "ChangedBookingOut": {**BOOKING, "version": 2, "latest_end": "2026-10-05T16:00:00Z"},
        "BookingList": {"items": [{**BOOKING}], "next": None},
        "AvailabilityList": {
            "free": [
                {
                    "vehicle_id": "v-city-1",
                    "station_id": "gare",
                    "category": "city",
                    "energy": "electric",
                    "latest_end": "2026-10-05T16:00:00Z",
                    "distance_m": None,
                    "free_intervals": [FREE],
                }
            ],
            "not_free": [
                {
                    "vehicle_id": "v-city-2",
                    "station_id": "gare",
                    "category": "city",
                    "reason": "vehicle_not_free",
                    "next_free": FREE,
                    "distance_m": None,
                    "free_intervals": [FREE],
                }
            ],
            "stations": [
                {
                    "station_id": "gare",
                    "distance_m": None,
                    "free": 1,
                    "not_free": 1,
                    "reason": None,
                    "next_free": None,
                }
            ],
            "reason": None,
            "next_free": None,
            "looked_until": "2026-10-12T16:00:00Z",
            "next": None,
        },
        "CommandOut": {
            "id": "Yq0bT3mA9kLx2wRz",
            "cabinet_id": "gare-1",
            "action": "release_slot",
            "slot": 2,
            "booking_id": None,
            "author": "hotline",
            "reason": WHY,
            "issued_at": "2026-10-05T09:00:00Z",
            "expires_at": "2026-10-05T09:01:00Z",
            "outcome": "completed",
            "outcome_reason": None,
            "answered_at": "2026-10-05T09:00:01Z",
        },
        "Problem": {
            "type": "urn:carshare:problem:vehicle_not_free",
            "title": "The vehicle is not free",
            "status": 409,
            "detail": "vehicle_id is v-city-1; expected a vehicle that is free from start to end",
            "reason": "vehicle_not_free",
            "errors": [{"field": "vehicle_id", "value": "v-city-1", "expected": "a vehicle that is free"}],
        },
    }
)
