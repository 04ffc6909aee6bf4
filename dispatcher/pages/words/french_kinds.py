"""Incidents in French: what each kind is called, what the system does by itself, what a person can do.

As long as the table of kinds that it tells; a line says about the same as `dispatcher.core.incidents` in English.
"""

from collections.abc import Mapping
from types import MappingProxyType

from dispatcher.core.incidents import IncidentKind
from dispatcher.pages.words.catalogue import KindWords

_K = IncidentKind

FRENCH_KINDS: Mapping[IncidentKind, KindWords] = MappingProxyType(
    {
        _K.KEY_OUT_WITHOUT_RIGHT: KindWords(
            "Clé sortie sans droit",
            "Aucune réservation qui commence maintenant ne reçoit ce véhicule ; se ferme quand la clé est de retour"
            " dans un emplacement.",
            "Appeler la dernière personne passée là ; si personne n'a la clé, la traiter comme volée.",
        ),
        _K.UNIDENTIFIED_KEY_OUT: KindWords(
            "Clé non identifiée sortie",
            "Attend qu'une clé revienne dans cet emplacement ou dans un autre de l'armoire : cela le ferme.",
            "Regarder l'armoire : une clé que rien n'avait lue est partie sans droit.",
        ),
        _K.WRONG_KEY_TAKEN: KindWords(
            "Mauvaise clé prise",
            "La réservation continue sur le véhicule réservé ; se ferme quand la clé est de retour dans un"
            " emplacement.",
            "Appeler l'adhérent : la clé qu'il a en main est celle d'un autre véhicule.",
        ),
        _K.KEY_IN_WRONG_SLOT: KindWords(
            "Clé dans le mauvais emplacement",
            "Le boîtier sait où la clé est accrochée et ouvrira cet emplacement au prochain qui a le véhicule.",
            "La remettre à sa place au prochain passage ; elle sert là où elle est.",
        ),
        _K.KEY_AT_WRONG_STATION: KindWords(
            "Clé dans une autre station",
            "Aucune réservation qui commence maintenant ne reçoit ce véhicule ; se ferme quand la clé est"
            " prise ou de"
            " retour chez elle.",
            "Voir qui a réservé le véhicule ensuite, et le faire ramener.",
        ),
        _K.KEY_MISSING: KindWords(
            "Clé disparue",
            "Se ferme quand un fait ou une étiquette lue dit où est la clé.",
            "Chercher la clé : son emplacement est vide et aucun fait ne dit qui l'a prise.",
        ),
        _K.KEY_OVERDUE: KindWords(
            "Retour en retard",
            "Attend la restitution, qui ne demande aucun droit et marche toujours ; se ferme avec elle.",
            "Appeler l'adhérent, et voir à qui est la prochaine réservation de ce véhicule.",
        ),
        _K.SERVICE_ORDER_OVERDUE: KindWords(
            "Ordre de mission en retard",
            "Attend la restitution ou une fin plus tardive de l'ordre ; se ferme avec l'une ou l'autre.",
            "Demander à qui a la clé (la passation le dit) s'il faut plus de temps ; repousser la fin.",
        ),
        _K.BOOKING_BLOCKED: KindWords(
            "Réservation sur un véhicule immobilisé",
            "Le boîtier ne remet pas la clé pour elle ; se ferme quand elle est replanifiée ou finie, ou quand"
            " l'immobilisation prend fin.",
            "Lui donner un autre véhicule ou l'annuler avec l'adhérent ; lever l'immobilisation si le véhicule est"
            " en état.",
        ),
        _K.BOOKING_ACTIVE_KEY_IN_SLOT: KindWords(
            "Location en cours, clé dans l'armoire",
            "Croit une étiquette lue, jamais une clé seulement présumée ; se ferme quand la réservation finit"
            " ou que"
            " la clé est vue ailleurs.",
            "Voir si cette clé est bien là (son étiquette n'a pas été lue) ; si oui, la faire lire au lecteur de"
            " retour, ou se la faire montrer.",
        ),
        _K.KEY_PROBABLY_IN_CAR: KindWords(
            "Clé sans doute restée dans la voiture",
            "Le badge rouvre un emplacement autant de fois qu'il le demande ; se ferme quand la clé est dans un"
            " emplacement.",
            "Appeler l'adhérent : un emplacement a été ouvert pour la clé et refermé vide. La plupart la trouvent"
            " dans la voiture.",
        ),
        _K.SLOT_OPENED_NOTHING_TAKEN: KindWords(
            "Emplacement ouvert, rien de pris",
            "Le droit reste tel quel, le badge rouvre ; se ferme quand la clé est prise, ou après une heure.",
            "Rien, sauf si l'adhérent appelle : voir alors si la clé se décroche.",
        ),
        _K.CABINET_SILENT: KindWords(
            "Armoire muette",
            "Lui demande un mot toutes les 30 s et n'y déclare aucune absence ; se ferme avec son premier mot.",
            "Vérifier courant et réseau ; qui a un droit dans le boîtier reçoit toujours sa clé.",
        ),
        _K.CABINETS_SILENT_STORM: KindWords(
            "Beaucoup d'armoires muettes à la fois",
            "N'ouvre pas d'anomalie pour chacune ; les interroge toutes toutes les 30 s. Se ferme quand il"
            " n'en reste"
            " que peu, qui ont alors la leur.",
            "Chercher ce qu'elles ont en commun : opérateur réseau, courtier, courant. Qui a un droit dans son"
            " boîtier reçoit toujours sa clé.",
        ),
        _K.CABINET_CLOCK_NOT_TRUSTED: KindWords(
            "Horloge de l'armoire douteuse",
            "Le boîtier demande l'heure chaque seconde et la reçoit ; se ferme quand son horloge est confirmée.",
            "Vérifier l'horloge du boîtier et son service de temps : d'ici là il remet peu de clés.",
        ),
        _K.DESIRED_NOT_TAKEN: KindWords(
            "L'armoire n'a pas les derniers droits",
            "Les lui redit toutes les 10 s ; se ferme quand le boîtier dit avoir la version envoyée.",
            "Redémarrer le boîtier ; les nouvelles réservations ne l'atteignent pas, les annulées ouvrent encore.",
        ),
        _K.FACTS_MISSING: KindWords(
            "Faits manquants dans la suite d'une armoire",
            "Dit à chaque envoi à partir d'où il en manque, le boîtier les renvoie ; se ferme quand ils sont là.",
            "Trouver où ses faits se perdent ; d'ici là ni absence ni retard n'y est déclaré.",
        ),
        _K.DEVICE_LOST: KindWords(
            "Appareil perdu",
            "Le boîtier rouvre la ligne et rappelle l'appareil, en moins de 10 s chaque fois ; se ferme quand il"
            " répond.",
            "Vérifier l'alimentation et le câble de l'appareil dans l'armoire.",
        ),
        _K.READER_TAMPERED: KindWords(
            "Lecteur ouvert ou arraché",
            "Rien n'est coupé : le lecteur prend toujours les badges ; se ferme quand il se dit refermé.",
            "Regarder le lecteur : son capot a été ouvert ou il a été ôté du mur.",
        ),
        _K.READER_REPLACED: KindWords(
            "Lecteur remplacé",
            "Le boîtier n'en accepte aucun badge et essaie la clé de cette place toutes les quelques secondes ; se"
            " ferme quand elle est prouvée.",
            "Regarder le lecteur : un autre répond à sa place. Ne l'appairer que si l'on sait qui l'a posé.",
        ),
        _K.MAINS_LOST: KindWords(
            "Secteur coupé",
            "L'armoire marche sur batterie, tout va comme d'habitude ; se ferme au retour du secteur.",
            "Savoir pour combien de temps : la batterie tient quelques heures.",
        ),
        _K.BATTERY_LOW: KindWords(
            "Batterie de l'armoire faible",
            "Marche jusqu'au bout de la batterie, puis les serrures restent fermées. Se ferme quand elle est"
            " chargée.",
            "Rétablir le courant maintenant : sans lui aucun emplacement ne s'ouvre, pour personne.",
        ),
        _K.CABINET_TAMPERED: KindWords(
            "Armoire ouverte de force",
            "Continue ; se ferme quand le capot est refermé.",
            "Envoyer quelqu'un : le capot est ouvert, l'électronique est à portée de main.",
        ),
        _K.CABINET_OVERRIDE: KindWords(
            "Armoire ouverte à la clé mécanique",
            "Note chaque clé qui part ; se ferme à la fin de l'ouverture, et un inventaire est alors dû.",
            "Demander qui a la clé mécanique : tous les emplacements de l'armoire sont ouverts.",
        ),
        _K.INVENTORY_DUE: KindWords(
            "Inventaire à faire",
            "Tient pour présumé ce qui avait été lu, jusqu'à nouvelle lecture ; se ferme après sept jours.",
            "Compter les clés et comparer leurs étiquettes : l'armoire a été ouverte à la clé mécanique.",
        ),
        _K.LOCK_STUCK: KindWords(
            "Serrure bloquée",
            "Le boîtier a proposé un autre emplacement là où le droit le permet ; se ferme quand celui-ci"
            " s'ouvre ou"
            " que sa clé bouge.",
            "Aider l'adhérent à prendre un autre véhicule ; faire réparer la serrure.",
        ),
        _K.DOOR_LEFT_OPEN: KindWords(
            "Emplacement resté ouvert",
            "Note chaque clé qui part et propose d'abord les emplacements fermés ; se ferme quand il est refermé.",
            "Le faire refermer : n'importe quel passant peut prendre la clé.",
        ),
        _K.CABINET_NEARLY_FULL: KindWords(
            "Armoire presque pleine",
            "Ouvre encore les emplacements libres, au premier venu ; se ferme quand il y en a de nouveau un"
            " de trop.",
            "Ramener chez elle une clé d'ailleurs, avant qu'une clé d'ici ne trouve plus de place.",
        ),
        _K.SLOT_OPENED_WITHOUT_DECISION: KindWords(
            "Emplacement ouvert sans décision",
            "Note si la clé est partie ; se ferme quand l'emplacement est refermé.",
            "Y compter les clés : l'emplacement a été forcé, ouvert à la main ou de lui-même.",
        ),
        _K.BADGE_AT_TWO_STATIONS: KindWords(
            "Un badge à deux stations",
            "Rien n'est refusé pour cela ; se ferme après un jour sans rien de tel.",
            "Appeler l'adhérent : si l'une des deux fois c'était quelqu'un d'autre, révoquer le badge.",
        ),
        _K.PIN_GUESSING: KindWords(
            "Codes PIN essayés",
            "L'armoire répond lentement aux codes et bloque chaque badge qui en a trop de faux ; se ferme après une"
            " heure.",
            "Quelqu'un essaie des codes : regarder les refus de cette armoire, révoquer les badges perdus.",
        ),
        _K.VEHICLE_HANDED_BACK: KindWords(
            "Véhicule rendu aussitôt",
            "L'adhérent garde son droit jusqu'à la fin de la réservation ; se ferme quand la clé est reprise.",
            "Regarder le véhicule, ou demander à l'adhérent : il a été rendu tout de suite, sans rouler.",
        ),
        _K.RETURN_DOUBTFUL: KindWords(
            "Restitution douteuse",
            "Rien n'est refusé pour cela ; se ferme quand la clé est reprise.",
            "Voir où est le véhicule et ce qui est dans son emplacement : il a roulé alors que toutes ses clés sont"
            " accrochées.",
        ),
        _K.VEHICLE_DOORS_OPEN: KindWords(
            "Véhicule resté ouvert",
            "Se ferme quand le véhicule se dit fermé, ou quand sa clé est prise.",
            "Demander à qui l'a rendu, ou à quelqu'un de proche, de le fermer.",
        ),
        _K.VEHICLE_NOT_PLUGGED_IN: KindWords(
            "Véhicule non branché",
            "Se ferme quand un câble est branché, ou quand sa clé est prise.",
            "Demander à qui l'a rendu de le brancher, si le suivant a besoin de l'autonomie.",
        ),
        _K.VEHICLE_LOW_VOLTAGE: KindWords(
            "Batterie 12 V faible",
            "Se ferme quand elle a 300 mV de plus que la limite au repos.",
            "Faire charger ou remplacer la batterie 12 V : le prochain démarrage peut échouer.",
        ),
        _K.VEHICLE_LOW_ENERGY: KindWords(
            "Énergie faible",
            "Se ferme quand il a quelques pour cent de plus que la limite.",
            "Voir si sa prochaine réservation en demande plus ; le faire charger ou remplir.",
        ),
        _K.VEHICLE_NOT_READY: KindWords(
            "Énergie insuffisante pour la prochaine réservation",
            "Garde la réservation ; se ferme quand il charge, en a assez, ou que la réservation a commencé ou"
            " disparu.",
            "Le faire charger ou remplir avant le début, ou proposer un autre véhicule à l'adhérent.",
        ),
        _K.VEHICLE_SILENT: KindWords(
            "Véhicule muet",
            "Les clés vont et viennent comme d'habitude, sans kilométrage, énergie ni place ; se ferme au"
            " premier mot"
            " du boîtier télématique.",
            "Voir s'il est alimenté : commencer par les véhicules qui sortent d'atelier.",
        ),
        _K.CAR_OUTSIDE_BAY: KindWords(
            "Voiture hors de sa place",
            "Montre au prochain conducteur où elle est ; se ferme quand sa clé est prise.",
            "Dire au prochain où elle est (le véhicule le montre jusqu'à la prise), ou la faire déplacer.",
        ),
        _K.ODOMETER_WITHOUT_RENTAL: KindWords(
            "Kilomètres sans location",
            "Ne compte ces kilomètres à aucune location ; se ferme après sept jours.",
            "Trouver qui a roulé : demander à l'atelier, chercher un double de clé, voir les restitutions"
            " douteuses.",
        ),
        _K.JOURNAL_NOT_DURABLE: KindWords(
            "Journal non durable",
            "Tant qu'il ne pouvait pas écrire, le boîtier n'ouvrait que pour des réservations, une fois chacune ;"
            " c'est fini quand on l'apprend.",
            "Remplacer bientôt la carte du boîtier : un moment elle n'a pu être écrite.",
        ),
        _K.FACTS_CONFLICT: KindWords(
            "Faits contradictoires",
            "Le boîtier commence une nouvelle époque et continue ; cela le ferme.",
            "Savoir si le boîtier a été restauré d'une copie, ou cloné.",
        ),
        _K.FACT_UNREADABLE: KindWords(
            "Fait illisible",
            "Garde le texte au registre et continue ; se ferme quand le boîtier redémarre.",
            "Donner aux développeurs le fait de ce numéro : le registre en a le texte.",
        ),
        _K.ROW_WITHOUT_ORIGIN: KindWords(
            "Enregistrement sans origine",
            "N'en fait aucun droit ; se ferme quand il a disparu, est fini, ou a été réécrit par ce programme.",
            "Trouver qui écrit dans la base ; annuler la réservation, ou réimporter la ligne de ses propres"
            " listes.",
        ),
    }
)
