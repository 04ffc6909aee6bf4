import random

from simulator.devices.spoiling import spoilt

PIECE = bytes(range(20))


def bits_changed(before: bytes, after: bytes) -> int:
    return sum((one ^ other).bit_count() for one, other in zip(before, after, strict=True))


def test_a_noisy_line_changes_one_bit_of_its_share_of_pieces() -> None:
    rng = random.Random("noise")
    changed = [bits_changed(PIECE, spoilt(PIECE, rng, noisy=0.2)) for _ in range(2000)]
    assert set(changed) == {0, 1}
    assert 340 < sum(changed) < 460


def test_a_cut_piece_is_the_beginning_of_what_was_sent() -> None:
    rng = random.Random("cut")
    arrived = [spoilt(PIECE, rng, noisy=0.0, cut=1.0) for _ in range(100)]
    assert all(PIECE.startswith(piece) and len(piece) < len(PIECE) for piece in arrived)
    assert len(set(arrived)) > 10


def test_a_good_line_draws_nothing_and_changes_nothing() -> None:
    rng = random.Random(1)
    before = rng.getstate()
    assert spoilt(PIECE, rng, noisy=0.0) == PIECE
    assert rng.getstate() == before
