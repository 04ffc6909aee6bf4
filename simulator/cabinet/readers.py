"""Readers as somebody in front of the cabinet sees and hears them."""

from collections.abc import Callable, Iterator

from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.rdm6300_reader import Rdm6300Device
from station_agent.drivers.osdp.signals import Colour

Tell = Callable[[str, str], None]
"""(what, in words): the reader did something."""


class WatchedReader:
    """An OSDP reader on its bus: tells of its light, its buzzer and its session after all that reached it."""

    def __init__(self, reader: OsdpReader, tell: Tell) -> None:
        self._reader = reader
        self._tell = tell
        self._before = self._looks()

    def receive(self, now_us: int, data: bytes) -> bytes:
        answer = self._reader.receive(now_us, data)
        light, buzzes, in_session = self._before
        self._before = self._looks()
        if self._reader.temporary_light is not light:
            self._tell("light", " ".join(_light(self._reader, now_us)))
        if self._reader.buzzes > buzzes:
            self._tell("beeps", _beeps(self._reader))
        if self._reader.in_session != in_session:
            self._tell(
                "session", "in a panel's secure channel" if not in_session else "in no secure channel any more"
            )
        return answer

    def _looks(self) -> tuple[object, int, bool]:
        return self._reader.temporary_light, self._reader.buzzes, self._reader.in_session


def _light(reader: OsdpReader, now_us: int) -> Iterator[str]:
    light = reader.light(now_us)
    yield Colour(light.on_colour).name.lower() if light.on_colour in set(Colour) else f"colour {light.on_colour}"
    yield f"blinking, {light.on_ds / 10:g} s on and {light.off_ds / 10:g} s off," if light.off_ds else "steady,"
    yield "as at rest" if light.until_us is None else f"for {(light.until_us - now_us) / 1e6:g} s"


def _beeps(reader: OsdpReader) -> str:
    beeps = reader.last_beeps
    assert beeps is not None, "it has just buzzed"
    return f"{beeps.count} of {beeps.on_ds / 10:g} s"


class TagHolder:
    """Hands that hold fobs to a reader that repeats what it reads: one after the other, and gone after a moment."""

    HELD_S = 1.0  # as long as people hold a fob to a reader until something happens

    def __init__(self, device: Rdm6300Device, later: Callable[[float, Callable[[], None]], object]) -> None:
        self.tags_stay = False
        """Whoever held a tag there leaves it in the field."""
        self._device = device
        self._later = later

    def hold(self, now_us: int, tag: bytes) -> None:
        if tag not in self._device.tags:
            self._device.hold(now_us, tag)
            self._later(self.HELD_S, lambda: self._remove(tag))

    def put_away(self) -> None:
        """Whatever was left in the field is taken out."""
        self.tags_stay = False
        for tag in self._device.tags:
            self._device.remove(tag)

    def _remove(self, tag: bytes) -> None:
        if not self.tags_stay and tag in self._device.tags:
            self._device.remove(tag)
