"""The commands that a simulated cabinet takes, one a line."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simulator.cabinet.any_bench import AnyBench
from simulator.cabinet.bench import TRACKER_LINE
from simulator.cabinet.console import LINE_MAX
from simulator.cabinet.faults import Faults
from simulator.cabinet.hands import Hands
from simulator.cabinet.menu import menu
from simulator.cabinet.words import BadCommand, decimal, fitting, octets, one_of, whole
from simulator.devices.rdm6300_reader import TAG_BYTES
from simulator.devices.teltonika_tracker import Moment as Record
from simulator.network.wiring import BADGE_READER
from station_agent.drivers.osdp.messages import CARD_BITS_MAX

PIN_MAX: Final = 31  # digits; with the `#` behind them, as many keys as a reader tells at once
KEYS: Final = frozenset("0123456789*#")
WAIT_S_MAX: Final = 3600.0
AVL_ID_MAX: Final = 0xFFFF
VALUE_MAX: Final = 0xFFFF_FFFF  # four bytes, as most values of a tracker have at most
PARKED: Final = {239: 0, 240: 0, 66: 12_450, 16: 48_000_000}  # ignition off, 12.45 V, 48,000 km
AT_HOME: Final = (50.6365, 3.0697)  # degrees; a tracker tells its position with the ignition off alone
IGNITION: Final = 239


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did: in words, and for programs."""

    text: str
    data: dict[str, Any] = field(default_factory=dict)


Run = Callable[[list[str]], "Answer | str | Awaitable[str]"]


@dataclass(frozen=True, slots=True)
class Command:
    usage: str
    what: str
    run: Run

    @property
    def name(self) -> str:
        return self.usage.split()[0]


class Commands:
    """Carries out lines of text at one cabinet. Its hands and its devices' faults are here too.

    Args:
        bench: the cabinet.
        config: the text of a `station.toml`'s tables that fit it.
    """

    def __init__(self, bench: AnyBench, config: Callable[[], str]) -> None:
        self._bench = bench
        self._hardware_text = config
        self.faults = Faults(
            menu(bench), bench.later, lambda device, name: bench.tell(device, "fault_over", f"{name} is over")
        )
        self.hands = Hands(bench)
        self._record = dict(PARKED)
        known = (
            Command("badge <uid>[/bits] [reader]", "hold a card to a reader; uid in hexadecimal", self._badge),
            Command("pin <digits> [reader]", "press digits and then # at a keypad", self._pin),
            Command("take <slot>", "take the key out of an open slot, shut its door", self._take),
            Command("return <tag> <slot>", "bring a key: show its tag, hang it up, shut the door", self._return),
            Command("open <slot>", "open a door with the mechanical key", self._open),
            Command("close <slot>", "shut a door", self._close),
            Command("slots", "doors and keys as they are", self._slots),
            Command("pull-cable <line>", "pull a line's adapter: its port is gone", self._pull),
            Command("plug-cable <line>", "plug it in again, under the same path", self._plug),
            Command("noise <percent> [line]", "so many of a hundred pieces get a wrong bit; 0: none", self._noise),
            Command("power <on|off>", "of boards and readers", self._power),
            Command(
                "faults", "every fault that each device and line can show, and which are on", self._list_faults
            ),
            Command(
                "fault <device> <name> [words...]", "begin one; `for <seconds>` at its end limits it", self._fault
            ),
            Command("clear [device] [name]", "end faults: all, or of a device, or one", self._clear),
            Command("record [id=value...]", "the tracker makes a record: AVL ids and values", self._note),
            Command("config", "the tables of a station.toml that fit this cabinet", self._config),
            Command("wait <seconds>", "let time pass before the next command", self._wait),
            Command("help", "this", self._help),
        )
        self.known = {command.name: command for command in known}

    async def run(self, line: str) -> Answer:
        """Carries out one line, not an empty one. Raises BadCommand: a sentence that names what was expected."""
        return await carry_out(self.known, line, and_also=("quit",))

    # --- people

    def _badge(self, words: list[str]) -> str:
        uid, _, bits = words[0].partition("/")
        data = octets("uid", uid, 1, CARD_BITS_MAX // 8)
        most = 8 * len(data)
        bit_count = whole("bits", bits, most - 7, most) if bits else most
        return self.hands.show(_second(words, BADGE_READER), bit_count, data)

    def _pin(self, words: list[str]) -> str:
        if not set(words[0]) <= KEYS or len(words[0]) > PIN_MAX:
            raise BadCommand(f"digits: expected at most {PIN_MAX} of 0 to 9, * and #")  # not which: it may be a PIN
        return self.hands.press(_second(words, BADGE_READER), f"{words[0].removesuffix('#')}#")

    def _take(self, words: list[str]) -> Awaitable[str]:
        return self.hands.take(self._slot(words[0]))

    def _return(self, words: list[str]) -> Awaitable[str]:
        return self.hands.bring(octets("tag", words[0], TAG_BYTES, TAG_BYTES), self._slot(words[1]))

    def _open(self, words: list[str]) -> str:
        return self.hands.force(self._slot(words[0]))

    def _close(self, words: list[str]) -> str:
        return self.hands.shut(self._slot(words[0]))

    def _slot(self, word: str) -> int:
        return whole("slot", word, 1, self._bench.slots)

    def _slots(self, _words: list[str]) -> Answer:
        rows = []
        for slot in self._bench.cabinet.slots:
            key = self._bench.cabinet.key_in(slot)
            tag = key.tag.data.hex().upper() if key else None
            is_open = self._bench.cabinet.is_open(slot)
            rows.append({"slot": slot, "door": "open" if is_open else "shut", "key": key and key.id, "tag": tag})
        lines = [f"{row['slot']:>3}  {row['door']}  {_shown(row)}" for row in rows]
        return Answer("\n".join(lines), {"slots": rows})

    # --- lines and power

    def _pull(self, words: list[str]) -> str:
        line = one_of("line", words[0], self._bench.ports)
        self.faults.begin(line, "pulled", [])
        return f"{line}: pulled, its port is gone"

    def _plug(self, words: list[str]) -> str:
        line = one_of("line", words[0], self._bench.ports)
        if not self.faults.clear(line, "pulled"):
            raise BadCommand(f"line {line} is plugged in: expected one that was pulled")
        return f"{line}: plugged in, at {self._bench.ports[line].link}"

    def _noise(self, words: list[str]) -> str:
        percent = whole("percent", words[0], 0, 100)
        lines = [one_of("line", words[1], self._bench.ports)] if len(words) > 1 else [*self._bench.ports]
        for line in lines:
            self.faults.clear(line, "noise")
            if percent:
                self.faults.begin(line, "noise", [words[0]])
        return f"noise on {percent} % of what passes on {', '.join(lines)}"

    def _power(self, words: list[str]) -> str:
        return self._bench.switch_power(on=one_of("power", words[0], ("on", "off")) == "on")

    # --- faults

    def _fault(self, words: list[str]) -> str:
        return self.faults.begin(words[0], words[1], words[2:])

    def _clear(self, words: list[str]) -> str:
        count = self.faults.clear(*words)
        return f"{count} ended" if count else "nothing was on"

    def _list_faults(self, _words: list[str]) -> Answer:
        rows = [
            {
                "device": row.device,
                "fault": row.fault.name,
                "takes": row.fault.takes,
                "what": row.fault.what,
                "active": list(row.active),
            }
            for row in self.faults.rows()
        ]
        return Answer("\n".join(_fault_lines(rows)), {"faults": rows})

    # --- the tracker, and the rest

    def _note(self, words: list[str]) -> str:
        tracker = self._bench.tracker
        if tracker is None:
            raise BadCommand("record: there is no tracker here: expected a cabinet that was started with --tracker")
        told = dict(_avl(word) for word in words)
        self._record |= told
        position = None if self._record[IGNITION] else AT_HOME
        record = Record(self._bench.clock.now_ms(), dict(self._record), position)
        tracker.note(self._bench.line_clock.now_us(), record)
        self._bench.ports[TRACKER_LINE].changed()
        return f"record {' '.join(f'{avl}={value}' for avl, value in self._record.items())}"

    def _config(self, _words: list[str]) -> Answer:
        text = self._hardware_text()
        return Answer(text.rstrip("\n"), {"toml": text})

    async def _wait(self, words: list[str]) -> str:
        seconds = decimal("seconds", words[0], 0, WAIT_S_MAX)
        await asyncio.sleep(seconds)
        return f"{seconds:g} s passed"

    def _help(self, _words: list[str]) -> Answer:
        rows = [(command.usage, command.what) for command in self.known.values()]
        rows.append(("quit", "end; so do the end of the input and Ctrl-C"))
        width = max(len(usage) for usage, _ in rows)
        text = "\n".join(f"{usage:<{width}}  {what}" for usage, what in rows)
        return Answer(text, {"commands": [{"usage": usage, "what": what} for usage, what in rows]})


async def carry_out(known: Mapping[str, Command], line: str, and_also: tuple[str, ...] = ()) -> Answer:
    """Finds the command that a line begins with and runs it. Raises BadCommand, as `Commands.run` does.

    `and_also`: names that whoever calls knows besides.
    """
    if len(line) > LINE_MAX:
        raise BadCommand(f"expected a line of at most {LINE_MAX} characters")
    name, *words = line.split()
    command = known[one_of("command", name, (*known, *and_also))]
    fitting(command.usage, words)
    answer = command.run(words)
    if isinstance(answer, Awaitable):
        answer = await answer
    return Answer(answer) if isinstance(answer, str) else answer


def _shown(row: dict[str, Any]) -> str:
    return f"{row['key']}  tag {row['tag']}" if row["key"] else "-"


def _second(words: list[str], default: str) -> str:
    return words[1] if len(words) > 1 else default


def _avl(word: str) -> tuple[int, int]:
    avl, equals, value = word.partition("=")
    if not equals:
        raise BadCommand(f"{word!r}: expected an AVL id, `=` and a value, such as 239=1")
    return whole("AVL id", avl, 1, AVL_ID_MAX), whole(f"value of {avl}", value, 0, VALUE_MAX)


def _fault_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Device by device; what is on has a star."""
    device = ""
    width = max(len(f"{row['fault']} {row['takes']}") for row in rows)
    for row in rows:
        if row["device"] != device:
            device = row["device"]
            yield f"{device}"
        star = "*" if row["active"] else " "
        on = f"  (on: {', '.join(row['active'])})" if any(row["active"]) else ""
        yield f"  {star} {row['fault'] + ' ' + row['takes']:<{width}}  {row['what']}{on}"
