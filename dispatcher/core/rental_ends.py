"""Whether a vehicle's last reading tells what it had at an end of a rental, or something older."""

from contract.facts import VehicleReading

RESTING_S = 7_200  # a parked tracker speaks once an hour; of one that missed two of them nobody knows what became
FRESH_S = 900  # three reports of a tracker on the road


def at_take(reading: VehicleReading | None) -> VehicleReading | None:
    """What it had when its key was taken: a car that stood told it up to two hours before."""
    return reading if reading is not None and reading.age_s <= RESTING_S else None


def at_return(reading: VehicleReading | None, out_s: int) -> VehicleReading | None:
    """What it had when its key came back.

    It was told while the key was out, `out_s` long, and it is fresh, or the engine was off by then.
    """
    if reading is None or reading.age_s > out_s:
        return None
    return reading if reading.age_s <= FRESH_S or reading.ignition is False else None
