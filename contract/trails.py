"""One id for all that follows from one badge, code or command, made of the facts alone.

Whoever has a cabinet's facts in their order finds the same id: the agent that notes them and the dispatcher that
takes them in, so that both logs name it and nothing more has to travel. It is where the story began: the first
eight characters of the epoch and the number of the fact, such as `3f2a90c1-417`.

It is for people who read logs, and no record: who starts anew in the middle of a story knows no beginning of it.
"""

from contract.facts import (
    AccessGranted,
    AccessRefused,
    CommandDecided,
    DoorClosed,
    DoorOpened,
    Fact,
    GrantCompleted,
    KeyReturned,
    KeyTaken,
    PinAsked,
    ReleaseDropped,
    ReleaseFailed,
    UnknownFact,
)

EPOCH_CHARACTERS = 8  # of 32: two epochs of one cabinet that share them are one in four billion


class Trails:
    """Of one cabinet. Remembers one id for each reader and for each open slot."""

    def __init__(self) -> None:
        self._readers: dict[str, str] = {}
        self._slots: dict[int, str] = {}

    def of_slot(self, slot: int) -> str | None:
        """What the slot was opened by, until it is shut again."""
        return self._slots.get(slot)

    def follow(self, epoch: str, fact: Fact | UnknownFact) -> str | None:
        """The id of the story that the next fact belongs to; None: it belongs to none that is known."""
        own = f"{epoch[:EPOCH_CHARACTERS]}-{fact.seq}"
        match fact:
            case PinAsked():
                self._readers[fact.reader] = own
                return own
            case AccessRefused():
                return self._readers.get(fact.reader, own) if fact.with_pin else own
            case AccessGranted():
                begun = self._readers.get(fact.reader, own) if fact.with_pin else own
                self._slots[fact.slot] = begun
                return begun
            case CommandDecided():
                if fact.outcome == "completed" and fact.slot is not None:
                    self._slots[fact.slot] = own
                return own
            case GrantCompleted():
                return own
            case DoorClosed() | ReleaseFailed() | ReleaseDropped():
                return self._slots.pop(fact.slot, None)
            case _:
                return self._moved(fact)

    def _moved(self, fact: Fact | UnknownFact) -> str | None:
        """Of what contacts saw: a door that nobody opened and a key without a right follow from nothing."""
        match fact:
            case DoorOpened(released=True):
                return self._slots.get(fact.slot)
            case DoorOpened():
                self._slots.pop(fact.slot, None)
            case KeyTaken() if fact.grant or fact.command or fact.code:
                return self._slots.get(fact.slot)
            case KeyReturned():
                return self._slots.get(fact.lit_slot or fact.slot)
            case _:
                pass
        return None
