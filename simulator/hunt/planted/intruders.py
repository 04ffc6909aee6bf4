"""Bugs that only somebody with a copy or a tap finds."""

from typing import Any

from dispatcher.core.grants import Badge
from dispatcher.store import material, projections
from simulator.hunt.planted.bug import Bug, Restore, replaced
from station_agent.drivers.osdp.framing import Frame
from station_agent.drivers.osdp.secure import SecureSession


def _old_replies_taken() -> Restore:
    """Each frame is checked by itself and not by its place: what was good once is good again."""
    honest, good = SecureSession.open, dict[tuple[bytes, bytes], bytes]()

    def opened(self: SecureSession, frame: Frame) -> bytes | None:
        payload = honest(self, frame)
        if payload is not None and frame.payload:
            good[frame.signed, frame.mac] = payload
        return good.get((frame.signed, frame.mac)) if payload is None else payload

    return replaced(SecureSession, "open", opened)


def _revoked_badge_kept() -> Restore:
    def badge(ref: str, member_id: str, credential: str, *, revoked: bool, pin: str | None) -> Badge:
        return Badge(ref, member_id, credential, revoked=revoked and not ref, pin=pin)

    return replaced(material, "Badge", badge)


def _sightings_not_compared() -> Restore:
    def nothing(_at: Any, _fact: Any) -> None:
        return

    return replaced(projections, "badge_shown", nothing)


INTRUDER_BUGS = (
    Bug("old_replies_taken", "a reader's recorded reply is taken again", _old_replies_taken),
    Bug("revoked_badge_kept", "a revoked badge keeps its rights", _revoked_badge_kept),
    Bug("sightings_not_compared", "nobody notices a badge that is at two stations", _sightings_not_compared),
)
