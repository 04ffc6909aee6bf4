"""Commands from the centre: decided once, in the order of their counters, and answered the same ever after.

A command that releases a slot is a right of its own. It is never carried out late, twice, on the word of a
clock that nobody vouches for, nor before it is written down; what was decided is remembered in the picture, so
it holds across reboots.
"""

from contract.facts import CommandDecided, Purpose
from contract.messages import Command, CommandReply, ReplyOutcome
from contract.reasons import Reason
from station_agent.core.devices import CABINET, Devices
from station_agent.core.model import Now, ReleaseSlot, Reply, Report
from station_agent.core.notebook import Notebook
from station_agent.core.picture import DecidedCommand, Picture, Release
from station_agent.core.slots import is_open

RECENT_MAX = 32  # a whole cabinet emptied in a minute; each is 100 bytes of every picture that is journalled
REACH_MS = 300_000  # a slot opened under another right is left to whoever opened it: a slow person with a bag


class Commands:
    """Decides about commands. What it remembers is in the picture."""

    def __init__(self, picture: Picture, devices: Devices, notebook: Notebook) -> None:
        self._picture = picture
        self._devices = devices
        self._notebook = notebook
        self._last: Command | None = None
        """The command that was decided last, in case that cannot be written."""
        self._report_counter = 0
        """Apart from the slots' counter, so that a request for a report never overtakes an order to open."""
        self.outcomes: dict[ReplyOutcome, int] = dict.fromkeys(ReplyOutcome, 0)
        """Decisions by outcome; an answer that is repeated is not counted again."""
        self.unanswerable = 0
        """Old commands whose outcome is forgotten: replayed by somebody who is not their author."""

    def arrived(self, now: Now, command: Command, *, clock_trusted: bool) -> None:
        if command.action == "report_now":
            self._report_now(now, command)
            return
        known = self._picture.commands
        for decided in known.recent:
            if decided.command == command.command:
                self._answer(command, decided.outcome, decided.reason)
                return
        if command.counter > known.high_water:
            self._decide(now, command, self._refusal(now, command, clock_trusted=clock_trusted))
        elif command.counter > known.forgotten:
            self._answer(command, ReplyOutcome.REFUSED, Reason.OUT_OF_ORDER)
        else:
            self.unanswerable += 1

    def not_durable(self, now: Now, decided: CommandDecided) -> None:
        """The release just decided could not be written: it is not carried out, and refused for good."""
        command, known = self._last, self._picture.commands
        assert command is not None
        assert decided.command == command.command == known.recent[-1].command, "the last decision, and no other"
        assert command.slot is not None, "a slot was released"
        del self._picture.releases[command.slot]
        self.outcomes[known.recent.pop().outcome] -= 1
        known.high_water = command.counter - 1
        self._decide(now, command, Reason.NOT_DURABLE)

    def _refusal(self, now: Now, command: Command, *, clock_trusted: bool) -> Reason | None:
        if not self._notebook.durable:
            return Reason.NOT_DURABLE
        if not clock_trusted:
            return Reason.CLOCK_NOT_TRUSTED
        if now.wall_ms >= command.expires_ms:
            return Reason.EXPIRED
        if command.slot not in self._picture.slots:
            return Reason.UNSUPPORTED
        if not self._devices.is_online(CABINET):
            return Reason.CABINET_SILENT
        release = self._picture.releases.get(command.slot)
        if release is not None and (not release.opened or now.line_ms - release.decided_line_ms <= REACH_MS):
            return Reason.BUSY
        return None

    def _decide(self, now: Now, command: Command, reason: Reason | None) -> None:
        outcome = ReplyOutcome.COMPLETED
        if reason is not None:
            outcome = ReplyOutcome.EXPIRED if reason is Reason.EXPIRED else ReplyOutcome.REFUSED
        self.outcomes[outcome] += 1
        self._last = command
        self._remember(
            DecidedCommand(command=command.command, counter=command.counter, outcome=outcome, reason=reason)
        )
        slot = self._picture.slots.get(command.slot) if command.slot is not None else None
        self._notebook.note(
            now,
            CommandDecided,
            command=command.command,
            outcome=outcome.value,
            reason=reason,
            slot=command.slot,
            key=slot.key if slot is not None else None,
        )
        if reason is None:
            self._release(now, command)
        self._answer(command, outcome, reason)

    def _remember(self, decided: DecidedCommand) -> None:
        known = self._picture.commands
        assert decided.counter > known.high_water, "a counter is used once"
        known.high_water = decided.counter
        known.recent.append(decided)
        while len(known.recent) > RECENT_MAX:
            known.forgotten = known.recent.pop(0).counter

    def _release(self, now: Now, command: Command) -> None:
        assert command.slot is not None, "a slot that is not there is refused"
        slot = self._picture.slots[command.slot]
        self._picture.releases[command.slot] = Release(
            slot=command.slot,
            purpose=Purpose.COMMAND,
            command=command.command,
            key=slot.key,
            identity=slot.identity,
            opened=is_open(slot.state),
            decided_line_ms=now.line_ms,
            pulsed_line_ms=now.line_ms,
            pulses=1,
        )
        # also where the contact says open: who gives such an order may know that the contact lies
        self._notebook.then(ReleaseSlot(command.slot), Report())

    def _answer(self, command: Command, outcome: ReplyOutcome, reason: Reason | None) -> None:
        reply = CommandReply(cabinet=command.cabinet, command=command.command, outcome=outcome, reason=reason)
        self._notebook.then(Reply(reply))

    def _report_now(self, now: Now, command: Command) -> None:
        """Harmless and asked for again by the next one: decided by this boot's memory, without a fact."""
        if command.counter <= self._report_counter:
            return
        self._report_counter = command.counter
        if now.wall_ms >= command.expires_ms:
            self._answer(command, ReplyOutcome.EXPIRED, Reason.EXPIRED)
        else:
            self._notebook.then(Report(at_once=True))
            self._answer(command, ReplyOutcome.COMPLETED, None)
