"""Random ids: opaque, so that they may stand in paths and logs (domain.md, P5)."""

import base64
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]

ID_BYTES = 15  # 120 bits, 20 characters without padding: nobody guesses one, none is met twice


def new_id(random_bytes: RandomBytes) -> str:
    return base64.urlsafe_b64encode(random_bytes(ID_BYTES)).decode()
