"""The operators' desk in French."""

from dispatcher.pages.words.desk import DeskWords

FRENCH_DESK = DeskWords(
    notes="Consignes",
    no_notes="Personne n'a laissé de consigne.",
    note_about="à propos de",
    note_done_by="fait par {name}",
    mark_done="Fait",
    new_note="Laisser une consigne",
    note_help="Ce que l'équipe suivante doit savoir ou faire. Pas de nom d'adhérent : tout le poste la lit.",
    note_station="Station concernée",
    no_station="aucune",
    leave_note="Laisser",
)
