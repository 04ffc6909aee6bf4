"""Which board to look at next, and when: slowly while nothing happens, fast while somebody is at the cabinet."""

from typing import Final

from station_agent.drivers.base import FOREVER_US

FAST_ROUND_US: Final = 50_000  # beyond a contact's bouncing (a few ms, 20 at worst), and no one notices 50 ms
FAST_FOR_US: Final = 10_000_000  # a member opens the door and takes the key within seconds of the click
FAILED_ROUNDS: Final = 4  # where one answer in 100 is lost, so many in a row by chance are months apart
RETRY_FIRST_US: Final = 500_000  # a board that was reset is back within a second
RETRY_MAX_US: Final = 10_000_000  # the network's promise to converge counts on this
RESTFUL_ROUNDS: Final = 2  # rounds without news before a simulator may leave out the next ones


class Rounds:
    """One round looks at each board once; `position` is the next of them, due at `due_us`."""

    def __init__(self, *, board_count: int, idle_us: int) -> None:
        self.position = 0
        self.due_us = 0
        self._board_count = board_count
        self._idle_us = idle_us
        self._started_us = 0
        self._ended_us = 0
        self._failed_count = 0  # in a row
        self._fast_until_us = 0
        self._restful_count = 0  # in a row

    def restart(self, now_us: int) -> None:
        self.position = 0
        self._restful_count = 0
        self.due_us = now_us
        self._failed_count = 0
        self._fast_until_us = 0

    def hurry(self, now_us: int) -> None:
        """A lock was pulsed: look at once, and often for a while."""
        self.due_us = now_us
        self._fast_until_us = now_us + FAST_FOR_US
        self._restful_count = 0

    def wait_until(self, at_us: int) -> None:
        self.due_us = at_us

    def look(self, now_us: int) -> None:
        """The board at `position` is being asked."""
        if self.position == 0:
            self._started_us = now_us

    def seen(self, now_us: int, *, is_settled: bool) -> bool:
        """The board at `position` answered; True if it was the round's last.

        `is_settled`: no contact of the cabinet waits for its second read.
        """
        self.position += 1
        if self.position < self._board_count:
            return False
        self.position = 0
        self._failed_count = 0
        self._ended_us = now_us
        self._restful_count = self._restful_count + 1 if is_settled else 0
        is_fast = now_us < self._fast_until_us or not is_settled
        self.due_us = self._started_us + (FAST_ROUND_US if is_fast else self._idle_us)
        return True

    def failed(self, now_us: int) -> bool:
        """The round is over; True if so many failed in a row that the cabinet is lost."""
        self.position = 0
        self._restful_count = 0
        self._failed_count += 1
        if self._failed_count < FAILED_ROUNDS:
            self.due_us = now_us
            return False
        doublings = min(self._failed_count - FAILED_ROUNDS, 5)  # the fifth reaches the longest wait
        self.due_us = now_us + min(RETRY_FIRST_US << doublings, RETRY_MAX_US)
        return True

    def rest_until_us(self) -> int | None:
        """Until when rounds will be like the last ones if nothing moves; None: the last ones were not alike."""
        if self.position or self._restful_count < RESTFUL_ROUNDS:
            return None
        return self._fast_until_us if self._ended_us < self._fast_until_us else FOREVER_US

    def expect_news(self) -> None:
        self._restful_count = 0

    def skip(self, now_us: int, free_at_us: int) -> int:
        """Rounds that were over by now were left out; by how much that moves everything, in microseconds."""
        period_us = max(self.due_us, free_at_us, self._ended_us) - self._started_us
        until_us = min(now_us, self._fast_until_us - 1) if self._ended_us < self._fast_until_us else now_us
        skipped_us = max(until_us - self._ended_us, 0) // period_us * period_us
        self._started_us += skipped_us
        self._ended_us += skipped_us
        self.due_us += skipped_us
        self._restful_count = 0
        return skipped_us
