"""What a language has to say at the operators' desk: of shift notes, and of a caller."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskWords:
    # --- shift notes
    notes: str
    no_notes: str
    note_about: str
    note_done_by: str
    mark_done: str
    new_note: str
    note_help: str
    note_station: str
    no_station: str
    leave_note: str
