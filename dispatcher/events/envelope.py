"""An event as it is sent: CloudEvents 1.0 in structured mode, signed as Standard Webhooks says."""

import base64
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.core.windows import utc_text
from dispatcher.store.deliveries import Waiting

MEDIA_TYPE = "application/cloudevents+json"
SEQUENCE_DIGITS = 19  # of a 64-bit number: so padded, texts are ordered as the numbers are
SCHEMA_URN = "urn:carshare:event:"


@dataclass(frozen=True, slots=True)
class EventNames:
    """What the operator calls the events of this dispatcher."""

    source: str
    """CloudEvents' `source`."""
    type_prefix: str
    """Stands before the kind in CloudEvents' `type`."""


def cloud_event(event: Waiting, names: EventNames) -> bytes:
    """The body: the same bytes however often the event is sent."""
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": names.source,
        "type": f"{names.type_prefix}.{event.kind}",
        "subject": event.subject,
        "time": utc_text(event.at_ms),
        "sequence": f"{event.sequence:0{SEQUENCE_DIGITS}}",  # CloudEvents' extension of that name
        "dataschema": SCHEMA_URN + event.kind,
        "datacontenttype": "application/json",
        "data": event.data,
    }
    return json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(event_id: str, body: bytes, secrets: Iterable[bytes], now_ms: int) -> dict[str, str]:
    """What makes a receiver believe it: one signature by each secret that is good now."""
    timestamp = str(now_ms // 1000)
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "content-type": MEDIA_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
