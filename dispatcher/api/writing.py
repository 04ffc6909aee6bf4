"""The one way in which an endpoint writes: in one transaction, and only once for one `Idempotency-Key`.

    async def create_booking(write: Write, wanted: NewBooking) -> BookingOut:
        made = await write(work, location=lambda made: f"/api/v1/bookings/{made.id}")

`work` runs inside the transaction and returns what is answered, an `Answer`. That answer is kept in the same
transaction, so that a request which comes again under its key is told the same and does nothing. Whatever else
`work` returns (a refusal, None for what is not there), and whatever it raises, leaves the key unused: nothing was
done, and the same request may be tried again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, Header, Request, Response
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Caller, Context
from dispatcher.api.etags import IfMatch, is_state, matches, state_tag, version_tag
from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.values import Answer
from dispatcher.core.rules import BookingReason
from dispatcher.store.stored_answers import Asked, Found, StoredAnswer, claim, keep, release

T = TypeVar("T")
Location = Callable[[Any], str]
"""The path of what was made, from its answer."""

KEY_CHARACTERS_MAX = 255  # as Stripe's, whose header this was before the IETF's draft
KEY_PATTERN = rf"^[ -~]{{1,{KEY_CHARACTERS_MAX}}}$"
REPLAYED = "idempotency-replayed"
RETRY_AFTER_S = 1  # a write takes some ms: who comes back then finds it done
KEY_MEANING = (
    "Chosen by the caller, once for each thing that is to be done, such as a UUID: 1 to 255 printable ASCII"
    " characters. A request that comes again under it within 24 hours does nothing and is answered the same, with"
    " the header `idempotency-replayed: true` (draft-ietf-httpapi-idempotency-key-header)."
)


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=Versioned)
Key = Annotated[str | None, Header(alias="Idempotency-Key", pattern=KEY_PATTERN, description=KEY_MEANING)]


class Replay(Exception):
    """The request was done before: it ends with this answer."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Writer:
    """Of one request."""

    context: ApiContext
    caller: str
    """The name of the token."""
    request: Request
    response: Response
    key: str | None
    if_match: str | None = None

    async def __call__(self, work: Callable[[Connection], T], location: Location | None = None) -> T:
        """What `work` returns, run in one transaction.

        An answer that is a thing gets its tag.

        Raises:
            Replay: it was done before.
            Refusal: `idempotency_key_reused`, `request_in_progress`.
        """
        if self.key is None:
            outcome = await self.context.database.write(work)
            self._headers(outcome, location)
            return outcome
        asked = await self._asked(self.key)
        running = self.context.running
        if asked.id in running:
            detail = "a request with this Idempotency-Key is being answered: expected its answer first"
            headers = {"retry-after": str(RETRY_AFTER_S)}
            raise Refusal(ApiReason.REQUEST_IN_PROGRESS, detail, headers=headers)
        running.add(asked.id)
        try:
            once = partial(self._once, asked=asked, work=work, location=location)
            outcome = await self.context.database.write(once)
        finally:
            running.discard(asked.id)
        self._headers(outcome, location)
        return outcome

    def expected(self, found: V | None) -> V | None:
        """What was found, as it is to be changed.

        Raises:
            Refusal: `version_changed`: the caller changes another version of it (`If-Match`).
        """
        if found is not None and self.if_match is not None and not matches(self.if_match, found.version):
            detail = f"If-Match is {self.if_match}; expected {version_tag(found.version)}, its version now"
            raise Refusal(ApiReason.VERSION_CHANGED, detail)
        return found

    def expected_as_read(self, present: Answer) -> None:
        """Of a thing without versions: what can be changed of it is as the caller has read it (`If-Match`).

        Raises:
            Refusal: `version_changed`: it is not.
        """
        assert present.TOLD is not None, "a thing that can be changed says what of it is only told"
        tag = state_tag(present.model_dump_json(), present.TOLD)
        if self.if_match is not None and not is_state(self.if_match, tag):
            detail = f"If-Match is {self.if_match}; expected {tag}, the tag of what is there now"
            raise Refusal(ApiReason.VERSION_CHANGED, detail)

    def _once(
        self,
        connection: Connection,
        asked: Asked,
        work: Callable[[Connection], T],
        location: Location | None,
    ) -> T:
        now_ms = self.context.clock.now_ms()
        found = claim(connection, asked, now_ms)
        if isinstance(found, StoredAnswer):
            raise Replay(found)
        if found is not Found.NOTHING:
            raise _refused(found)
        outcome = work(connection)
        if isinstance(outcome, Answer):
            headers = _headers(outcome, location)
            keep(connection, asked, StoredAnswer(self._status, headers, outcome.model_dump_json()))
        else:
            release(connection, asked)
        return outcome

    async def _asked(self, key: str) -> Asked:
        url = self.request.url
        body = await self.request.body()
        parts = (self.request.method, url.path, url.query)
        return Asked.of(self.context.digest_secret, self.caller, key, parts, body)

    @property
    def _status(self) -> int:
        return self.request.scope["route"].status_code or 200

    def _headers(self, outcome: object, location: Location | None) -> None:
        if isinstance(outcome, Answer):
            self.response.headers.update(_headers(outcome, location))


def _headers(outcome: Answer, location: Location | None) -> dict[str, str]:
    headers = {}
    if location is not None:
        headers["location"] = location(outcome)
    version = getattr(outcome, "version", None)
    if version is not None:
        headers["etag"] = version_tag(version)
    elif outcome.TOLD is not None:
        headers["etag"] = state_tag(outcome.model_dump_json(), outcome.TOLD)
    return headers


def _refused(found: Found) -> Refusal:
    if found is Found.OTHER_REQUEST:
        detail = "another request was made under this Idempotency-Key: expected the very same method, path and body"
        return Refusal(ApiReason.IDEMPOTENCY_KEY_REUSED, detail)
    detail = "what is kept under this Idempotency-Key was not written by this program: expected another key"
    return Refusal(BookingReason.ROW_WITHOUT_ORIGIN, detail)


async def _writer(
    request: Request, response: Response, context: Context, caller: Caller, key: Key = None
) -> Writer:
    return Writer(context, caller, request, response, key)


async def _changer(writer: Annotated[Writer, Depends(_writer)], if_match: IfMatch = None) -> Writer:
    return replace(writer, if_match=if_match)


Write = Annotated[Writer, Depends(_writer)]
Change = Annotated[Writer, Depends(_changer)]
"""For what changes a thing as the caller has read it: `Writer.expected`, without versions `expected_as_read`."""
