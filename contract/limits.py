"""How large a message may be, and what is left out first when it would be larger."""

from contract.messages import BATCH_BYTES_MAX, FACT_BYTES_MAX, Desired, Reported

__all__ = [
    "BATCH_BYTES_MAX",
    "FACT_BYTES_MAX",
    "PAYLOAD_BYTES_MAX",
    "REPORTED_BYTES_MAX",
    "TooLarge",
    "fit_desired",
    "fit_reported",
]

PAYLOAD_BYTES_MAX = 256 * 1024  # any message before signing; base64 makes it 342 KiB, under brokers' 1 MiB
REPORTED_BYTES_MAX = 64 * 1024  # 128 slots and 128 vehicles are about 40 KiB


class TooLarge(ValueError):
    """A message stays over its limit though everything that may be left out was left out."""


def fit_desired(desired: Desired, bytes_max: int = PAYLOAD_BYTES_MAX) -> Desired:
    """Leave out the farthest grants, and badges that only they name, until the message fits.

    Raises:
        TooLarge: it does not fit even without any grant.
    """
    if len(desired.to_json().encode()) <= bytes_max:
        return desired
    low, high = 0, len(desired.grants)
    while low < high:
        middle = (low + high + 1) // 2
        if len(_with_nearest(desired, middle).to_json().encode()) <= bytes_max:
            low = middle
        else:
            high = middle - 1
    fitted = _with_nearest(desired, low)
    size = len(fitted.to_json().encode())
    if size > bytes_max:
        raise TooLarge(f"desired of {desired.cabinet}: {size} bytes without any grant, limit {bytes_max}")
    return fitted


def _with_nearest(desired: Desired, count: int) -> Desired:
    kept = tuple(sorted(desired.grants, key=lambda grant: (grant.start_ms, grant.grant))[:count])
    named = {ref for grant in kept for ref in grant.badges}
    named.update(ref for pool in desired.pools for ref in pool.badges)
    return desired.model_copy(
        update={
            "grants": kept,
            "badges": tuple(entry for entry in desired.badges if entry.ref in named),
            "grants_left_out": desired.grants_left_out + len(desired.grants) - count,
            "complete_until_ms": _complete_until(desired, count),
        }
    )


def _complete_until(desired: Desired, count: int) -> int | None:
    """Up to where every grant is told: what is left out starts then, or later."""
    starts = sorted(grant.start_ms for grant in desired.grants)[count : count + 1]
    if desired.complete_until_ms is None:
        return None
    return min((desired.complete_until_ms, *starts))


def fit_reported(reported: Reported, bytes_max: int = REPORTED_BYTES_MAX) -> Reported:
    """Leave out vehicles' signals first: slots and devices are why the message exists."""
    if len(reported.to_json().encode()) <= bytes_max:
        return reported
    without = reported.model_copy(update={"vehicles": ()})
    size = len(without.to_json().encode())
    if size > bytes_max:
        raise TooLarge(f"reported of {reported.cabinet}: {size} bytes without vehicles, limit {bytes_max}")
    return without
