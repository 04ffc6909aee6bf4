"""What the tables of a configuration have in common whichever driver reads them: one base for each kind of device.

A driver's model narrows `driver` to its own name and gives every field of its own a docstring (unit, default, why),
which becomes its row in the manual:

    class AcmeTable(CabinetTable):
        driver: Literal["acme"]
        ...

What does not fit is refused by the model's validators, with a ValueError that says what was expected.
"""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, TypeAlias

import serial
from pydantic import AfterValidator, Field, model_validator

from contract.values import OpaqueId, Slot
from runtime.config import Settings

BaudRate = Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]
Role: TypeAlias = Literal["badge", "return_tag"]
"""`return_tag`: reads the fob of a key that is brought back."""


def _is_device(url: str) -> str:
    try:
        serial.serial_for_url(url, do_not_open=True)
    except (ValueError, serial.SerialException) as error:
        raise ValueError(f"expected a pyserial URL: {error}") from None
    return url


DeviceUrl = Annotated[str, AfterValidator(_is_device)]


class LinePlace(NamedTuple):
    """Where a serial line is, and its speed."""

    device: str
    baud_rate: int


class SecretFile(NamedTuple):
    """A file with a secret that one device shares with this box, in hexadecimal digits."""

    device: str
    """The reader's name."""
    field: str
    """Where the table names the file, as in `readers[0].scbk_file`: for whoever has to mend it."""
    path: Path
    byte_count: int


class Table(Settings):
    """One table that names its driver."""

    driver: str
    """What the device speaks."""

    @property
    def line(self) -> LinePlace | None:
        """Its serial line; None: it speaks over MQTT."""
        return None

    @property
    def secret_files(self) -> tuple[SecretFile, ...]:
        """Read at start-up and given to the driver (`Tools.secrets`)."""
        return ()


class LineTable(Table):
    """Devices on a serial line."""

    device: DeviceUrl
    """Any pyserial URL: `/dev/serial/by-id/...`, `socket://host:port`, `rfc2217://host:port`."""
    baud_rate: BaudRate = 9600
    """8 data bits, no parity, 1 stop bit."""

    @property
    def line(self) -> LinePlace:
        return LinePlace(self.device, self.baud_rate)


class NumberedSlot(Settings):
    slot: Slot
    """Number as printed on the cabinet."""


class CabinetTable(LineTable):
    """`[locks]`: the key cabinet. The lock bus never leaves it."""

    slots: Annotated[tuple[NumberedSlot, ...], Field(min_length=1, max_length=128)]
    """How each slot is wired."""

    @model_validator(mode="after")
    def _no_slot_twice(self) -> Self:
        numbers = [slot.slot for slot in self.slots]
        for number in set(numbers):
            if numbers.count(number) > 1:
                raise ValueError(f"slot {number} is wired twice")
        return self


class ReadersTable(LineTable):
    """`[[readers]]`: one line with badge and tag readers."""

    @property
    def roles(self) -> tuple[tuple[str, Role], ...]:
        """Name and role of each reader on this line."""
        raise NotImplementedError(f"{type(self).__name__}.roles: expected of every table of readers")


class TagReaderTable(LineTable):
    """`[[tag_readers]]`: a reader of key tags on a line of its own."""

    name: OpaqueId
    """As in facts and metrics."""

    @property
    def roles(self) -> tuple[tuple[str, Role], ...]:
        return ((self.name, "return_tag"),)


class VehicleTable(Table):
    """`[[vehicles]]`: a vehicle whose keys live here, and its tracker."""

    id: OpaqueId
    """As at the dispatcher."""
    tracker: OpaqueId | None = None
    """Level of the tracker's topic `vehicles/{tracker}/raw`; the vehicle's id where absent."""
