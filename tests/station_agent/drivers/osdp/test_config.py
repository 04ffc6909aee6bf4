import pytest

from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel
from station_agent.drivers.osdp.secure import SCBK_DEFAULT
from tests.station_agent.drivers.osdp.virtual_bus import KEY, OTHER_KEY, seeded


@pytest.mark.parametrize("address", [-1, 127, 200])
def test_an_address_that_no_reader_can_have_is_refused(address: int) -> None:
    with pytest.raises(ValueError, match="address is 0 to 126"):
        OsdpReaderConfig("door", address, KEY)


@pytest.mark.parametrize("scbk", [b"", bytes(15), SCBK_DEFAULT])
def test_a_key_that_is_none_or_public_is_refused(scbk: bytes) -> None:
    with pytest.raises(ValueError, match="scbk is 16 bytes of its own"):
        OsdpReaderConfig("door", 1, scbk)


@pytest.mark.parametrize("poll_ms", [0, 9, 4001])
def test_a_poll_time_out_of_range_is_refused(poll_ms: int) -> None:
    with pytest.raises(ValueError, match="poll_ms is 10 to 4000"):
        OsdpReaderConfig("door", 1, KEY, poll_ms)


def test_a_key_is_not_shown() -> None:
    assert KEY.hex() not in repr(OsdpReaderConfig("door", 1, KEY)).replace("\\x", "")


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (OsdpReaderConfig("door", 2, OTHER_KEY), "name"),
        (OsdpReaderConfig("return", 1, OTHER_KEY), "address"),
        (OsdpReaderConfig("return", 2, KEY), "scbk"),
    ],
)
def test_two_readers_of_a_bus_share_nothing(second: OsdpReaderConfig, what: str) -> None:
    with pytest.raises(ValueError, match=f"its own {what}"):
        OsdpPanel((OsdpReaderConfig("door", 1, KEY), second), 9600, seeded(1))


def test_a_bus_without_readers_or_with_a_baud_rate_unknown_to_osdp_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one reader"):
        OsdpPanel((), 9600, seeded(1))
    with pytest.raises(ValueError, match="baud_rate is one of"):
        OsdpPanel((OsdpReaderConfig("door", 1, KEY),), 1200, seeded(1))
