"""The pages in French."""

from types import MappingProxyType

from dispatcher.core.blocks import BlockKind
from dispatcher.core.booking_states import BookingState
from dispatcher.core.orders import Purpose
from dispatcher.pages.views.calendar import BarKind
from dispatcher.pages.views.network import Heard
from dispatcher.pages.views.slots import Shown
from dispatcher.pages.words.catalogue import Language, Words
from dispatcher.pages.words.french_desk import FRENCH_DESK
from dispatcher.pages.words.french_kinds import FRENCH_KINDS
from dispatcher.pages.words.french_reasons import FRENCH_REASONS
from dispatcher.store.grant_status import GrantStatus
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
    close_incident="La clore",
    close_help="Aucun capteur ne dit que c'est fini : dire comment on le sait.",
    manual="Le manuel",
    no_manual="Le manuel n'est pas installé avec ce programme.",
    desk=FRENCH_DESK,
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
    nothing_wrong_here="Rien d'anormal ici à la connaissance du système.",
    agent_version="agent en version {version}",
    journal_waiting="{count} faits en attente dans le boîtier",
    rights_current="le boîtier a les derniers droits",
    rights_late="droits du boîtier en retard de {span}",
    device_ok="répond",
    device_lost="ne répond pas",
    device_tampered="ouvert ou arraché",
    release_slot="Ouvrir un emplacement de {cabinet}",
    slot_label="Emplacement",
    reason="Motif",
    reason_help="Pour qui demandera plus tard. Aucun nom : cela reste.",
    release="Ouvrir maintenant",
    keys_moved="Clés prises et rendues",
    moved=MappingProxyType(
        {
            "taken": "Clé de {vehicle} prise, emplacement {slot}",
            "returned": "Clé de {vehicle} rendue, emplacement {slot}",
        }
    ),
    unknown_vehicle="un véhicule inconnu",
    by_command="sur ordre d'un opérateur",
    nothing_moved="Aucune clé n'a encore bougé ici.",
    calendar="Agenda",
    calendar_help="En haut le prévu, dessous ce qui s'est passé ; le retard est hachuré.",
    as_list="La même chose en liste",
    bar_kinds=MappingProxyType(
        {BarKind.BOOKING: "Réservation", BarKind.ORDER: "Ordre de mission", BarKind.BLOCK: "Immobilisation"}
    ),
    block_kinds=MappingProxyType(
        {
            BlockKind.DAMAGE: "dommage",
            BlockKind.CLEANING: "nettoyage",
            BlockKind.MAINTENANCE: "entretien",
            BlockKind.BATTERY: "batterie",
            BlockKind.ADMIN: "administratif",
        }
    ),
    end_unknown="on ne sait jusqu'à quand",
    late="en retard",
    until="jusqu'à",
    home_station="Sa station",
    energies=MappingProxyType(
        {"electric": "électrique", "petrol": "essence", "diesel": "gazole", "hybrid": "hybride"}
    ),
    keys_and_signals="Clés et signaux",
    key_number="Clé {number}",
    key_places=MappingProxyType(
        {
            "in_slot": "dans son armoire",
            "taken": "prise",
            "missing": "disparue",
            "elsewhere": "chez quelqu'un",
            "unknown": "jamais entendue",
        }
    ),
    heard_of="Entendu",
    never="jamais",
    not_said="non dit",
    yes="oui",
    no="non",
    energy="Énergie",
    charging="En charge",
    plugged_in="Branché",
    doors_open="Portes ouvertes",
    low_voltage="Batterie 12 V",
    odometer="Kilométrage",
    left_outside="Laissé hors de sa place",
    coming="Qui vient ensuite",
    nobody_coming="Personne ne l'a réservé.",
    new_block="Mettre hors service",
    block_kind="À cause de",
    block_note="Ce qui ne va pas",
    block_help="Aucun nom. Cela dure jusqu'à ce que quelqu'un y mette fin ; chaque réservation touchée est"
    " une anomalie.",
    lay_block="Immobiliser maintenant",
    end_block="Lever l'immobilisation",
    purposes=MappingProxyType(
        {
            Purpose.CLEANING: "nettoyage",
            Purpose.GARAGE: "garage",
            Purpose.TOWING: "remorquage",
            Purpose.INSPECTION: "contrôle",
            Purpose.RELOCATION: "déplacement",
            Purpose.ENERGY: "recharge ou plein",
            Purpose.OTHER: "autre",
        }
    ),
    state="État",
    window="Créneau",
    original_start="d'abord réservée pour",
    member="Adhérent",
    right="Autorisation",
    grants=MappingProxyType(
        {
            GrantStatus.ON_BOX: "dans le boîtier",
            GrantStatus.PENDING: "en route vers le boîtier",
            GrantStatus.CABINET_UNREACHABLE: "l'armoire ne répond pas",
            GrantStatus.WITHHELD: "retenue : personne de ceux qu'elle nomme ne peut prendre de clé",
            GrantStatus.BLOCKED: "suspendue : le véhicule est immobilisé",
        }
    ),
    take_by="Clé à prendre avant",
    taken="Clé prise",
    returned="Clé rendue",
    hold_until="peut être reprise jusqu'à",
    ended="Finie depuis",
    booking_events=MappingProxyType(
        {
            "created": "réservée",
            "changed": "modifiée",
            "cancelled": "annulée",
            "key_taken": "clé prise",
            "key_returned": "clé rendue",
            "handed_back": "rendue sans rouler",
            "second_tap": "terminée par un second badge",
            "hold_elapsed": "terminée",
            "no_show_declared": "absence déclarée",
            "replaced": "autre véhicule donné",
            "rebound": "passée au véhicule dont la clé a été prise",
            "completed_by_operator": "terminée à la main",
            "swap_offered": "autre véhicule proposé",
            "swap_ended": "proposition close",
            "refused": "refusé",
        }
    ),
    late_by="en retard de {span}",
    release_key="Ouvrir pour cette réservation",
    extend="Prolonger",
    new_end="Nouvelle fin",
    cancel="Annuler la réservation",
    cancel_help="Elle reste lisible, avec son historique.",
    replace="Donner un autre véhicule",
    category="Catégorie",
    complete="Terminer à la main",
    key_held_by="Qui a la clé si elle est sortie, un garage par exemple",
    script=MappingProxyType(
        {
            "live": "En direct",
            "lost": "Pas en direct depuis",
            "connecting": "Connexion",
            "signed_out": "Déconnecté : se reconnecter",
            "new_incident": "Nouvelle anomalie",
            "opened": "Le boîtier a ouvert l'emplacement.",
            "box_refused": "Le boîtier a refusé :",
            "no_word": "Envoyé ; le boîtier n'a encore rien dit.",
            "working": "Un instant …",
            "done": "C'est fait.",
            "no_answer": "Pas de réponse. Rien n'est perdu : appuyer encore, ce ne sera fait qu'une fois.",
            "unknown_refusal": "Refusé",
        }
    ),
)
