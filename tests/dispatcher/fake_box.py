"""A cabinet as the dispatcher hears it: a journal of numbered facts, presence, reports. No hardware."""

from typing import Any, TypeVar

from contract.chain import genesis_hash, next_hash
from contract.facts import FactBase
from contract.messages import FactBatch, Presence, Reported, SlotState
from tests.dispatcher.small_fleet import CABINET, NOW_MS

AnyFact = TypeVar("AnyFact", bound=FactBase)


class FakeBox:
    """Facts get their numbers and hashes as an agent gives them."""

    def __init__(self, cabinet: str = CABINET, epoch: str = "e1" * 16, now_ms: int = NOW_MS) -> None:
        self.cabinet = cabinet
        self.epoch = epoch
        self.now_ms = now_ms
        self.created_ms = now_ms
        self.clock_trusted = True
        self.boot_nonce = "b1" * 16
        self.boot_ms = now_ms
        self.connection = 1
        self.revision = 0
        self.desired_version = 0
        self.slots: tuple[SlotState, ...] = ()
        self.texts: list[str] = []
        self.hashes = [genesis_hash(cabinet, epoch)]

    @property
    def seq(self) -> int:
        return len(self.texts)

    def note(self, kind: type[FactBase], **fields: Any) -> int:
        """Journal a fact; its number."""
        fact = kind(seq=self.seq + 1, at_ms=self.now_ms, clock_trusted=self.clock_trusted, **fields)
        return self.note_text(fact.to_json())

    def note_text(self, text: str) -> int:
        """Journal a fact's text, whatever it says."""
        self.texts.append(text)
        self.hashes.append(next_hash(self.hashes[-1], text))
        return self.seq

    def batch(self, first: int = 1, last: int | None = None) -> FactBatch:
        """Facts `first` to `last`, by default all of them."""
        last = self.seq if last is None else last
        return FactBatch(
            cabinet=self.cabinet,
            epoch=self.epoch,
            epoch_created_ms=self.created_ms,
            first_seq=first,
            hash_before=self.hashes[first - 1],
            facts=tuple(self.texts[first - 1 : last]),
            last_hash=self.hashes[last],
        )

    def presence(self, *, online: bool = True) -> Presence:
        return Presence(
            cabinet=self.cabinet,
            online=online,
            boot_nonce=self.boot_nonce,
            boot_ms=self.boot_ms,
            connection=self.connection,
            version="test",
        )

    def report(self, **changes: Any) -> Reported:
        """The whole state as of now."""
        self.revision += 1
        fields: dict[str, Any] = {
            "cabinet": self.cabinet,
            "boot_nonce": self.boot_nonce,
            "boot_ms": self.boot_ms,
            "connection": self.connection,
            "revision": self.revision,
            "at_ms": self.now_ms,
            "epoch": self.epoch,
            "seq": self.seq,
            "desired_version": self.desired_version,
            "desired_high_water": self.desired_version,
            "journal_depth": 0,
            "clock_trusted": self.clock_trusted,
            "slots": self.slots,
        }
        return Reported(**fields | changes)
