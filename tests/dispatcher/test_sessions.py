"""The seal on the cookie of a session, without HTTP."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.api.sessions import COOKIE_CHARACTERS_MAX, SESSION_MS, Sessions
from tests.dispatcher.small_fleet import NOW_MS, counted_bytes

DIGEST = b"d" * 32
OURS = Sessions(b"s" * 32, counted_bytes())


def test_what_was_sealed_is_read_again_until_its_time_is_over() -> None:
    cookie = OURS.seal(DIGEST, NOW_MS)
    assert len(cookie) < COOKIE_CHARACTERS_MAX
    session = OURS.read(cookie, NOW_MS + SESSION_MS - 1)
    assert session is not None
    assert (session.token_digest, session.opened_ms, len(session.csrf)) == (DIGEST, NOW_MS, 32)
    assert OURS.read(cookie, NOW_MS + SESSION_MS) is None


def test_a_session_of_the_future_is_none_since_a_clock_that_was_set_back_would_let_it_last() -> None:
    assert OURS.read(OURS.seal(DIGEST, NOW_MS), NOW_MS - 1) is None


def test_each_session_has_a_secret_of_its_own() -> None:
    first, second = (OURS.read(OURS.seal(DIGEST, NOW_MS), NOW_MS) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.csrf != second.csrf


def test_another_secret_opens_no_seal_of_ours() -> None:
    assert Sessions(b"t" * 32, counted_bytes()).read(OURS.seal(DIGEST, NOW_MS), NOW_MS) is None


def test_people_live_in_real_time_however_fast_the_clock_of_a_simulation_is() -> None:
    fast = Sessions(b"s" * 32, counted_bytes(), speed=60.0)
    assert fast.read(fast.seal(DIGEST, NOW_MS), NOW_MS + 59 * SESSION_MS) is not None


@given(place=st.integers(0, 87), flip=st.integers(1, 255))
def test_no_bit_of_it_can_be_another(place: int, flip: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(OURS.seal(DIGEST, NOW_MS) + "=="))
    raw[place] ^= flip
    assert OURS.read(base64.urlsafe_b64encode(raw).decode().rstrip("="), NOW_MS) is None


@given(cookie=st.text(max_size=300))
def test_whatever_else_a_cookie_says_is_no_session(cookie: str) -> None:
    assert OURS.read(cookie, NOW_MS) is None
