"""For how long a fault of the way to a box explains that one side does not know what the other does."""

from typing import Final

from simulator.virtual.spells import Touches
from simulator.virtual.timers import SECOND_US

HEARS_US: Final = 75 * SECOND_US  # back-off up to 15 s, keepalive 41 s, resend within 10 s: told after so much calm
HEARING: Final = frozenset({Touches.WAY, Touches.BOX, Touches.CENTRE, Touches.MEMORY})
