"""Entry points of the programs at another time or speed: their own mains, with a scaled clock passed in.

python -m simulator.programs --start-ms N --speed X --origin-us N station-agent run --config station.toml
"""

import argparse

from runtime.clocks import SystemLineClock
from simulator.clocks import ScaledClock


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m simulator.programs", description="a program at another time")
    parser.add_argument("--start-ms", type=int, required=True, help="what the clock read at the origin")
    parser.add_argument("--speed", type=float, required=True)
    parser.add_argument("--origin-us", type=int, required=True, help="the line clock's reading at the origin")
    parser.add_argument("--unsynchronised", action="store_true", help="no kernel vouches for this clock")
    parser.add_argument("program", choices=["station-agent", "dispatcher"])
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    clock = ScaledClock(
        options.start_ms,
        options.speed,
        SystemLineClock(),
        origin_us=options.origin_us,
        synchronised=not options.unsynchronised,
    )
    rest: list[str] = options.rest
    if options.program == "station-agent":
        from station_agent import cli as station_agent_cli  # noqa: PLC0415  # an agent's process holds no dispatcher

        return station_agent_cli.main(rest, clock=clock)
    from dispatcher import cli as dispatcher_cli  # noqa: PLC0415  # and the other way round

    return dispatcher_cli.main(rest, clock=clock)


if __name__ == "__main__":
    raise SystemExit(main())
