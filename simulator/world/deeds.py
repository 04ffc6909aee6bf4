"""What people do at a reader, as the world's record has it."""

from dataclasses import replace

from simulator.network.model import EM4100, Card
from simulator.world.acts import KeyIn, ShowCard
from simulator.world.record import Deed, What


def what_is_shown(card: Card) -> What:
    """A fob is a tag, everything else a badge."""
    return What.TAG_SHOWN if card.kind == EM4100.name else What.BADGE_SHOWN


def shown_by(who: str, act: ShowCard) -> Deed:
    """A card held to a reader."""
    return Deed(
        what=what_is_shown(act.card),
        who=who,
        reader=act.reader,
        credential=act.card.credential,
        intent=act.intent,
        booking=act.booking,
        on_box=act.on_box,
    )


def keyed_in_by(who: str, act: KeyIn) -> Deed:
    """A PIN, right or wrong; its digits are nobody's business."""
    return replace(shown_by(who, act.tap), what=What.PIN_KEYED, is_right=act.is_right)
