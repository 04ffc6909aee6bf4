"""What is asked and answered about webhooks."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dispatcher.api.values import Answer, Body, Listing, PageQuery, instant_of
from dispatcher.core.deliveries import Outcome
from dispatcher.core.events import EVENTS, WEBHOOK_TEST
from dispatcher.core.receivers import URL_CHARACTERS_MAX, URL_EXPECTED, is_receiver_url
from dispatcher.core.windows import to_utc
from dispatcher.instants import Instant
from dispatcher.store.delivery_desk import Delivery
from dispatcher.store.webhook_secrets import secret_text
from dispatcher.store.webhooks import Webhook

KINDS = tuple(kind for kind in EVENTS if kind != WEBHOOK_TEST)
KEEP_PREVIOUS_S_MAX = 7 * 86_400  # a receiver's next release
EVENT_ID_CHARACTERS_MAX = 40  # 18 digits, a hyphen, 20 characters


def _receiver(url: str) -> str:
    if not is_receiver_url(url):
        raise ValueError(URL_EXPECTED)
    return url


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"one of {', '.join(KINDS)}")
    return kind


Url = Annotated[
    str,
    Field(max_length=URL_CHARACTERS_MAX, description=URL_EXPECTED, examples=["https://hooks.example.org/carshare"]),
    AfterValidator(_receiver),
]
Kind = Annotated[
    str,
    Field(max_length=64, description="see docs/events.md", examples=["booking.created"]),
    AfterValidator(_known),
]
Kinds = Annotated[tuple[Kind, ...], Field(min_length=1, max_length=len(KINDS))]
State = Literal["active", "paused", "disabled"]


class NewWebhook(Body):
    url: Url
    """Where events are sent."""
    kinds: Kinds | None = None
    """Only events of these kinds; null: all, also those that come with a later version."""
    personal: bool = False
    """Events come with ids of members. The token needs `members:read` as well."""


class WebhookPatch(Body):
    """What is to be different; absent: as it is."""

    url: Url | None = None
    kinds: Kinds | None = None
    """null, said: all."""
    personal: bool | None = None
    state: Literal["active", "paused"] | None = None
    """`paused`: events wait until it is active again. Of one that was disabled, those of meanwhile were not queued:
    replay them."""


class Rotation(Body):
    keep_previous_s: Annotated[int, Field(ge=0, le=KEEP_PREVIOUS_S_MAX)] = 86_400
    """Seconds for which events are signed with the present secret too."""


class ReplayBegin(Body):
    """Where to begin: with an event, or at an instant."""

    from_event: Annotated[str, Field(pattern=rf"^[0-9A-Za-z_-]{{1,{EVENT_ID_CHARACTERS_MAX}}}$")] | None = None
    """The id of an event that is kept; it is sent again as well."""
    since: Instant | None = None
    """Events of this instant and later."""
    only_dead: bool = False
    """Of those the dead letters alone."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.from_event is None) == (self.since is None):
            raise ValueError("either from_event or since")
        return self


class WebhookOut(Answer):
    id: str
    url: str
    kinds: list[str] | None
    personal: bool
    state: State
    why_disabled: str | None
    """`gone`: the receiver answered 410. `secret_unreadable`: the record was changed past this program."""
    author: str
    """The name of the token that made it."""
    created_at: datetime
    changed_at: datetime
    version: int
    """Goes up with each change."""
    previous_secret_until: datetime | None
    """Until then events are signed with the secret before the newest one too."""
    failures: int
    """Attempts in a row that failed."""
    rests_until: datetime | None
    """Nothing is sent before, since the last attempts failed."""


class WebhookSecretOut(WebhookOut):
    secret: str
    """As Standard Webhooks writes it, told this once: `whsec_` and the Base64 of 32 bytes."""


class WebhookList(Listing):
    items: list[WebhookOut]


class TestOut(Answer):
    __test__ = False  # no class of tests
    event_id: str
    """Of an event `webhook.test` that is sent to this webhook alone; its deliveries tell what became of it."""


class ReplayOut(Answer):
    queued: int
    """Events that are sent again."""


class DeliveryQuery(PageQuery):
    state: Literal["waiting", "delivered", "dead"] | None = None
    """`dead`: nobody tries any more."""


class AttemptOut(Answer):
    at: datetime
    outcome: Outcome
    status: int | None
    """Of the receiver's answer, of which nothing else is kept; null: there was none."""
    took_ms: int


class DeliveryOut(Answer):
    event_id: str
    sequence: int
    kind: str
    subject: str
    at: datetime
    data: dict[str, Any]
    """As it is sent, but without ids of members."""
    state: str
    attempts: int
    """Since it was queued, or queued again."""
    next_attempt_at: datetime | None
    """null: it does not wait."""
    done_at: datetime | None
    log: list[AttemptOut]
    """The last 20 attempts, oldest first."""


class DeliveryList(Listing):
    items: list[DeliveryOut]


def webhook_fields(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "kinds": None if webhook.kinds is None else list(webhook.kinds),
        "personal": webhook.personal,
        "state": webhook.state,
        "why_disabled": webhook.why_disabled,
        "author": webhook.author,
        "created_at": to_utc(webhook.created_ms),
        "changed_at": to_utc(webhook.changed_ms),
        "version": webhook.changed_ms,
        "previous_secret_until": instant_of(webhook.before_until_ms),
        "failures": webhook.failures,
        "rests_until": instant_of(webhook.rests_until_ms or None),
    }


def with_secret(webhook: Webhook, secret: bytes) -> WebhookSecretOut:
    return WebhookSecretOut(**webhook_fields(webhook), secret=secret_text(secret))


def delivery_out(delivery: Delivery) -> DeliveryOut:
    return DeliveryOut(
        event_id=delivery.event_id,
        sequence=delivery.sequence,
        kind=delivery.kind,
        subject=delivery.subject,
        at=to_utc(delivery.at_ms),
        data=delivery.data,
        state=delivery.state,
        attempts=delivery.attempts,
        next_attempt_at=to_utc(delivery.next_ms) if delivery.state == "waiting" else None,
        done_at=instant_of(delivery.done_ms),
        log=[
            AttemptOut(
                at=to_utc(entry["at_ms"]),
                outcome=entry["outcome"],
                status=entry["status"],
                took_ms=entry["took_ms"],
            )
            for entry in delivery.log
        ],
    )
