"""Somebody in front of a cabinet, who does what they are told and says why where it cannot be done.

    hands = Hands(bench)
    hands.show("entrance", 64, uid)
    await hands.take(3)

What is done in vain raises BadCommand.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from simulator.cabinet.any_bench import AnyBench
from simulator.cabinet.bench import TAG_LINE, a_key
from simulator.cabinet.readers import TagHolder
from simulator.cabinet.words import BadCommand
from simulator.network.model import EM4100, Key
from simulator.network.wiring import RETURN_READER
from simulator.world.cabinet import Changes, NotPossibleError

SOMEBODY: Final = "somebody"
HAND_S: Final = 0.6  # from one movement of a hand to the next: a station looks at its contacts every 0.2 s
OPENS_WITHIN_S: Final = 10.0  # who brings a key waits so long before the slots


class Hands:
    """Shows, takes, hangs, opens and shuts. Every method raises BadCommand where that is not possible now."""

    def __init__(self, bench: AnyBench) -> None:
        self._bench = bench
        self._cabinet = bench.cabinet
        self._out: dict[bytes, Key] = {}

    @property
    def holding(self) -> tuple[Key, ...]:
        """Keys that were taken and not brought back."""
        return tuple(self._out.values())

    def show(self, reader: str, bit_count: int, data: bytes) -> str:
        """Holds a card or a fob to a reader."""
        if reader == RETURN_READER and self._bench.tags is not None:
            if len(data) != EM4100.bits // 8 or bit_count != EM4100.bits:
                raise BadCommand(f"{data.hex()}: an RDM6300 reads EM4100 fobs: expected 10 hexadecimal digits")
            self._bench.tags.hold(self._bench.line_clock.now_us(), data)
            self._bench.ports[TAG_LINE].changed()
            self._bench.shown(reader, bit_count, data)
            return f"held to {reader} for {TagHolder.HELD_S:g} s"
        if reader not in self._bench.readers:
            raise BadCommand(f"reader {reader!r}: expected one of {', '.join(self._bench.reader_names)}")
        if not self._bench.readers[reader].show_card(bit_count, data):
            raise BadCommand(
                f"{reader} ignores the card: it still has the last ones, and no panel has asked for them"
            )
        self._bench.shown(reader, bit_count, data)
        return f"held to {reader}{self._unheard(reader)}"

    def press(self, reader: str, keys: str) -> str:
        """Presses keys of a reader's keypad."""
        if reader not in self._bench.readers:
            raise BadCommand(f"reader {reader!r}: expected one with a keypad: {', '.join(self._bench.readers)}")
        if not self._bench.readers[reader].press(keys):
            raise BadCommand(f"{reader} ignores the keys: no panel has asked for the last ones yet")
        self._bench.pressed(reader, keys)
        return f"{len(keys)} keys pressed at {reader}{self._unheard(reader)}"

    async def take(self, slot: int) -> str:
        """Takes the key out of an open slot and shuts the door."""
        self._must_be_open(slot)
        if self._cabinet.key_in(slot) is None:
            raise BadCommand(f"slot {slot}: no key hangs there; expected one of {self._with_key()}")
        key, changes = self._cabinet.take_key(self._bench.now(), slot, SOMEBODY)
        self._out[key.tag.data] = key
        self._bench.apply(changes)
        await self._shut_at_leisure(slot)
        return f"{key.id} taken out of slot {slot}, door shut"

    async def bring(self, tag: bytes, slot: int) -> str:
        """Hangs a key into a slot and shuts its door; at a shut one the fob is shown first."""
        hanging = [one for one in self._cabinet.slots if (key := self._cabinet.key_in(one)) and key.tag.data == tag]
        if hanging:
            raise BadCommand(f"tag {tag.hex().upper()} hangs in slot {hanging[0]}: expected one that is out")
        if self._cabinet.key_in(slot) is not None:
            raise BadCommand(f"slot {slot}: a key hangs there already; expected an empty slot")
        if not self._cabinet.is_open(slot):
            await self._ask_to_open(tag, slot)
        key = self._out.get(tag) or foreign(tag)
        self._bench.apply(self._cabinet.hang_key(self._bench.now(), slot, key, SOMEBODY))
        self._out.pop(tag, None)
        await self._shut_at_leisure(slot)
        return f"{key.id} hung into slot {slot}, door shut"

    def force(self, slot: int) -> str:
        """Opens a door with the mechanical key."""
        return self._by_hand(
            lambda: self._cabinet.force_open(self._bench.now(), slot, SOMEBODY), f"slot {slot} opened"
        )

    def shut(self, slot: int) -> str:
        """Shuts a door."""
        return self._by_hand(
            lambda: self._cabinet.close_door(self._bench.now(), slot, SOMEBODY), f"slot {slot} shut"
        )

    async def _shut_at_leisure(self, slot: int) -> None:
        """Whoever waits for the answer moves on no sooner than hands do."""
        await asyncio.sleep(HAND_S)
        self.shut(slot)
        await asyncio.sleep(HAND_S)

    async def _ask_to_open(self, tag: bytes, slot: int) -> None:
        if RETURN_READER not in self._bench.reader_names:
            raise BadCommand(f"slot {slot} is shut, and no reader of tags is here: expected an open one")
        self.show(RETURN_READER, EM4100.bits, tag)
        try:
            async with asyncio.timeout(OPENS_WITHIN_S):
                while not self._cabinet.is_open(slot):
                    self._bench.moved.clear()
                    await self._bench.moved.wait()
        except TimeoutError:
            self._must_be_open(slot, f"{OPENS_WITHIN_S:g} s after its tag was shown")
        await asyncio.sleep(HAND_S)

    def _must_be_open(self, slot: int, when: str = "") -> None:
        if not self._cabinet.is_open(slot):
            still = f"is still shut {when}" if when else "is shut"
            opened = ", ".join(map(str, self._cabinet.open_slots())) or "none"
            raise BadCommand(f"slot {slot} {still}: expected an open one; open now: {opened}")

    def _by_hand(self, move: Callable[[], Changes], done: str) -> str:
        try:
            self._bench.apply(move())
        except NotPossibleError as error:
            raise BadCommand(str(error)) from None
        return done

    def _with_key(self) -> str:
        return (
            ", ".join(str(slot) for slot in self._cabinet.slots if self._cabinet.key_in(slot))
            or "none: all are out"
        )

    def _unheard(self, reader: str) -> str:
        if not self._bench.has_power:
            return ", which has no power"
        return "" if self._bench.readers[reader].in_session else ", which no panel asks in its secure channel"


def foreign(tag: bytes) -> Key:
    """A key that never hung here."""
    return a_key(f"foreign-{tag.hex()}", 0, tag)
