"""The contacts of a cabinet as inputs of Modbus units: what to read, and what its bits mean."""

from station_agent.drivers.belief import Belief, Contact
from station_agent.drivers.modbus.frames import Request, read_inputs
from station_agent.drivers.modbus.wiring import CabinetWiring, Place

# reads start at a whole byte: some boards answer in whole bytes from there whatever was asked
BYTE_BITS = 8


class Contacts(Belief):
    """The contacts of all slots, read unit by unit with as few bytes as will do."""

    def __init__(self, wiring: CabinetWiring) -> None:
        inputs: dict[int, list[int]] = {}
        for slot in wiring.slots:
            for unit, number in (slot.key, slot.door):
                inputs.setdefault(unit, []).append(number)
        for wired in wiring.inputs:
            inputs.setdefault(wired.place[0], []).append(wired.place[1])
        units = sorted(inputs)
        firsts = {unit: min(inputs[unit]) // BYTE_BITS * BYTE_BITS for unit in units}
        self.reads: tuple[Request, ...] = tuple(
            read_inputs(unit, firsts[unit], max(inputs[unit]) - firsts[unit] + 1) for unit in units
        )
        """One request per unit, in the order of a scan."""

        def contact(place: Place, *, inverted: bool) -> Contact:
            unit, number = place
            return Contact(units.index(unit), number - firsts[unit], inverted)

        super().__init__(
            (
                (
                    slot.slot,
                    contact(slot.key, inverted=slot.key_inverted),
                    contact(slot.door, inverted=slot.door_inverted),
                )
                for slot in wiring.slots
            ),
            ((wired.input, contact(wired.place, inverted=wired.inverted)) for wired in wiring.inputs),
        )
