"""What a bad line does to the bytes that pass."""

import random


def spoilt(data: bytes, rng: random.Random, *, noisy: float, cut: float = 0.0) -> bytes:
    """What arrives of a piece. `noisy` is the share of pieces with a bit changed, `cut` of those that end early."""
    if noisy and rng.random() < noisy:
        at = rng.randrange(len(data))
        data = data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
    if cut and rng.random() < cut:
        data = data[: rng.randrange(len(data))]
    return data
