"""Slots that were released and did not open yet: pulsed again, a bounded number of times, then named."""

from contract.facts import Purpose, ReleaseFailed
from station_agent.core.device_events import LockPulsed, ReaderSignal
from station_agent.core.devices import CABINET, Devices
from station_agent.core.model import Indicate, Now, ReleaseSlot, Report
from station_agent.core.notebook import Notebook
from station_agent.core.picture import Picture, Release
from station_agent.core.slots import has_key

CONFIRM_MS = 1500  # a pulse of 700 ms, two scans of 200 ms that agree, and as much again
PULSES_MAX = 3  # a lock that did not move three times is stuck: a person has to look
PULSED_UNTIL_MS = 8_000  # of the decision: whoever waited longer in front of a shut slot has turned away


class Locks:
    """Follows the releases of the picture until their slots open."""

    def __init__(self, picture: Picture, devices: Devices, notebook: Notebook) -> None:
        self._picture = picture
        self._devices = devices
        self._notebook = notebook

    @property
    def wake_at_line_ms(self) -> int | None:
        """When a slot should have opened."""
        return min((release.pulsed_line_ms + CONFIRM_MS for release in self._unconfirmed()), default=None)

    def pulsed(self, event: LockPulsed) -> None:
        release = self._picture.releases.get(event.slot)
        if release is not None:
            release.last_result = event.result.value

    def confirm(self, now: Now) -> None:
        """Pulse again, or give up, what should have opened by now.

        Not while the cabinet is silent: what it did meanwhile is seen when it is back, and decides. A slot that
        is still shut then is given up, and not opened for whoever happens to stand there.
        """
        if not self._devices.is_online(CABINET):
            for release in self._unconfirmed():
                release.pulsed_line_ms = now.line_ms
            return
        for release in self._unconfirmed():
            if now.line_ms < release.pulsed_line_ms + CONFIRM_MS:
                continue
            if release.pulses < PULSES_MAX and now.line_ms <= release.decided_line_ms + PULSED_UNTIL_MS:
                held = has_key(self._picture.slots[release.slot].state)
                by_order = release.purpose in {Purpose.COMMAND, Purpose.RELEASE_CODE}
                assert by_order or held is (release.purpose is not Purpose.RETURN), "a movement settles its release"
                release.pulses += 1
                release.pulsed_line_ms = now.line_ms
                self._notebook.then(ReleaseSlot(release.slot, again=True))
            else:
                self._give_up(now, release)

    def _unconfirmed(self) -> list[Release]:
        return [release for release in self._picture.releases.values() if release.pulses and not release.opened]

    def _give_up(self, now: Now, release: Release) -> None:
        del self._picture.releases[release.slot]
        if release.slot not in self._picture.stuck:
            self._picture.stuck.append(release.slot)
        self._notebook.note(
            now,
            ReleaseFailed,
            slot=release.slot,
            purpose=release.purpose,
            pulses=release.pulses,
            last_result=release.last_result,
            grant=release.grant,
            command=release.command,
            code=release.code,
        )
        if release.reader is not None:
            self._notebook.then(Indicate(release.reader, ReaderSignal.CALL))
        self._notebook.then(Report())
