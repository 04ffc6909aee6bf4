import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_agent.drivers.osdp import messages


def test_a_card_keeps_its_bits_and_loses_what_fills_the_last_byte() -> None:
    assert messages.card_of(b"\x00\x01\x1a\x00\x12\x34\x56\x7f") == (26, b"\x12\x34\x56\x40")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00\x00\x1a",
        b"\x00\x00\x00\x00",  # no bits
        b"\x00\x00\x1a\x00\x12\x34\x56",  # 26 bits in three bytes
        b"\x00\x00\x1a\x00\x12\x34\x56\x78\x9a",  # and in five
        b"\x00\x00\x01\x08" + bytes(257),  # more bits than any badge has
    ],
)
def test_a_card_whose_bits_and_bytes_disagree_is_none(payload: bytes) -> None:
    assert messages.card_of(payload) is None


def test_star_and_hash_are_read_as_keypads_send_them() -> None:
    assert messages.keys_of(b"\x00\x04\x31\x32\x7f\x0d") == "12*#"


def test_function_keys_are_left_out() -> None:
    assert messages.keys_of(b"\x00\x03\x31A2") == "12"


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x02\x31", b"\x00\x21" + b"1" * 33])
def test_keys_whose_count_is_wrong_or_too_many_are_none(payload: bytes) -> None:
    assert messages.keys_of(payload) is None


def test_status_has_two_bytes() -> None:
    assert messages.status_of(b"\x01\x00") == (True, False)
    assert messages.status_of(b"\x01") is None


@given(st.binary(max_size=300))
def test_no_payload_raises(payload: bytes) -> None:
    card = messages.card_of(payload)
    assert card is None or len(card[1]) * 8 - card[0] in range(8)
    keys = messages.keys_of(payload)
    assert keys is None or set(keys) <= set("0123456789*#")
    messages.status_of(payload)
    assert len(messages.capabilities_of(payload)) <= len(payload) // 3
