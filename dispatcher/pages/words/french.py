"""The pages in French."""

from types import MappingProxyType

from dispatcher.core.booking_states import BookingState
from dispatcher.pages.views.network import Heard
from dispatcher.pages.views.slots import Shown
from dispatcher.pages.words.catalogue import Language, Words
from dispatcher.pages.words.french_kinds import FRENCH_KINDS
from dispatcher.pages.words.french_reasons import FRENCH_REASONS
from dispatcher.store.incident_history import Happened

FRENCH = Words(
    product="Exploitation de l'autopartage",
    skip_to_content="Aller au contenu",
    board="Tableau",
    incidents="Anomalies",
    sign_out="Se déconnecter",
    preferences="Langue et thème",
    language_names=MappingProxyType({Language.FR: "Français", Language.EN: "English"}),
    themes=MappingProxyType({"auto": "Selon l'appareil", "dark": "Sombre", "light": "Clair"}),
    live_connecting="Connexion",
    no_script="Pas en direct : cette page a besoin de JavaScript pour suivre ce qui se passe. La recharger"
    " pour voir"
    " ce qui est vrai maintenant.",
    as_seen_at="vu à",
    sign_in="Se connecter",
    sign_in_help="Votre jeton, tel qu'on vous l'a donné. Ce que vous faites ici porte son nom.",
    token="Jeton",  # noqa: S106  # a word, no secret
    refused="Ce n'est pas possible",
    back_to_board="Retour au tableau",
    reasons=FRENCH_REASONS,
    weekdays=("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."),
    months=("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
    day="{weekday} {day} {month}",
    under_a_minute="moins d'une minute",
    minutes="{count} min",
    hours="{count} h",
    days="{count} jours",
    ago="il y a {span}",
    ahead="dans {span}",
    kinds=FRENCH_KINDS,
    severities=MappingProxyType({"urgent": "urgent", "warning": "à surveiller", "info": "à savoir"}),
    severity_counts=MappingProxyType({"urgent": "urgentes", "warning": "à surveiller", "info": "à savoir"}),
    all_well="Rien d'anormal à la connaissance du système.",
    more_open="{count} autres sont ouvertes : voir la liste des anomalies.",
    since="depuis",
    where="Où",
    whole_network="le réseau",
    unknown_place="sans lieu",
    slot="emplacement {number}",
    for_whom="Pour qui",
    nobody_soon="Personne n'a réservé cela dans les 24 heures.",
    its_booking="Sa réservation :",
    next_booking="Prochaine réservation :",
    one_more_booking="et une autre dans les 24 heures",
    more_bookings="et {count} autres dans les 24 heures",
    by_itself="Le système",
    what_to_do="À faire",
    expected="Attendu",
    seen="Constaté",
    details="Ce qui était attendu, ce qui est constaté",
    came_back="revenue {count}×",
    acknowledged_by="vue par {name}",
    not_acknowledged="vue par personne",
    assigned_to="confiée à {name}",
    unassigned="confiée à personne",
    acknowledge="Prendre acte",
    assign_to_me="Je m'en charge",
    open_incident="Ouvrir",
    open_now="Ouvertes maintenant",
    closed_before="Closes, la plus récente d'abord",
    older="Plus anciennes",
    newest="Les plus récentes",
    closed_at="close",
    history="Historique",
    happened=MappingProxyType(
        {
            Happened.OPENED: "ouverte",
            Happened.UPDATED: "constat changé",
            Happened.CLOSED: "close",
            Happened.ACKNOWLEDGED: "prise en acte",
            Happened.ASSIGNED: "confiée",
            Happened.COMMENTED: "a écrit",
        }
    ),
    by_program="le système",
    comment="Commentaire",
    comment_help="Ce qui a été constaté ou fait. Aucun nom d'adhérent : cela reste avec l'anomalie.",
    send="Écrire",
    assignee="Qui s'en occupe",
    assign="Confier",
    opened="ouverte",
    updated="dernier changement",
    booking_states=MappingProxyType(
        {
            BookingState.BOOKED: "réservée",
            BookingState.ACTIVE: "en cours",
            BookingState.RETURNED: "clé rentrée",
            BookingState.COMPLETED: "terminée",
            BookingState.CANCELLED: "annulée",
            BookingState.NO_SHOW: "absence",
        }
    ),
    manual="Le manuel",
    no_manual="Le manuel n'est pas installé avec ce programme.",
    stations="Stations",
    network_map="Plan",
    map_help="Dans chaque cercle, les voitures que l'on pourrait prendre maintenant ; un carré et un point"
    " d'exclamation là où quelque chose ne va pas.",
    legend="Ce que montrent les emplacements",
    shown=MappingProxyType(
        {
            Shown.KEY: "clé là",
            Shown.PRESUMED: "présumée",
            Shown.WRONG_SLOT: "clé d'un autre emplacement",
            Shown.UNKNOWN_KEY: "clé inconnue",
            Shown.OUT: "clé sortie",
            Shown.OVERDUE: "clé en retard",
            Shown.MISSING: "clé disparue",
            Shown.ELSEWHERE: "clé chez quelqu'un",
            Shown.AWAY: "clé accrochée ailleurs",
            Shown.EMPTY: "vide",
            Shown.SPARE: "réserve",
            Shown.OUT_OF_USE: "hors d'usage",
            Shown.UNKNOWN: "inconnu",
        }
    ),
    heard=MappingProxyType(
        {
            Heard.FRESH: "entendue {time}",
            Heard.STALE: "rapport attendu, entendue {time}",
            Heard.SILENT: "muette depuis {time}",
            Heard.NEVER: "jamais entendue",
        }
    ),
    clock_doubtful="horloge douteuse",
    free_cars="{free} sur {cars} libres",
    no_cars="aucune voiture d'attache",
    free_slots="{count} libres pour un retour",
    back_at="retour {time}",
    late_since="prévue {time}",
    blocked="véhicule immobilisé",
    door_open="porte ouverte",
    keys_in="Ses clés sont dans {cabinets}.",
    no_cabinet="Aucune armoire à clés en service ici.",
    with_problems="{count} à regarder",
    script=MappingProxyType(
        {
            "live": "En direct",
            "lost": "Pas en direct depuis",
            "connecting": "Connexion",
            "signed_out": "Déconnecté : se reconnecter",
            "new_incident": "Nouvelle anomalie",
            "working": "Un instant …",
            "done": "C'est fait.",
            "no_answer": "Pas de réponse. Rien n'est perdu : appuyer encore, ce ne sera fait qu'une fois.",
            "unknown_refusal": "Refusé",
        }
    ),
)
