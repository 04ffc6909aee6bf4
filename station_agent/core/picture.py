"""What the agent remembers across a power cut: the last journalled picture of its cabinet.

It is written in the same transaction as the facts that changed it, so after a reboot the agent compares
what it sees with what it last wrote down, and records the difference.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.facts import CabinetInput, Identity, Purpose, VehicleSign
from contract.messages import ReplyOutcome
from contract.reasons import Reason
from station_agent.core.slots import SlotState


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class SlotPicture(_Part):
    state: SlotState = SlotState.UNKNOWN
    key: str | None = None
    """Key that hangs here, as far as it is known."""
    identity: Identity = Identity.UNKNOWN


class Custody(_Part):
    """A key that is out, and who has it."""

    grant: str | None
    badge: str | None
    badge_digest: str | None
    """So that the taker's badge opens a slot for the return even when the right is long gone."""
    taken_ms: int
    odometer_m: int | None = None
    """What the vehicle had run when its key was handed out for the first time under this right."""


class GrantUse(_Part):
    """How far a right has been used."""

    taken_ms: int
    badge: str | None = None
    """Whose it was at the last take; None: that is not known."""
    key: str | None = None
    """The key that was handed out: a stand-in, where it is not the grant's."""
    returned_ms: int | None = None
    handed_back: str | None = None
    """Key that was brought back unused: the right stays, for another one if there is any."""
    completed: bool = False


class Release(_Part):
    """A slot that was released, from the decision until its door is shut again."""

    slot: int
    purpose: Purpose
    reader: str | None = None
    """None: nobody stands at a reader, a command released the slot."""
    grant: str | None = None
    command: str | None = None
    code: int | None = None
    badge: str | None = None
    badge_digest: str | None = None
    key: str | None = None
    identity: Identity = Identity.UNKNOWN
    opened: bool = False
    decided_line_ms: Annotated[int, Field(exclude=True)] = 0
    """Line time means nothing after a reboot."""
    pulsed_line_ms: Annotated[int, Field(exclude=True)] = 0
    pulses: Annotated[int, Field(exclude=True)] = 0
    """Orders given to the lock since this boot; 0 after a reboot: a decided release is never done later."""
    last_result: Annotated[str, Field(exclude=True)] = "unanswered"


class DecidedCommand(_Part):
    """A command that was answered for good."""

    command: str
    counter: int
    outcome: ReplyOutcome
    reason: Reason | None = None


class CommandsPicture(_Part):
    """What keeps a command from being carried out twice, also after a reboot."""

    high_water: int = 0
    """Highest counter that was decided: none at or below it is decided any more."""
    recent: list[DecidedCommand] = []
    """Newest last, bounded: what their authors may still ask for again."""
    forgotten: int = 0
    """Highest counter that left `recent`: what became of one at or below it cannot be told."""


class VehiclePicture(_Part):
    """A vehicle whose keys live here."""

    returned_ms: int | None = None
    """When the last of its keys came home; None: not since the journal was made."""
    active: list[VehicleSign] = []
    """Signs that were told and are not over, oldest first."""


class PinFailures(_Part):
    """Wrong PINs in a row on one badge."""

    count: int
    last_ms: int


class Picture(_Part):
    slots: dict[int, SlotPicture] = {}
    custody: dict[str, Custody] = {}
    """By key."""
    uses: dict[str, GrantUse] = {}
    """By grant."""
    releases: dict[int, Release] = {}
    """By slot."""
    commands: CommandsPicture = CommandsPicture()
    inputs: dict[CabinetInput, bool] = {}
    """Of the cabinet itself, as last seen."""
    vehicles: dict[str, VehiclePicture] = {}
    stuck: list[int] = []
    """Slots that did not open when they were last released."""
    pin_failures: dict[str, PinFailures] = {}
    """By badge reference."""
    code_failures: list[int] = []
    """When offline release codes were wrong within the last hour."""
    codes_used: dict[int, int] = {}
    """By slot, the highest number of a release code that was used: none at or below it opens again."""
    heard_ms: int = 0
    """When the dispatcher was last heard, as well as that could be told then."""
    clock_mark_ms: int = 0
    """Latest wall time that somebody vouched for: a clock that reads earlier was stepped."""

    def doubt_identities(self) -> None:
        """Other keys may hang where these were read: what was read is presumed from here on."""
        for slot in self.slots.values():
            if slot.identity is Identity.READ:
                slot.identity = Identity.PRESUMED

    def slot_of(self, key: str) -> int | None:
        """Where a key hangs, as far as it is known."""
        return next((slot for slot, picture in self.slots.items() if picture.key == key), None)
