from station_agent.drivers.rounds import FAST_FOR_US, FAST_ROUND_US, RETRY_MAX_US, Rounds

IDLE_US = 200_000


def rounds() -> Rounds:
    rounds = Rounds(board_count=1, idle_us=IDLE_US)
    rounds.restart(0)
    return rounds


def look_once(rounds: Rounds, now_us: int, *, is_settled: bool = True) -> int:
    """When the next look is due."""
    rounds.look(now_us)
    rounds.seen(now_us + 20_000, is_settled=is_settled)
    return rounds.due_us - now_us


def test_rounds_are_slow_while_nothing_happens() -> None:
    assert look_once(rounds(), 0) == IDLE_US


def test_rounds_are_fast_while_a_contact_waits_for_its_second_read() -> None:
    assert look_once(rounds(), 0, is_settled=False) == FAST_ROUND_US


def test_rounds_are_fast_for_a_while_after_a_lock_was_pulsed() -> None:
    hurried = rounds()
    hurried.hurry(1_000)
    assert hurried.due_us == 1_000
    assert look_once(hurried, 1_000) == FAST_ROUND_US
    assert look_once(hurried, FAST_FOR_US) == IDLE_US


def test_round_of_several_boards_is_due_again_when_the_last_has_answered() -> None:
    several = Rounds(board_count=3, idle_us=IDLE_US)
    several.restart(0)
    positions = []
    for now_us in (0, 20_000, 40_000):
        positions.append(several.position)
        several.look(now_us)
        assert several.due_us == 0
        several.seen(now_us + 20_000, is_settled=True)
    assert positions == [0, 1, 2]
    assert (several.position, several.due_us) == (0, IDLE_US)


def test_waits_between_failed_rounds_double_up_to_10_s_and_a_good_round_ends_them() -> None:
    failing = rounds()
    outcomes, waits = [], []
    for _ in range(10):
        outcomes.append(failing.failed(0))
        waits.append(failing.due_us / 1e6)
    assert outcomes == [False] * 3 + [True] * 7
    assert waits == [0, 0, 0, 0.5, 1, 2, 4, 8, 10, 10]
    assert waits[-1] == RETRY_MAX_US / 1e6
    look_once(failing, 0)
    assert not failing.failed(0)
