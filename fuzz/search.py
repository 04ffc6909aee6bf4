"""One search, in a process of its own: `python -m fuzz.search NAME [libFuzzer's arguments]`.

Under atheris, which is only in `.venv-fuzz`: the codecs are instrumented as they are imported, and libFuzzer keeps
every input that reaches something new.
"""

import sys

import atheris

INSTRUMENTED = ["station_agent.drivers", "contract", "runtime.small_http"]


def main() -> None:
    with atheris.instrument_imports(include=INSTRUMENTED):
        from fuzz.targets import TARGETS  # noqa: PLC0415  # what is imported here is instrumented
    name = sys.argv.pop(1)
    check = TARGETS[name].check

    def one(data: bytes) -> None:
        check(data)

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
