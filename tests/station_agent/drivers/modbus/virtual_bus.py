"""A Modbus cabinet's codec and simulated boards on one wire, under a clock that jumps."""

from collections.abc import Sequence

from simulator.devices.wire import WireDevice
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.wiring import CabinetWiring, SlotWiring
from tests.station_agent.drivers.virtual_lock_bus import VirtualLockBus


def wired(
    slot_count: int = 4, *, unit: int = 1, answer_timeout_ms: int = 200, local_echo: bool = False
) -> CabinetWiring:
    """Slot n: relay n - 1, key on the even input, door on the odd one."""
    return CabinetWiring(
        slots=tuple(
            SlotWiring(slot=n + 1, lock=(unit, n), key=(unit, 2 * n), door=(unit, 2 * n + 1))
            for n in range(slot_count)
        ),
        answer_timeout_ms=answer_timeout_ms,
        local_echo=local_echo,
    )


class VirtualBus(VirtualLockBus[ModbusCabinet]):
    def __init__(self, wiring: CabinetWiring, devices: Sequence[WireDevice], *, byte_by_byte: bool = False) -> None:
        super().__init__(ModbusCabinet(wiring), devices, baud_rate=wiring.baud_rate, byte_by_byte=byte_by_byte)
