"""Whether a reader says that somebody opened it: told by reports, until the reader itself says otherwise."""

from sqlalchemy import Connection

from contract.messages import CABINET_DEVICE, Reported
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.incidents import close_incident, open_incident, open_subjects

KIND = IncidentKind.READER_TAMPERED


def settle_tampering(connection: Connection, reported: Reported, now_ms: int, *, some_are_open: bool) -> None:
    """Open and close the incidents of one cabinet's readers; `some_are_open`: it has any open.

    A reader that was torn off the wall answers no more: its incident stays open while it is away.
    """
    tampered = {  # of the cabinet itself, facts tell
        _subject(reported, state.device): state.device
        for state in reported.devices
        if state.tampered and state.device != CABINET_DEVICE
    }
    away = {_subject(reported, state.device) for state in reported.devices if not state.online}
    if not tampered and not some_are_open:
        return
    known = open_subjects(connection, KIND, reported.cabinet)
    for subject in sorted(tampered.keys() - known):
        discrepancy = Discrepancy(
            KIND,
            subject,
            expected=f"{tampered[subject]} is shut and on its wall",
            seen="its tamper contact is open",
            cabinet_id=reported.cabinet,
        )
        open_incident(connection, discrepancy, now_ms)
    for subject in sorted(known - tampered.keys() - away):
        close_incident(connection, KIND, subject, now_ms)


def _subject(reported: Reported, device: str) -> str:
    return f"{reported.cabinet}/{device}"
