"""The program `dispatcher`: what asks the API starts in a fraction of the time that the rest takes to import."""

import os
import sys

from dispatcher.client import program as client

READER_GONE = 141  # as shells say it: 128 and the number of SIGPIPE


def main() -> int:
    """Entry point of `dispatcher` and of `python -m dispatcher`."""
    try:
        status = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at the exit
        return READER_GONE
    return status


def _run(arguments: list[str]) -> int:
    if client.asks_api(arguments):
        return client.main(arguments)
    from dispatcher import cli  # noqa: PLC0415  # database, API and message contract are imported with it

    return cli.main(arguments)
