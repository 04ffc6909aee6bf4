import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.envelope import (
    SIGNED_BYTES_MAX,
    BadKey,
    BadMessage,
    EnvelopeFault,
    VerifyKey,
    private_key_from_pem,
    public_key_from_text,
    public_key_text,
    verify,
)
from contract.jws import sign_compact
from contract.messages import Acknowledged, Presence, TimeReply, TimeRequest
from contract.topics import ACKNOWLEDGED, DESIRED, PRESENCE, TIME, Author, ParsedTopic, TopicRule
from tests.contract.keys import pem, public_text, signer, verify_key

BOX = signer(Author.AGENT, "gare-1", 1)
OTHER_BOX = signer(Author.AGENT, "gare-2", 2)
CENTRE = signer(Author.DISPATCHER, "centre", 3)
KEYS = {
    "agent/gare-1": verify_key(Author.AGENT, "gare-1", 1),
    "agent/gare-2": verify_key(Author.AGENT, "gare-2", 2),
    "dispatcher/centre": verify_key(Author.DISPATCHER, "centre", 3),
}
NONCE = "0" * 32
PRESENT = Presence(cabinet="gare-1", online=True, boot_nonce=NONCE, boot_ms=1, connection=1, version="1")
DURABLE = Acknowledged(cabinet="gare-1", ledger=NONCE, epoch=NONCE, seq=7, hash="0" * 64)


def on(rule: TopicRule, subject: str = "gare-1") -> ParsedTopic:
    return ParsedTopic(rule, subject)


def fault_of(wire: bytes, topic: ParsedTopic, find: Callable[[str], VerifyKey | None] = KEYS.get) -> EnvelopeFault:
    with pytest.raises(BadMessage) as caught:
        verify(wire, topic, find)
    return caught.value.fault


def test_a_signed_message_is_read_back_as_it_was() -> None:
    assert verify(BOX.sign(PRESENT), on(PRESENCE), KEYS.get) == PRESENT
    assert verify(CENTRE.sign(DURABLE), on(ACKNOWLEDGED), KEYS.get) == DURABLE


def test_the_algorithm_is_ed25519_by_its_new_name() -> None:
    head = BOX.sign(PRESENT).split(b".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    assert header == {"alg": "Ed25519", "kid": "agent/gare-1"}


def test_a_changed_payload_does_not_verify() -> None:
    head, _, signature = BOX.sign(PRESENT).split(b".")
    _, other, _ = BOX.sign(PRESENT.model_copy(update={"online": False})).split(b".")
    assert fault_of(b".".join((head, other, signature)), on(PRESENCE)) is EnvelopeFault.BAD_SIGNATURE


def test_another_boxs_key_does_not_speak_for_this_cabinet() -> None:
    assert fault_of(OTHER_BOX.sign(PRESENT), on(PRESENCE)) is EnvelopeFault.WRONG_TOPIC


def test_a_box_cannot_acknowledge_its_own_facts() -> None:
    assert fault_of(BOX.sign(DURABLE), on(ACKNOWLEDGED)) is EnvelopeFault.WRONG_TOPIC


def test_a_message_for_one_cabinet_is_refused_on_the_topic_of_another() -> None:
    assert fault_of(CENTRE.sign(DURABLE), on(ACKNOWLEDGED, "gare-2")) is EnvelopeFault.WRONG_TOPIC


def test_a_message_is_refused_on_the_topic_of_another_kind() -> None:
    assert fault_of(CENTRE.sign(DURABLE), on(DESIRED)) is EnvelopeFault.WRONG_TOPIC


def test_question_and_answer_about_the_time_share_a_topic_but_not_an_author() -> None:
    question = TimeRequest(cabinet="gare-1", nonce=NONCE)
    answer = TimeReply(cabinet="gare-1", nonce=NONCE, at_ms=5)
    assert verify(BOX.sign(question), on(TIME), KEYS.get) == question
    assert verify(CENTRE.sign(answer), on(TIME), KEYS.get) == answer
    assert fault_of(BOX.sign(answer), on(TIME)) is EnvelopeFault.WRONG_TOPIC


def test_an_author_without_a_registered_key_is_unknown() -> None:
    assert fault_of(BOX.sign(PRESENT), on(PRESENCE), lambda _kid: None) is EnvelopeFault.UNKNOWN_AUTHOR


def test_no_algorithm_and_other_algorithms_are_refused() -> None:
    _, payload, _ = BOX.sign(PRESENT).split(b".")
    for algorithm in ("none", "HS256", "EdDSA"):
        header = json.dumps({"alg": algorithm, "kid": "agent/gare-1"}).encode()
        head = base64.urlsafe_b64encode(header).rstrip(b"=")
        assert fault_of(b".".join((head, payload, b"")), on(PRESENCE)) is EnvelopeFault.BAD_SIGNATURE


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "jwk", "typ", "zip"]), JSON_VALUES)


@given(HEADERS, st.booleans())
def test_whatever_a_header_says_it_is_a_message_or_a_fault(header: dict[str, object], known: bool) -> None:
    if known:
        header |= {"kid": "agent/gare-1", "alg": "Ed25519"}
    _, payload, signature = BOX.sign(PRESENT).split(b".")
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    assert fault_of(b".".join((head, payload, signature)), on(PRESENCE)) in {
        EnvelopeFault.MALFORMED,
        EnvelopeFault.UNKNOWN_AUTHOR,
        EnvelopeFault.BAD_SIGNATURE,
    }


@pytest.mark.parametrize("crit", [5, None, [{}], [["a"]], ["exp"]])
def test_a_header_with_extensions_is_refused_before_anything_reads_it(crit: object) -> None:
    _, payload, signature = BOX.sign(PRESENT).split(b".")
    header = json.dumps({"kid": "agent/gare-1", "alg": "Ed25519", "crit": crit}).encode()
    head = base64.urlsafe_b64encode(header).rstrip(b"=")
    assert fault_of(b".".join((head, payload, signature)), on(PRESENCE)) is EnvelopeFault.MALFORMED


def refusal(wire: bytes) -> str:
    with pytest.raises(BadMessage) as caught:
        verify(wire, on(PRESENCE), KEYS.get)
    return caught.value.detail


def test_why_a_message_is_refused_quotes_nothing_that_it_says() -> None:
    secret = "calypso:00000000075BCD15"
    header = json.dumps({"alg": "Ed25519", "kid": secret}).encode()
    head = base64.urlsafe_b64encode(header).rstrip(b"=")
    for wire in (head + b".e30.c2ln", BOX.sign(PRESENT.model_copy(update={"kind": secret}))):
        assert secret not in refusal(wire)
        assert "expected" in refusal(wire) or "knows" in refusal(wire)


def test_a_message_over_the_limit_is_not_even_parsed() -> None:
    assert fault_of(b"x" * (SIGNED_BYTES_MAX + 1), on(PRESENCE)) is EnvelopeFault.TOO_LARGE


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_message_or_a_fault(wire: bytes) -> None:
    assert fault_of(wire, on(PRESENCE)) in {EnvelopeFault.MALFORMED, EnvelopeFault.UNKNOWN_AUTHOR}


def test_a_kind_from_the_future_is_told_from_garbage() -> None:
    def signed(payload: object) -> bytes:
        text = json.dumps(payload).encode()
        key = private_key_from_pem(pem(1))
        header = {"alg": "Ed25519", "kid": "agent/gare-1"}
        return sign_compact(header, text, key)

    assert fault_of(signed({"kind": "hologram", "cabinet": "gare-1"}), on(PRESENCE)) is EnvelopeFault.UNKNOWN_KIND
    assert fault_of(signed({"kind": "presence"}), on(PRESENCE)) is EnvelopeFault.MALFORMED
    assert fault_of(signed(["presence"]), on(PRESENCE)) is EnvelopeFault.MALFORMED
    newer = {**json.loads(PRESENT.to_json()), "mood": "sunny"}
    assert verify(signed(newer), on(PRESENCE), KEYS.get) == PRESENT


def test_keys_that_are_no_keys_are_named() -> None:
    with pytest.raises(BadKey, match="PEM"):
        private_key_from_pem(b"garbage")
    with pytest.raises(BadKey, match="43 characters"):
        public_key_from_text("short")
    assert len(public_text(1)) == 43


def test_a_key_file_is_read_alike_however_it_is_laid_out() -> None:
    usual = pem(1)
    lines = usual.decode().splitlines()
    split = "\n".join([lines[0], lines[1][:40], lines[1][40:], lines[2]]).encode()
    texts = {
        public_key_text(private_key_from_pem(one))
        for one in (usual, usual.replace(b"\n", b"\r\n"), b"\n" + usual + b"\n", split)
    }
    assert texts == {public_text(1)}
