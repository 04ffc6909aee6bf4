"""A KERONG cabinet's codec and simulated boards on one wire, under a clock that jumps."""

from collections.abc import Sequence

from simulator.devices.wire import WireDevice
from station_agent.core.device_events import CabinetSeen, SlotSeen
from station_agent.drivers.kerong.cabinet import KerongCabinet
from station_agent.drivers.kerong.wiring import CabinetWiring, SlotWiring
from tests.station_agent.drivers.virtual_lock_bus import VirtualLockBus


def wired(slot_count: int = 4, *, boards: int = 1, answer_timeout_ms: int = 200) -> CabinetWiring:
    """Slots 1 to n on the locks of board 0, the next n on those of board 1, and so on."""
    return CabinetWiring(
        slots=tuple(
            SlotWiring(slot=1 + board * slot_count + lock, board=board, lock=lock)
            for board in range(boards)
            for lock in range(slot_count)
        ),
        answer_timeout_ms=answer_timeout_ms,
    )


class VirtualBus(VirtualLockBus[KerongCabinet]):
    def __init__(self, wiring: CabinetWiring, devices: Sequence[WireDevice], *, byte_by_byte: bool = False) -> None:
        super().__init__(KerongCabinet(wiring), devices, baud_rate=wiring.baud_rate, byte_by_byte=byte_by_byte)

    @property
    def slots(self) -> tuple[SlotSeen, ...]:
        """As told last."""
        return self.events(CabinetSeen)[-1].slots


class Locks:
    """Listens to which locks of a board got current, and when."""

    def __init__(self) -> None:
        self.pulses: list[tuple[int, int]] = []

    def __call__(self, lock: int, at_us: int) -> None:
        self.pulses.append((lock, at_us))

    @property
    def numbers(self) -> list[int]:
        return [lock for lock, _ in self.pulses]
