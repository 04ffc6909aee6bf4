"""Which vehicles are free for a window, and of the others why not and when they are free next."""

from functools import partial
from typing import Annotated

from fastapi import Query

from contract.places import Place
from dispatcher.api.availability_models import AvailabilityList, AvailabilityQuery, ahead_ms, availability_list
from dispatcher.api.context import Context
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, refusal_of
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import page_request
from dispatcher.core.rules import Refused, check_window
from dispatcher.core.windows import Window, to_ms
from dispatcher.store.availability import Answered, Around, Question, answer
from dispatcher.store.unmet import count_unmet

router = resource("availability", read=Scope.NETWORK_READ)


@router.get("", responses=answers(422))
async def read_availability(context: Context, query: Annotated[AvailabilityQuery, Query()]) -> AvailabilityList:
    """Vehicles of a station, of a category, or around a place, judged for one window."""
    question = _question(query)
    request = page_request(query, str) if question.around is None else page_request(query, int, str)
    now_ms = context.clock.now_ms()
    refused = check_window(context.rules, question.window, now_ms)
    if refused is not None:
        raise refusal_of(_named_as_here(refused))
    reading = partial(answer, rules=context.rules, question=question, request=request, now_ms=now_ms)
    answered = await context.database.read(reading)
    if isinstance(answered, Refused):
        raise refusal_of(answered)
    told = availability_list(answered, question, context.rules, now_ms)
    if told.reason is not None and told.next is None and request.after is None:
        reason, place = told.reason, _place(question, answered)
        await context.database.write(
            lambda connection: count_unmet(connection, question.window.start_ms, place, reason, "search")
        )
    return told


def _place(question: Question, answered: Answered) -> tuple[str | None, str | None]:
    """Where it was wanted: the station that was named, or the one nearest to the place."""
    nearest = min(answered.metres, key=lambda station: answered.metres[station], default=None)
    return question.station_id or nearest, question.category


def _question(query: AvailabilityQuery) -> Question:
    around = None
    if query.lat is not None and query.lon is not None:
        around = Around(Place(query.lat, query.lon), query.radius_m)
    elif query.lat is not None or query.lon is not None:
        field = "lon" if query.lon is None else "lat"
        fault = FieldFault(field=field, expected="lat and lon, or none of them")
        raise Refusal(ApiReason.INVALID_REQUEST, "half of a place is missing", [fault])
    if query.station is None and query.category is None and around is None:
        fault = FieldFault(field="station", expected="a station, a category, a place, or more of them")
        raise Refusal(ApiReason.INVALID_REQUEST, "what is to be looked at is not clear", [fault])
    window = Window(to_ms(query.from_), to_ms(query.until))
    return Question(window, query.station, query.category, around, ahead_ms(query))


def _named_as_here(refused: Refused) -> Refused:
    """A rule speaks of start and end; this query calls them from and until."""
    field = {"start": "from", "end": "until"}[refused.field]
    return Refused(refused.reason, field, refused.value, refused.expected)
