import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.chain import chain_hashes, genesis_hash, next_hash
from contract.facts import BadFact, DoorOpened, Identity, KeyTaken, UnknownFact, VehicleReading, parse_fact
from contract.messages import FactBatch

EPOCH = "a" * 32
TAKEN = KeyTaken(
    seq=3,
    at_ms=1_000,
    clock_trusted=True,
    slot=2,
    identity=Identity.READ,
    key="key-1",
    vehicle=VehicleReading(age_s=4, odometer_m=12),
)


def test_a_fact_is_read_back_from_its_text() -> None:
    assert parse_fact(TAKEN.to_json()) == TAKEN


def test_what_is_not_known_is_left_out_of_the_text() -> None:
    assert '"energy_percent"' not in TAKEN.to_json()


def test_a_kind_from_a_newer_agent_keeps_its_number_and_time() -> None:
    fact = parse_fact('{"seq":9,"at_ms":5,"clock_trusted":true,"kind":"drone_landed","where":"roof"}')
    assert fact == UnknownFact(seq=9, at_ms=5, clock_trusted=True, kind="drone_landed")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nonsense", "JSON"),
        ('{"kind":"door_closed","seq":0,"at_ms":1,"clock_trusted":true,"slot":1}', "seq"),
        ('{"kind":"door_closed","seq":1,"at_ms":1,"clock_trusted":"yes","slot":1}', "clock_trusted"),
        ('{"kind":"drone_landed","at_ms":5}', "seq"),
    ],
)
def test_a_bad_fact_is_named_by_field(text: str, names: str) -> None:
    with pytest.raises(BadFact, match=names):
        parse_fact(text)


@given(st.text(max_size=200))
def test_whatever_comes_is_a_fact_or_a_bad_one(text: str) -> None:
    try:
        fact = parse_fact(text)
    except BadFact:
        return
    assert fact.seq >= 1


def batch(texts: tuple[str, ...], before: str, last: str) -> FactBatch:
    return FactBatch(
        cabinet="gare-1",
        epoch=EPOCH,
        epoch_created_ms=1,
        first_seq=1,
        hash_before=before,
        facts=texts,
        last_hash=last,
    )


def test_a_batch_whose_chain_does_not_hold_is_no_batch() -> None:
    texts = tuple(
        DoorOpened(seq=seq, at_ms=seq, clock_trusted=True, slot=1, released=True).to_json() for seq in (1, 2)
    )
    before = genesis_hash("gare-1", EPOCH)
    good = batch(texts, before, chain_hashes(before, texts)[-1])
    assert good.last_seq == 2
    with pytest.raises(ValueError, match="last_hash"):
        batch(texts[::-1], before, good.last_hash)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6), st.integers(0, 5), st.text(max_size=20))
def test_changing_any_fact_changes_the_last_hash(texts: list[str], place: int, other: str) -> None:
    start = genesis_hash("gare-1", EPOCH)
    changed = list(texts)
    changed[place % len(texts)] = other
    same = changed == texts
    assert (chain_hashes(start, tuple(texts))[-1] == chain_hashes(start, tuple(changed))[-1]) is same


def test_the_chain_is_bound_to_cabinet_and_epoch() -> None:
    starts = {genesis_hash(cabinet, epoch) for cabinet in ("gare-1", "gare-2") for epoch in ("a" * 32, "b" * 32)}
    assert len({next_hash(start, "{}") for start in starts}) == 4
