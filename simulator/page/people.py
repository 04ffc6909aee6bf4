"""Who may stand in front of a cabinet, one of each kind: of the network, and two whom it does not know yet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from simulator.network.model import CALYPSO, MIFARE_7, Card, Member, Network, Standing

STRANGERS_CARD: Final = Card(CALYPSO.name, CALYPSO.bits, bytes.fromhex("00000000000000AA"))
STAFF_CARD: Final = Card(CALYPSO.name, CALYPSO.bits, bytes.fromhex("00000000000000BB"))
"""Neither is drawn for anybody: cards of members have random numbers of 64 bits."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a card in their hand."""

    id: str
    what: str
    """For whoever chooses among them."""
    card: Card
    member: str | None = None
    """Their id at the dispatcher; None: it does not know them, or not yet."""
    organisation: str | None = None
    pin: str | None = None
    """Of a card that opens with a PIN only."""
    books: bool = False
    """They can book a vehicle, or hold an order for one."""
    is_staff: bool = False

    def to_document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "what": self.what,
            "card": self.card.credential,
            "pin": self.pin,
            "books": self.books,
        }


def people_of(network: Network) -> tuple[Person, ...]:
    """Of each kind the last one that the network has: those who act in a demo are drawn from all of them."""
    return tuple(_people(network))


def _people(network: Network) -> Iterator[Person]:
    private = _last(network, lambda it: _is(it, CALYPSO.name) and it.organisation is None)
    if private is not None:
        yield _person("member", "a member with a Pass Pass card", private, books=True)
    with_pin = _last(network, lambda it: _is(it, MIFARE_7.name))
    if with_pin is not None:
        yield _person("employee", "an employee, whose card opens with its PIN only", with_pin, books=True)
    suspended = _last(network, lambda it: it.standing is Standing.SUSPENDED and it.badges[0].kind == CALYPSO.name)
    if suspended is not None:
        yield _person("suspended", "a member who is suspended", suspended)
    replaced = _last(network, lambda it: it.old_badge is not None and it.standing is Standing.ACTIVE)
    if replaced is not None and replaced.old_badge is not None:
        yield Person("old-card", "a member with a card that was revoked", replaced.old_badge, replaced.id)
    yield Person("stranger", "somebody whose card nobody knows", STRANGERS_CARD)
    yield Person("staff", "the operator's own staff", STAFF_CARD, books=True, is_staff=True)


def _is(member: Member, kind: str) -> bool:
    return member.standing is Standing.ACTIVE and member.badges[0].kind == kind


def _last(network: Network, fits: Callable[[Member], bool]) -> Member | None:
    return next((member for member in reversed(network.members) if fits(member)), None)


def _person(name: str, what: str, member: Member, *, books: bool = False) -> Person:
    card = member.badges[0]
    pin = member.pin if card.asks_for_pin else None
    return Person(name, what, card, member.id, member.organisation, pin, books)
