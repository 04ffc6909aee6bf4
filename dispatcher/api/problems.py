"""Every error as problem+json (RFC 9457), with a `reason` that programs can act on."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from dispatcher.core.availability import NotFree
from dispatcher.core.incidents import IncidentReason
from dispatcher.core.life_cycles import NetworkReason, NetworkRefused
from dispatcher.core.rules import BookingReason, Refused
from dispatcher.core.windows import Window, to_utc
from dispatcher.instants import TIME_WITHOUT_OFFSET

MEDIA_TYPE = "application/problem+json"
URN = "urn:carshare:problem:"


class ApiReason(StrEnum):
    """Why a request is refused, whatever it asks for."""

    INVALID_REQUEST = "invalid_request"
    MALFORMED_JSON = "malformed_json"
    TIME_WITHOUT_OFFSET = TIME_WITHOUT_OFFSET
    BAD_CURSOR = "bad_cursor"
    MISSING_TOKEN = "missing_token"  # noqa: S105  # a reason, no secret
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105  # as above
    EXPIRED_TOKEN = "expired_token"  # noqa: S105  # as above
    INSUFFICIENT_SCOPE = "insufficient_scope"
    FOREIGN_ORIGIN = "foreign_origin"
    WRONG_CSRF_TOKEN = "wrong_csrf_token"  # noqa: S105  # as above
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    REQUEST_IN_PROGRESS = "request_in_progress"
    VERSION_CHANGED = "version_changed"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL_ERROR = "internal_error"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    CABINET_NOT_IN_SERVICE = "cabinet_not_in_service"
    TOO_MANY_CODES = "too_many_codes"
    MEMBER_HAS_BOOKINGS = "member_has_bookings"  # one that holds, as owner or as driver
    ERASURES_NOT_KEPT = "erasures_not_kept"  # the list outside the database cannot be written
    TOO_MANY_WEBHOOKS = "too_many_webhooks"
    WEBHOOK_DISABLED = "webhook_disabled"


Reason = ApiReason | BookingReason | NetworkReason | IncidentReason

PROBLEMS: Mapping[Reason, tuple[int, str]] = MappingProxyType(
    {
        ApiReason.INVALID_REQUEST: (422, "The request has wrong fields"),
        ApiReason.MALFORMED_JSON: (400, "The body is not JSON"),
        ApiReason.TIME_WITHOUT_OFFSET: (422, "A time has no UTC offset"),
        ApiReason.BAD_CURSOR: (422, "The cursor is none that this list gave out"),
        ApiReason.MISSING_TOKEN: (401, "A bearer token is required"),
        ApiReason.UNKNOWN_TOKEN: (401, "The bearer token is not known"),
        ApiReason.EXPIRED_TOKEN: (401, "The bearer token has expired"),
        ApiReason.INSUFFICIENT_SCOPE: (403, "The token may not do this"),
        ApiReason.FOREIGN_ORIGIN: (403, "Another site sent the request"),
        ApiReason.WRONG_CSRF_TOKEN: (403, "The request lacks the secret of its session"),
        ApiReason.NOT_FOUND: (404, "There is no such thing"),
        ApiReason.METHOD_NOT_ALLOWED: (405, "This resource does not know that method"),
        ApiReason.BODY_TOO_LARGE: (413, "The body is too large"),
        ApiReason.IDEMPOTENCY_KEY_REUSED: (422, "The Idempotency-Key belongs to another request"),
        ApiReason.REQUEST_IN_PROGRESS: (409, "The request is being answered already"),
        ApiReason.VERSION_CHANGED: (412, "It was changed since it was read"),
        ApiReason.TOO_MANY_REQUESTS: (429, "There are too many requests"),
        ApiReason.INTERNAL_ERROR: (500, "The dispatcher made a mistake"),
        ApiReason.STORAGE_UNAVAILABLE: (503, "The database does not answer"),
        ApiReason.CABINET_NOT_IN_SERVICE: (409, "The cabinet is not in service"),
        ApiReason.TOO_MANY_CODES: (409, "The cabinet has too many release codes"),
        ApiReason.MEMBER_HAS_BOOKINGS: (409, "The member has a booking that holds"),
        ApiReason.ERASURES_NOT_KEPT: (503, "The list of erasures cannot be written"),
        ApiReason.TOO_MANY_WEBHOOKS: (409, "There are too many webhooks"),
        ApiReason.WEBHOOK_DISABLED: (409, "The webhook is disabled"),
        BookingReason.END_NOT_AFTER_START: (422, "The booking ends before it starts"),
        BookingReason.OFF_GRID: (422, "The time does not lie on the booking grid"),
        BookingReason.TOO_SHORT: (422, "The booking is too short"),
        BookingReason.NO_EXTENSION: (422, "The end is not later than it is"),
        BookingReason.IN_THE_PAST: (422, "The time has passed"),
        BookingReason.BEYOND_HORIZON: (422, "The time lies beyond the booking horizon"),
        BookingReason.UNKNOWN_MEMBER: (422, "There is no such member"),
        BookingReason.UNKNOWN_COST_CENTRE: (422, "There is no such cost centre"),
        BookingReason.UNKNOWN_POOL: (422, "There is no such pool"),
        BookingReason.UNKNOWN_VEHICLE: (422, "There is no such vehicle"),
        BookingReason.UNKNOWN_STATION: (422, "There is no such station"),
        BookingReason.NO_SUCH_VEHICLE_HERE: (422, "The station has no vehicle of that category"),
        BookingReason.THIRD_PARTY: (409, "A third party books nothing"),
        BookingReason.NOT_STAFF: (409, "Orders are for staff and third parties"),
        BookingReason.NOT_OF_ORGANISATION: (422, "The member does not drive for that organisation"),
        BookingReason.SUSPENDED: (409, "The member is suspended"),
        BookingReason.LICENCE_EXPIRED: (409, "The member's licence has expired"),
        BookingReason.VEHICLE_NOT_FREE: (409, "The vehicle is not free"),
        BookingReason.VEHICLE_NOT_IN_SERVICE: (409, "The vehicle is not in service"),
        BookingReason.VEHICLE_BLOCKED: (409, "The vehicle is blocked"),
        BookingReason.IN_SERVICE_ORDER: (409, "The vehicle is being serviced"),
        BookingReason.VEHICLE_NOT_BACK: (409, "The vehicle has not come back"),
        BookingReason.KEY_NOT_PRESENT: (409, "The vehicle's key is not in its cabinet"),
        BookingReason.KEY_NOT_IN_SERVICE: (409, "The vehicle has no key in service"),
        BookingReason.CABINET_UNREACHABLE: (409, "The key cabinet cannot be reached"),
        BookingReason.CABINET_RETIRED: (409, "The cabinet is retired"),
        BookingReason.ROW_WITHOUT_ORIGIN: (409, "The record was written past this program"),
        BookingReason.KEY_WAS_TAKEN: (409, "The key has been taken"),
        BookingReason.TAKE_BY_PASSED: (409, "The time to take the key has passed"),
        BookingReason.OFFER_OVER: (409, "The offer is over"),
        BookingReason.SLOT_RELEASED: (409, "The key is being taken"),
        BookingReason.BLOCK_BEGUN: (409, "The block has begun"),
        BookingReason.BLOCK_ENDED: (409, "The block was ended"),
        BookingReason.KEY_NOT_TAKEN: (409, "The key has not been taken"),
        BookingReason.NOT_DURING_ORDER: (422, "The instant lies outside the order"),
        BookingReason.SAME_VEHICLE: (409, "The booking has that vehicle already"),
        BookingReason.KEY_STILL_OUT: (409, "The key is still out"),
        BookingReason.KEY_ALREADY_BACK: (409, "The key is already back"),
        BookingReason.BOOKING_COMPLETED: (409, "The booking is completed"),
        BookingReason.BOOKING_CANCELLED: (409, "The booking is cancelled"),
        BookingReason.BOOKING_NO_SHOW: (409, "The booking was a no-show"),
        IncidentReason.ALREADY_CLOSED: (409, "The incident is closed"),
        IncidentReason.ENDS_BY_ITSELF: (409, "The incident closes when what it names is over"),
        NetworkReason.LIFE_CYCLE_BACKWARDS: (409, "A life cycle goes forwards only"),
        NetworkReason.KEY_IS_OUT: (409, "The key is out"),
        NetworkReason.HAS_BOOKINGS: (409, "Bookings or orders hold it"),
        NetworkReason.HAS_KEYS: (409, "Keys live there"),
        NetworkReason.HAS_VEHICLES: (409, "Vehicles live there"),
        NetworkReason.HAS_CABINETS: (409, "Its cabinets are in use"),
        NetworkReason.STATION_RETIRED: (409, "The station is retired"),
        NetworkReason.CABINET_RETIRED: (409, "The cabinet is retired"),
        NetworkReason.VEHICLE_RETIRED: (409, "The vehicle is retired"),
        NetworkReason.SLOT_TAKEN: (409, "Another key lives in that slot"),
        NetworkReason.SLOT_NOT_IN_USE: (409, "The slot is spare or out of use"),
        NetworkReason.NO_SUCH_SLOT: (422, "The cabinet has no such slot"),
        NetworkReason.NO_SUCH_MUNICIPALITY: (422, "There is no such municipality"),
        NetworkReason.NO_SUCH_STATION: (422, "There is no such station"),
        NetworkReason.NO_SUCH_CABINET: (422, "There is no such cabinet"),
        NetworkReason.NO_SUCH_VEHICLE: (422, "There is no such vehicle"),
        NetworkReason.NO_SUCH_ORGANISATION: (422, "There is no such organisation"),
        NetworkReason.ID_IN_USE: (409, "Another one has this id"),
        NetworkReason.NO_SUCH_MEMBER: (422, "There is no such member"),
        NetworkReason.NOT_OF_ORGANISATION: (422, "The member does not drive for that organisation"),
        NetworkReason.IN_POOL: (409, "The member is in a pool of the organisation"),
        NetworkReason.POOL_IS_FULL: (409, "The pool has as many members as a box takes"),
        NetworkReason.CREDENTIAL_IN_USE: (409, "Another one has this credential"),
        NetworkReason.BADGE_REVOKED: (409, "The badge is revoked"),
        NetworkReason.PIN_LENGTH: (422, "The PIN has another number of digits"),
        NetworkReason.MEMBER_ERASED: (409, "The member is erased"),
        NetworkReason.NOT_OUR_ROW: (409, "The record was written past this program"),
    }
)
"""Status and title of each: 422 where the request is wrong at any time, 409 where the world is against it."""


class _Documented(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class FieldFault(_Documented):
    """One wrong field."""

    field: str
    """Its path, such as `driver_ids.2`."""
    value: str | None = None
    """What was sent, as JSON, shortened; absent for fields that may hold a secret."""
    expected: str
    """What would have been accepted."""


class FreeWindow(_Documented):
    start: datetime
    end: datetime


class VehicleNotFree(_Documented):
    """Why one vehicle cannot be booked for the window asked."""

    vehicle_id: str
    reason: BookingReason
    next_free: FreeWindow | None = None
    """When it is free next for as long; absent: not within the booking horizon, or time does not help."""


class AlternativeVehicle(_Documented):
    """A vehicle of the same category that can be booked for the same window, and whose cabinet can be told."""

    vehicle_id: str
    station_id: str
    cabinet_id: str
    category: str
    distance_m: int
    """From the station that was asked for, as the crow flies."""


class Problem(_Documented):
    """Problem details (RFC 9457)."""

    type: str
    """`urn:carshare:problem:` and the reason."""
    title: str
    status: int
    detail: str
    reason: Reason
    errors: list[FieldFault] = []
    """Each wrong field."""
    not_free: list[VehicleNotFree] | None = None
    """Each vehicle that was considered."""
    alternatives: list[AlternativeVehicle] | None = None
    """What could be booked instead: at the same station, then at the nearest ones; absent: none known."""
    latest_end: datetime | None = None
    """The latest end that the booking can have as things stand."""
    scope: str | None = None
    """The scope that the token lacks."""


class ProblemResponse(JSONResponse):
    """JSON that can also quote half a surrogate pair, which no UTF-8 can: as the escape that it came as."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


class Refusal(Exception):
    """Raised by an endpoint: the request ends with this problem."""

    def __init__(
        self,
        reason: Reason,
        detail: str,
        errors: Sequence[FieldFault] = (),
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """`more`: further fields of the problem, such as `not_free`."""
        super().__init__(reason)
        assert more.keys() <= Problem.model_fields.keys(), more.keys()
        status, title = PROBLEMS[reason]
        self.headers = dict(headers or {})
        self.problem = Problem(
            type=URN + reason,
            title=title,
            status=status,
            detail=detail,
            reason=reason,
            errors=list(errors),
            **more,
        )

    def response(self) -> JSONResponse:
        content = self.problem.model_dump(mode="json", exclude_none=True)
        return ProblemResponse(content, self.problem.status, self.headers, MEDIA_TYPE)


def fault_of(refused: Refused | NetworkRefused) -> FieldFault:
    return FieldFault(field=refused.field, value=refused.value, expected=refused.expected)


def refusal_of(refused: Refused | NetworkRefused, **more: Any) -> Refusal:
    """A rule's refusal as the API tells it."""
    detail = f"{refused.field} is {refused.value}; expected {refused.expected}"
    return Refusal(refused.reason, detail, [fault_of(refused)], **more)


def not_found(what: str, found_id: str) -> Refusal:
    return Refusal(ApiReason.NOT_FOUND, f"there is no {what} {found_id!r}")


def free_window(window: Window | None) -> FreeWindow | None:
    return None if window is None else FreeWindow(start=to_utc(window.start_ms), end=to_utc(window.end_ms))


def vehicle_not_free(verdict: NotFree) -> VehicleNotFree:
    return VehicleNotFree(
        vehicle_id=verdict.vehicle_id, reason=verdict.reason, next_free=free_window(verdict.next_free)
    )
