"""Tokens as a file keeps them: one line each, read again when it changes, written in one step."""

import os
import stat
from pathlib import Path

import pytest

from dispatcher.api.counters import ApiCounters
from dispatcher.api.scopes import MEANING, Scope
from dispatcher.api.token_file import BYTES_MAX, LOOK_US, TokenFile, change_tokens, read_tokens, written
from dispatcher.api.tokens import TOKENS_MAX, BadTokens, Token, Tokens, digest, new_token, parse_tokens
from runtime.config import ConfigError
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.network import NOW_MS

A, B = "a" * 64, "b" * 64


def token(name: str, text: str, expires_ms: int | None = None) -> Token:
    return Token(name, digest(text), frozenset({Scope.NETWORK_READ, Scope.BOOKINGS_READ}), expires_ms)


ONE, TWO = token("one", "text of one"), token("two", "text of two", NOW_MS)


def test_what_is_written_is_read_again_and_holds_no_token() -> None:
    text, fresh = new_token("fresh", Scope, NOW_MS + 1, lambda size: b"r" * size)
    content = written([ONE, TWO, fresh]).decode()
    assert parse_tokens(content) == [ONE, TWO, fresh]
    assert text not in content
    assert "one " + ONE.digest.hex() + " bookings:read,network:read never\n" in content


def test_a_token_is_found_by_its_text_alone() -> None:
    tokens = Tokens([ONE, TWO])
    found = [tokens.find(text) for text in ("text of one", "text of two", "three", "", "\udcff", ONE.digest.hex())]
    assert found == [ONE, TWO, None, None, None, None]


def test_a_token_is_expired_from_its_instant_on() -> None:
    assert [TWO.expired(at_ms) for at_ms in (NOW_MS - 1, NOW_MS, NOW_MS + 1)] == [False, True, True]
    assert not ONE.expired(1 << 60)


def test_every_scope_says_what_it_allows() -> None:
    assert set(MEANING) == set(Scope)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("one", "(not shown): expected `name sha256 scopes expiry`"),
        (f"one {A} network:read", "(not shown): expected `name sha256 scopes expiry`"),
        (f"One {A} network:read never", "(not shown)"),
        (f"one {A[1:]} network:read never", "(not shown)"),
        (f"one {A} network:write never", "scope = 'network:write': expected scopes with commas between them, of "),
        (f"one {A} network:read,, never", "scope = ''"),
        (f"one {A} {'k' * 40} never", "scope = (not shown)"),
        (f"one {A} network:read 2027-01-31", "expiry: expected an RFC 3339 time such as "),
        (f"one {A} network:read 2027-01-31T00:00:00", "expiry: expected a time with its UTC offset"),
        (f"one {A} network:read always", "expiry: expected an RFC 3339 time"),
    ],
)  # fmt: skip
def test_a_wrong_line_says_what_was_expected(line: str, expected: str) -> None:
    with pytest.raises(BadTokens) as refused:
        parse_tokens(f"# header\n\n{line}\n")
    (fault,) = refused.value.faults
    assert fault.startswith(f"3: {expected}")


def test_a_name_and_a_token_are_used_once() -> None:
    with pytest.raises(BadTokens) as refused:
        parse_tokens(f"one {A} admin never\none {B} admin never\ntwo {A} admin never  # again\n")
    assert refused.value.faults == [
        "2: name = 'one': expected a name not used above",
        "3: name = 'two': expected another token than that of 'one'",
    ]


def test_there_are_so_many_tokens_and_no_more() -> None:
    lines = [token(f"t{number}", str(number)).line for number in range(TOKENS_MAX + 1)]
    assert len(parse_tokens("\n".join(lines[:-1]))) == TOKENS_MAX
    with pytest.raises(BadTokens, match=f"expected at most {TOKENS_MAX}"):
        parse_tokens("\n".join(lines))


@pytest.mark.parametrize(
    ("content", "expected"),
    [("é".encode(), "expected ASCII text"), (b"#" * (BYTES_MAX + 1), f"expected at most {BYTES_MAX} bytes")],
)
def test_a_file_that_is_no_list_of_tokens_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        read_tokens(path)


# --- read again


def test_a_changed_file_is_read_within_a_second_and_not_asked_for_more_often(tmp_path: Path) -> None:
    path, clock, counters = tmp_path / "tokens", HandClock(), ApiCounters()
    path.write_bytes(written([ONE]))
    file = TokenFile(path, clock, counters)
    path.write_bytes(written([ONE, TWO]))
    assert len(file.now()) == 1
    clock.us += LOOK_US
    assert set(file.now()) == {ONE, TWO}
    path.write_bytes(written([]))
    clock.us += LOOK_US - 1
    assert len(file.now()) == 2
    clock.us += 1
    assert len(file.now()) == 0


def test_a_new_version_that_is_wrong_leaves_the_old_one_and_is_counted_once(tmp_path: Path) -> None:
    path, clock, counters = tmp_path / "tokens", HandClock(), ApiCounters()
    path.write_bytes(written([ONE]))
    file = TokenFile(path, clock, counters)
    path.write_text("something else\n")
    for _ in range(3):
        clock.us += LOOK_US
        assert set(file.now()) == {ONE}
    assert counters.faulty_token_files == 1
    path.unlink()
    clock.us += LOOK_US
    assert set(file.now()) == {ONE}
    assert counters.faulty_token_files == 2
    path.write_bytes(written([TWO]))
    clock.us += LOOK_US
    assert set(file.now()) == {TWO}


def test_the_first_version_has_to_be_right(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tokens: cannot be read"):
        TokenFile(tmp_path / "tokens", HandClock(), ApiCounters())


# --- written


def test_a_change_is_whole_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(written([ONE]))
    os.chmod(path, 0o644)  # noqa: PTH101  # as somebody's editor left it
    change_tokens(path, lambda tokens: [*tokens, TWO])
    assert read_tokens(path) == [ONE, TWO]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_change_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(written([ONE]))

    def refuse(_tokens: list[Token]) -> list[Token]:
        raise ConfigError("no")

    with pytest.raises(ConfigError, match="no"):
        change_tokens(path, refuse)
    assert read_tokens(path) == [ONE]
    assert list(tmp_path.iterdir()) == [path]


def test_two_do_not_change_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(written([ONE]))

    def change(tokens: list[Token]) -> list[Token]:
        with pytest.raises(ConfigError, match="another command is at work"):
            change_tokens(path, lambda _: [])
        return [*tokens, TWO]

    change_tokens(path, change)
    assert read_tokens(path) == [ONE, TWO]
