"""The operators' desk in English."""

from dispatcher.pages.words.desk import DeskWords

ENGLISH_DESK = DeskWords(
    notes="Shift notes",
    no_notes="Nobody has left a note.",
    note_about="about",
    note_done_by="done by {name}",
    mark_done="Done",
    new_note="Leave a note",
    note_help="What the next shift has to know or to do. No names of members: everybody at the desk reads it.",
    note_station="Station",
    no_station="none",
    leave_note="Leave it",
)
