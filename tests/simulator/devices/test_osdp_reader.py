"""The simulated reader, asked by hand."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.osdp_reader import EVENTS_MAX, SESSION_IDLE_US, OsdpReader
from simulator.devices.osdp_values import Beeps, KeyFault, Light
from station_agent.drivers.osdp import framing, secure
from station_agent.drivers.osdp.framing import Frame
from station_agent.drivers.osdp.messages import Command, Refusal, Reply
from station_agent.drivers.osdp.secure import SecureSession

KEY = bytes(range(16))
RND_A = bytes(range(8))
SECOND_US = 1_000_000
ADDRESS = 5


class Asker:
    """A panel's side as small as can be: it asks, and the test looks at the answer."""

    def __init__(self, reader: OsdpReader, key: bytes = KEY) -> None:
        self.reader = reader
        self.key = key
        self.now_us = 0
        self.sequence = 0
        self.session: SecureSession | None = None

    def raw(self, data: bytes) -> Frame | None:
        self.now_us += 50_000
        answer = self.reader.receive(self.now_us, data)
        return framing.parse(answer) if answer else None

    def clear(self, code: int, payload: bytes = b"", block: bytes = b"") -> Frame:
        frame = self.raw(framing.encode(ADDRESS, self.sequence, code, payload, block))
        assert frame is not None
        assert (frame.address, frame.is_reply, frame.sequence) == (ADDRESS, True, self.sequence)
        self.sequence = self.sequence % 3 + 1
        return frame

    def sealed(self, code: int, payload: bytes = b"") -> tuple[int, bytes]:
        assert self.session is not None
        frame = self.raw(self.session.seal(ADDRESS, self.sequence, code, payload))
        assert frame is not None
        assert frame.mac
        answer = self.session.open(frame)
        assert answer is not None
        self.sequence = self.sequence % 3 + 1
        return frame.code, answer

    def challenge(self, which: int = secure.KEY_IS_OWN) -> Frame:
        return self.clear(Command.CHLNG, RND_A, secure.handshake_block(secure.CHALLENGE, which))

    def prove(self) -> Frame:
        assert self.session is not None
        block = secure.handshake_block(secure.PROOF, secure.KEY_IS_OWN)
        return self.clear(Command.SCRYPT, self.session.panel_cryptogram, block)

    def begin_session(self) -> "Asker":
        self.sequence = 0
        self.clear(Command.ID, b"\x00")
        answer = self.challenge()
        self.session = SecureSession(self.key, RND_A, answer.payload[8:16])
        assert answer.payload[16:] == self.session.reader_cryptogram
        assert self.prove().payload == self.session.first_mac
        return self


def make_reader(*, secure_only: bool = True, install_mode: bool = False) -> OsdpReader:
    draw = random.Random("reader").randbytes
    return OsdpReader(ADDRESS, KEY, draw, secure_only=secure_only, install_mode=install_mode)


def refusal_of(frame: Frame) -> int:
    assert frame.code == Reply.NAK
    return frame.payload[0]


def test_it_says_who_it_is_and_what_it_can_before_any_session() -> None:
    asker = Asker(make_reader())
    assert len(asker.clear(Command.ID, b"\x00").payload) == 12
    assert asker.clear(Command.CAP, b"\x00").code == Reply.PDCAP


def test_it_says_nothing_else_before_a_session() -> None:
    reader = make_reader()
    reader.show_card(8, b"\xaa")
    asker = Asker(reader)
    for code in (Command.POLL, Command.LSTAT, Command.LED, Command.BUZ, 0x99):
        assert refusal_of(asker.clear(code)) == Refusal.SECURE_CHANNEL_NEEDED


def test_one_that_is_not_secure_gives_a_card_in_clear() -> None:
    reader = make_reader(secure_only=False)
    reader.show_card(8, b"\xaa")
    assert Asker(reader).clear(Command.POLL).payload == b"\x00\x00\x08\x00\xaa"


def test_in_a_session_it_tells_its_events_in_order_and_then_nothing() -> None:
    reader = make_reader()
    asker = Asker(reader).begin_session()
    reader.show_card(26, b"\x01\x02\x03\x40")
    reader.press("1*#")
    assert asker.sealed(Command.POLL) == (Reply.RAW, b"\x00\x00\x1a\x00\x01\x02\x03\x40")
    assert asker.sealed(Command.POLL) == (Reply.KEYPAD, b"\x00\x031\x7f\x0d")
    assert asker.sealed(Command.POLL) == (Reply.ACK, b"")


def test_a_repeated_command_gets_its_reply_again_and_a_card_is_not_lost() -> None:
    reader = make_reader()
    asker = Asker(reader).begin_session()
    reader.show_card(8, b"\xaa")
    reader.show_card(8, b"\xbb")
    assert asker.session is not None
    poll = asker.session.seal(ADDRESS, asker.sequence, Command.POLL)
    first, second = asker.raw(poll), asker.raw(poll)
    assert first is not None
    assert first == second
    assert asker.session.open(first) == b"\x00\x00\x08\x00\xaa"
    asker.sequence = asker.sequence % 3 + 1
    assert asker.sealed(Command.POLL) == (Reply.RAW, b"\x00\x00\x08\x00\xbb")


def test_another_command_under_the_last_number_is_refused() -> None:
    asker = Asker(make_reader())
    asker.clear(Command.ID, b"\x00")
    asker.clear(Command.ID, b"\x00")
    asker.sequence = 1
    assert refusal_of(asker.clear(Command.CAP, b"\x00")) == Refusal.BAD_SEQUENCE


def test_a_number_left_out_is_refused() -> None:
    asker = Asker(make_reader())
    asker.clear(Command.ID, b"\x00")
    asker.sequence = 2
    assert refusal_of(asker.clear(Command.ID, b"\x00")) == Refusal.BAD_SEQUENCE


def test_sequence_0_ends_the_session() -> None:
    asker = Asker(make_reader()).begin_session()
    asker.sequence = 0
    asker.clear(Command.ID, b"\x00")
    assert not asker.reader.in_session


def test_a_wrong_mac_ends_the_session() -> None:
    asker = Asker(make_reader()).begin_session()
    assert asker.session is not None
    asker.session._chain = bytes(16)
    frame = asker.raw(asker.session.seal(ADDRESS, asker.sequence, Command.POLL))
    assert frame is not None
    assert refusal_of(frame) == Refusal.SECURE_CHANNEL_NEEDED
    assert not asker.reader.in_session


def test_a_command_in_clear_is_refused_in_a_session() -> None:
    asker = Asker(make_reader()).begin_session()
    assert refusal_of(asker.clear(Command.POLL)) == Refusal.SECURE_CHANNEL_NEEDED


def test_a_wrong_cryptogram_makes_no_session() -> None:
    asker = Asker(make_reader())
    asker.clear(Command.ID, b"\x00")
    asker.challenge()
    asker.session = SecureSession(bytes(16), RND_A, RND_A)
    assert refusal_of(asker.prove()) == Refusal.SECURE_CHANNEL_NEEDED
    assert not asker.reader.in_session


def test_a_proof_without_a_challenge_makes_no_session() -> None:
    asker = Asker(make_reader())
    asker.clear(Command.ID, b"\x00")
    asker.session = SecureSession(KEY, RND_A, RND_A)
    assert refusal_of(asker.prove()) == Refusal.SECURE_CHANNEL_NEEDED


@pytest.mark.parametrize("asked_for", [secure.KEY_IS_DEFAULT, secure.KEY_IS_OWN])
@pytest.mark.parametrize(
    ("install_mode", "key", "block"),
    [(False, KEY, b"\x03\x12\x01"), (True, secure.SCBK_DEFAULT, b"\x03\x12\x00")],
)
def test_the_public_key_is_used_in_install_mode_alone_whatever_is_asked_for(
    asked_for: int, key: bytes, block: bytes, *, install_mode: bool
) -> None:
    asker = Asker(make_reader(install_mode=install_mode))
    asker.clear(Command.ID, b"\x00")
    answer = asker.challenge(asked_for)
    assert answer.security == block
    session = SecureSession(key, RND_A, answer.payload[8:16])
    assert answer.payload[16:] == session.reader_cryptogram


def test_a_session_ends_when_the_panel_is_silent_for_eight_seconds() -> None:
    asker = Asker(make_reader()).begin_session()
    asker.now_us += SESSION_IDLE_US - SECOND_US
    asker.sealed(Command.POLL)
    asker.now_us += SESSION_IDLE_US
    assert asker.session is not None
    frame = asker.raw(asker.session.seal(ADDRESS, asker.sequence, Command.POLL))
    assert frame is not None
    assert refusal_of(frame) == Refusal.SECURE_CHANNEL_NEEDED


def test_without_an_idle_limit_a_session_outlives_an_hour() -> None:
    reader = OsdpReader(ADDRESS, KEY, random.Random(1).randbytes, session_idle_us=None)
    asker = Asker(reader).begin_session()
    asker.now_us += 3600 * SECOND_US
    assert asker.sealed(Command.POLL) == (Reply.ACK, b"")


def test_its_memory_holds_a_few_events_and_refuses_more() -> None:
    reader = make_reader()
    assert [reader.show_card(8, b"\xaa") for _ in range(EVENTS_MAX + 1)] == [True] * EVENTS_MAX + [False]
    assert reader.press("1") is False


def test_a_changed_contact_is_told_before_a_card() -> None:
    reader = make_reader()
    asker = Asker(reader).begin_session()
    reader.show_card(8, b"\xaa")
    reader.set_tamper(True)
    reader.set_power_failed(True)
    assert asker.sealed(Command.POLL) == (Reply.LSTATR, b"\x01\x01")
    assert asker.sealed(Command.POLL)[0] == Reply.RAW
    assert asker.sealed(Command.LSTAT) == (Reply.LSTATR, b"\x01\x01")


def test_a_temporary_light_is_over_when_its_time_is_or_when_cancelled() -> None:
    asker = Asker(make_reader()).begin_session()
    permanent = bytes((1, 1, 0, 4, 4))
    asker.sealed(Command.LED, bytes((0, 0, 2, 3, 2, 2, 0, 10, 0)) + permanent)
    reader = asker.reader
    light = reader.light(asker.now_us)
    assert (light.on_colour, light.off_colour, light.on_ds, light.off_ds) == (2, 0, 3, 2)
    assert reader.light(asker.now_us + SECOND_US) == Light(4, 4, 1, 0)
    asker.sealed(Command.LED, bytes((0, 0, 1)) + bytes(11))
    assert reader.light(asker.now_us) == Light(4, 4, 1, 0)


def test_buzzes_are_counted_and_the_last_one_kept() -> None:
    asker = Asker(make_reader()).begin_session()
    assert asker.sealed(Command.BUZ, bytes((0, 2, 1, 1, 3))) == (Reply.ACK, b"")
    assert asker.sealed(Command.BUZ, bytes((0, 2, 5, 1, 1))) == (Reply.ACK, b"")
    assert (asker.reader.buzzes, asker.reader.last_beeps) == (2, Beeps(2, 5, 1, 1))


@pytest.mark.parametrize(
    ("code", "payload", "reason"),
    [
        (0x99, b"", Refusal.UNKNOWN_COMMAND),
        (Command.LED, b"\x00", Refusal.BAD_LENGTH),
        (Command.BUZ, b"", Refusal.BAD_LENGTH),
        (Command.LED, bytes((1,)) + bytes(13), Refusal.CANNOT_PROCESS),
    ],
)
def test_what_it_cannot_do_is_refused_inside_the_session(code: int, payload: bytes, reason: Refusal) -> None:
    asker = Asker(make_reader()).begin_session()
    assert asker.sealed(code, payload) == (Reply.NAK, bytes((reason,)))
    assert asker.sealed(Command.POLL) == (Reply.ACK, b"")


def test_a_power_cycle_forgets_session_numbers_and_cards_but_not_the_key() -> None:
    asker = Asker(make_reader()).begin_session()
    asker.reader.show_card(8, b"\xaa")
    asker.reader.power_cycle()
    assert refusal_of(asker.clear(Command.POLL)) == Refusal.BAD_SEQUENCE
    asker.begin_session()
    assert asker.sealed(Command.POLL) == (Reply.ACK, b"")


def test_a_mute_reader_keeps_its_session_and_its_card_for_when_it_speaks_again() -> None:
    asker = Asker(make_reader()).begin_session()
    asker.reader.mute = True
    asker.reader.show_card(8, b"\xaa")
    assert asker.session is not None
    poll = asker.session.seal(ADDRESS, asker.sequence, Command.POLL)
    assert asker.raw(poll) is None
    asker.reader.mute = False
    answer = asker.raw(poll)
    assert answer is not None
    assert asker.session.open(answer) == b"\x00\x00\x08\x00\xaa"


def test_a_reader_with_another_key_proves_nothing_to_its_panel_and_says_it_is_its_own() -> None:
    asker = Asker(make_reader())
    asker.reader.has_other_key = True
    asker.clear(Command.ID, b"\x00")
    answer = asker.challenge()
    assert answer.security == b"\x03\x12\x01"
    assert answer.payload[16:] != SecureSession(KEY, RND_A, answer.payload[8:16]).reader_cryptogram
    asker.reader.has_other_key = False
    asker.begin_session()


def test_a_reader_that_reads_twice_tells_each_card_twice() -> None:
    asker = Asker(make_reader()).begin_session()
    asker.reader.swipes_twice = True
    asker.reader.show_card(8, b"\xaa")
    told = [asker.sealed(Command.POLL) for _ in range(3)]
    assert told == [(Reply.RAW, b"\x00\x00\x08\x00\xaa")] * 2 + [(Reply.ACK, b"")]


NEW_KEY = bytes(range(200, 216))
KEYSET = b"\x01\x10" + NEW_KEY


def test_a_reader_in_install_mode_takes_a_key_and_is_in_it_no_more() -> None:
    reader = make_reader(install_mode=True)
    kept: list[bytes] = []
    reader.on_key = kept.append
    asker = Asker(reader, secure.SCBK_DEFAULT).begin_session()
    assert asker.sealed(Command.KEYSET, KEYSET) == (Reply.ACK, b"")
    assert asker.sealed(Command.POLL) == (Reply.ACK, b"")
    assert (kept, reader.install_mode) == ([NEW_KEY], False)
    asker.key = NEW_KEY
    asker.begin_session()


def test_a_reader_takes_no_key_out_of_a_session_nor_one_of_another_length() -> None:
    reader = OsdpReader(ADDRESS, KEY, random.Random(1).randbytes, secure_only=False, install_mode=True)
    asker = Asker(reader, secure.SCBK_DEFAULT)
    assert refusal_of(asker.clear(Command.KEYSET, KEYSET)) == Refusal.SECURE_CHANNEL_NEEDED
    asker.begin_session()
    for payload in (b"", KEYSET[:-1], b"\x02" + KEYSET[1:]):
        assert asker.sealed(Command.KEYSET, payload) == (Reply.NAK, bytes((Refusal.BAD_LENGTH,)))
    assert reader.install_mode


@pytest.mark.parametrize(
    ("fault", "is_kept"), [(KeyFault.POWER_LOST_BEFORE, False), (KeyFault.POWER_LOST_AFTER, True)]
)
def test_a_reader_whose_power_fails_over_a_key_says_nothing_and_has_it_or_not(
    fault: KeyFault, *, is_kept: bool
) -> None:
    asker = Asker(make_reader(install_mode=True), secure.SCBK_DEFAULT).begin_session()
    asker.reader.key_fault = fault
    assert asker.session is not None
    assert asker.raw(asker.session.seal(ADDRESS, asker.sequence, Command.KEYSET, KEYSET)) is None
    assert asker.reader.install_mode is not is_kept
    asker.key = NEW_KEY if is_kept else secure.SCBK_DEFAULT
    asker.begin_session()


def test_an_unsound_reader_opens_under_the_public_key_too_for_whoever_asks_for_it() -> None:
    asker = Asker(make_reader())
    asker.reader.takes_public_key_too = True
    asker.clear(Command.ID, b"\x00")
    assert asker.challenge(secure.KEY_IS_DEFAULT).security == b"\x03\x12\x00"
    asker.begin_session()


def test_a_reader_that_takes_no_keys_refuses_and_stays_as_it_is() -> None:
    asker = Asker(make_reader(install_mode=True), secure.SCBK_DEFAULT).begin_session()
    asker.reader.key_fault = KeyFault.REFUSED
    assert asker.sealed(Command.KEYSET, KEYSET) == (Reply.NAK, bytes((Refusal.UNKNOWN_COMMAND,)))
    assert asker.reader.install_mode


def test_frames_for_others_other_readers_answers_and_garbled_ones_are_not_answered() -> None:
    reader = make_reader()
    poll = framing.encode(ADDRESS, 0, Command.ID, b"\x00")
    assert reader.receive(0, framing.encode(ADDRESS + 1, 0, Command.ID, b"\x00")) == b""
    assert reader.receive(0, framing.encode(ADDRESS | framing.REPLY_BIT, 0, Command.ID, b"\x00")) == b""
    assert reader.receive(0, poll[:-1] + bytes((poll[-1] ^ 1,))) == b""
    assert reader.receive(0, poll) != b""


def test_a_command_is_taken_byte_by_byte_and_a_cut_one_is_forgotten_after_a_gap() -> None:
    reader = make_reader()
    command = framing.encode(ADDRESS, 0, Command.ID, b"\x00")
    assert reader.receive(0, command[:5]) == b""
    answers = [reader.receive(SECOND_US + at * 1000, command[at : at + 1]) for at in range(len(command))]
    assert answers[:-1] == [b""] * (len(command) - 1)
    assert answers[-1] != b""


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_no_bytes_raise_and_it_answers_afterwards(portions: list[bytes]) -> None:
    reader = make_reader()
    for at, portion in enumerate(portions):
        reader.receive(at * 1000, portion)
    assert reader.receive(SECOND_US, framing.encode(ADDRESS, 0, Command.ID, b"\x00")) != b""
