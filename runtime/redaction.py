"""Which names promise a secret: their values are shown neither in logs nor in configuration errors."""

import re

SECRET_WORDS = frozenset({"authorization", "passphrase", "password", "pin", "secret", "token", "uid"})
WORD = re.compile(r"[a-z]+")


def is_secret_name(name: str) -> bool:
    """`badge_uid`, `pin` and `api.token` are; `password_file` is not, it says where the secret lies."""
    words = WORD.findall(name.lower())
    return bool(words) and words[-1] not in {"file", "path"} and not SECRET_WORDS.isdisjoint(words)
