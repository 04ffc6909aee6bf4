"""The program `dispatcher`: what asks the API starts in a tenth of the time that the rest takes to import."""

import sys

from dispatcher.client import program as client


def main() -> int:
    """Entry point of `dispatcher` and of `python -m dispatcher`."""
    arguments = sys.argv[1:]
    if client.asks_api(arguments):
        return client.main(arguments)
    from dispatcher import cli  # noqa: PLC0415  # database, API and message contract are imported with it

    return cli.main(arguments)
