"""The cabinet itself: mains, battery, housing, and the mechanical key that opens everything."""

from contract.facts import CabinetInput, CabinetInputChanged, InventoryDue
from station_agent.core.device_events import CabinetSeen
from station_agent.core.model import Now
from station_agent.core.notebook import Notebook
from station_agent.core.picture import Picture
from station_agent.core.slots import has_key


class Housing:
    """Tells what changes at the inputs; what was last seen of them is in the picture, and outlasts a reboot."""

    def __init__(self, picture: Picture, notebook: Notebook) -> None:
        self._picture = picture
        self._notebook = notebook

    def seen(self, now: Now, event: CabinetSeen, *, late: bool) -> bool:
        """Note what changed; True if anything did. Call it after the slots were seen."""
        changed = False
        for seen in event.inputs:
            before = self._picture.inputs.get(seen.input)
            if before is seen.active:
                continue
            changed = True
            self._picture.inputs[seen.input] = seen.active
            if before is None and not seen.active:
                self._notebook.remember()
                continue
            self._notebook.note(now, CabinetInputChanged, input=seen.input, active=seen.active, seen_late=late)
            if seen.input is CabinetInput.OVERRIDE and not seen.active:
                self._ask_for_inventory(now)
        return changed

    def is_active(self, which: CabinetInput) -> bool | None:
        """None: it is not wired, or was never seen."""
        return self._picture.inputs.get(which)

    def _ask_for_inventory(self, now: Now) -> None:
        """It was shut again: whoever had it open may have hung any key anywhere."""
        self._picture.doubt_identities()
        keys = sum(has_key(slot.state) for slot in self._picture.slots.values())
        self._notebook.note(now, InventoryDue, why="override", keys_present=keys)
