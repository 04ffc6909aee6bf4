"""Whether a cabinet's devices answer: facts tell of a loss and its end; a report shows what no fact will tell."""

from sqlalchemy import Connection

from contract.messages import Reported
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.incidents import close_incident, open_subjects

READER_REPLACED = "reader_replaced"  # why an OSDP reader is lost that answers with another key, or the public one
KINDS_OF_LOSS = (IncidentKind.DEVICE_LOST, IncidentKind.READER_REPLACED)
"""What is over when the device itself answers."""


def close_answering(connection: Connection, reported: Reported, now_ms: int) -> None:
    """Close the incidents of devices that answer in a report with all facts before it applied.

    A copy of a box, in a place without a cabinet, tells that they are lost; the box itself never lost them, and has
    nothing to tell of.
    """
    answering = {f"{reported.cabinet}/{state.device}" for state in reported.devices if state.online}
    for kind in KINDS_OF_LOSS:
        for subject in sorted(open_subjects(connection, kind, reported.cabinet) & answering):
            close_incident(connection, kind, subject, now_ms)
