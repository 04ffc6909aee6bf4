"""Repeatable randomness: one stream for each actor, so that adding one actor shifts no other."""

import random

ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is misread: i, l, o, 0, 1
ID_LENGTH = 10  # 31 ** 10 ids: two of a few thousand are the same once in a hundred million networks


def stream(seed: int, actor: str) -> random.Random:
    """The randomness of one actor. Seeding by text does not depend on PYTHONHASHSEED."""
    return random.Random(f"{seed}/{actor}")


class UniqueDraws:
    """Ids and card numbers that do not repeat within one network."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._given: set[str | bytes] = set()

    def opaque_id(self, prefix: str) -> str:
        """Such as `m-7k2xq9hv3c`: says nothing about whom it names."""
        while True:
            drawn = f"{prefix}-" + "".join(self._rng.choices(ID_ALPHABET, k=ID_LENGTH))
            if drawn not in self._given:
                self._given.add(drawn)
                return drawn

    def number(self, bits: int) -> bytes:
        """A card's number; never all zeros."""
        while True:
            drawn = self._rng.getrandbits(bits).to_bytes(bits // 8, "big")
            if drawn not in self._given and any(drawn):
                self._given.add(drawn)
                return drawn
