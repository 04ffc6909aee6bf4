"""Which devices answer: a loss and a recovery are facts, the state between them is reported."""

from contract.facts import DeviceBack, DeviceLost
from contract.messages import CABINET_DEVICE, DeviceState
from station_agent.core.device_events import ReaderSeen
from station_agent.core.model import Now
from station_agent.core.notebook import Notebook

CABINET = CABINET_DEVICE
SEEN_BY_MS = 10_000  # a reader's session takes a second or two, a lost line is retried within this


class Devices:
    """The lock bus and each reader, by name."""

    def __init__(self, names: tuple[str, ...], notebook: Notebook) -> None:
        self._notebook = notebook
        self._states = {name: DeviceState(device=name, online=False, why="not seen since start") for name in names}
        self._lost: set[str] = set()
        self._missed_at_ms: int | None = None

    def start(self, now: Now) -> None:
        """A boot: whatever is not seen soon is told lost, for the centre forgot what this box told before."""
        self._missed_at_ms = now.line_ms + SEEN_BY_MS

    @property
    def wake_at_line_ms(self) -> int | None:
        return self._missed_at_ms

    def elapsed(self, now: Now) -> None:
        """Tell what did not answer since the start."""
        if self._missed_at_ms is None or now.line_ms < self._missed_at_ms:
            return
        self._missed_at_ms = None
        for name, state in self._states.items():
            if not state.online and name not in self._lost:
                self._tell_lost(now, name, state.why or "")

    def is_online(self, device: str) -> bool:
        return self._states[device].online

    def states(self) -> tuple[DeviceState, ...]:
        return tuple(self._states.values())

    def online(self, now: Now, device: str, seen: ReaderSeen | None = None) -> bool:
        """It answers; True if it did not before."""
        was_online = self._states[device].online
        self._states[device] = DeviceState(
            device=device,
            online=True,
            tampered=seen.tampered if seen else None,
            power_failed=seen.power_failed if seen else None,
        )
        if device in self._lost:
            self._lost.discard(device)
            self._notebook.note(now, DeviceBack, device=device)
        return not was_online

    def lost(self, now: Now, device: str, why: str) -> None:
        """It does not answer; a fact only where it did before."""
        if self._states[device].online:
            self._tell_lost(now, device, why)
        self._states[device] = DeviceState(device=device, online=False, why=why[:200])

    def _tell_lost(self, now: Now, device: str, why: str) -> None:
        self._lost.add(device)
        self._notebook.note(now, DeviceLost, device=device, why=why[:200])
