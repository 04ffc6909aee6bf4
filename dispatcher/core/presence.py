"""Which of two words from one cabinet is the newer, by the box's own counts and not by arrival.

A last will can arrive long after the connection it belongs to. And a box whose clock was set back boots
with an older `boot_ms`: its nonce tells that it is another boot all the same.
"""

from dataclasses import dataclass

from contract.messages import Presence, Reported


@dataclass(frozen=True, slots=True)
class KnownBoot:
    """The boot and the count (connection or revision) of the word that is held."""

    nonce: str
    boot_ms: int
    count: int


def is_stale_presence(presence: Presence, known: KnownBoot | None) -> bool:
    """Only a live box says "online"; "offline" counts of the boot that is there alone.

    A boot's time proves nothing about a will: one under a clock that was ahead would be the newest for ever.
    """
    if known is None:
        return False
    if presence.boot_nonce == known.nonce:
        return presence.connection < known.count
    return not presence.online


def is_stale_report(reported: Reported, known: KnownBoot | None, present_nonce: str | None) -> bool:
    """Within a boot the revision counts; a report of the boot that is present is newer than another's."""
    if known is None:
        return False
    if reported.boot_nonce == known.nonce:
        return reported.revision < known.count
    return reported.boot_nonce != present_nonce and reported.boot_ms <= known.boot_ms


def speaks_from_later(reported: Reported, known: KnownBoot | None) -> bool:
    """Whether a report was sent on a later connection than the newest presence tells of.

    Its "online" was lost then, and the report says the same. A report of the very connection whose will is known
    was merely overtaken by it.
    """
    if known is None:
        return True
    if reported.boot_nonce == known.nonce:
        return reported.connection > known.count
    return reported.boot_ms > known.boot_ms
