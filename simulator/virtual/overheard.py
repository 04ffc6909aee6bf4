"""What passes at the broker, as somebody who owns it would keep it: signed, but for all to read."""

import base64
import json
from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import Any

KEPT = 8  # messages of each topic


class Overheard:
    """The last messages of each topic. `listeners` hear of each as it passes."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[str, bytes], None]] = []
        self.seen: dict[str, deque[bytes]] = defaultdict(partial(deque, maxlen=KEPT))

    def note(self, topic: str, payload: bytes) -> None:
        self.seen[topic].append(payload)
        for listener in self.listeners:
            listener(topic, payload)

    def newest(self, topic: str) -> dict[str, Any] | None:
        """The payload of the newest message there, which anybody can read."""
        if not self.seen[topic]:
            return None
        return read_payload(self.seen[topic][-1])


def read_payload(wire: bytes) -> dict[str, Any]:
    """The payload of a signed message; the signature is not looked at."""
    read: dict[str, Any] = json.loads(payload_bytes(wire))
    return read


def payload_bytes(wire: bytes) -> bytes:
    body = wire.split(b".")[1]
    return base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
