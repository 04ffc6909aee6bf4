"""The pages in French."""

from types import MappingProxyType

from dispatcher.pages.words.catalogue import Language, Words
from dispatcher.pages.words.french_kinds import FRENCH_KINDS
from dispatcher.pages.words.french_reasons import FRENCH_REASONS

FRENCH = Words(
    product="Exploitation de l'autopartage",
    skip_to_content="Aller au contenu",
    board="Tableau",
    incidents="Anomalies",
    sign_out="Se déconnecter",
    preferences="Langue et thème",
    language_names=MappingProxyType({Language.FR: "Français", Language.EN: "English"}),
    themes=MappingProxyType({"auto": "Selon l'appareil", "dark": "Sombre", "light": "Clair"}),
    no_script="Pas en direct : cette page a besoin de JavaScript pour suivre ce qui se passe. La recharger"
    " pour voir"
    " ce qui est vrai maintenant.",
    as_seen_at="vu à",
    sign_in="Se connecter",
    sign_in_help="Votre jeton, tel que `dispatcher token new` l'a affiché. Ce que vous faites ici porte son nom.",
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
    script=MappingProxyType(
        {
            "working": "Un instant …",
            "done": "C'est fait.",
            "no_answer": "Pas de réponse. Rien n'est perdu : appuyer encore, ce ne sera fait qu'une fois.",
            "unknown_refusal": "Refusé",
        }
    ),
)
