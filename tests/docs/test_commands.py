"""What the documents tell people to type is true: each command is judged, and what no test runs says so."""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.open_data.feeds import NAMES, Version
from runtime.clocks import SystemClock, SystemLineClock
from simulator.cabinet.bench import Bench
from simulator.cabinet.commands import Commands
from simulator.cabinet.options import MODBUS, OSDP, CabinetOptions
from simulator.cabinet.words import BadCommand, fitting
from tests.dispatcher.api_client import running_api
from tests.docs.commands import ROOT, Block, blocks, cabinet_lines, commands, documents, inline, unmarked
from tests.docs.judging import A_PATH, SYSTEM, judge, knows, make_targets

CALL = re.compile(r"`(?:GET|POST|PUT|PATCH|DELETE) ([^`\s?]+)")
WRITTEN = re.compile(r"> ?\S+")
"""Where a command's output goes: that need not be there before."""
WITHOUT_DOCUMENT = {"/api/v1/openapi.json", "/metrics", "/healthz", "/readyz"}
"""Answered by the dispatcher, and no part of what the OpenAPI document describes."""
BESIDE_THE_API = {"/cabinets/{}/metrics"}
"""What `make demo` answers on the port beside the dispatcher's."""
SHOWN_BY = {
    ("api.md", "python"): "tests/dispatcher/test_api_page.py::test_the_ten_minutes_of_the_page_go_as_it_says",
    ("client.md", "console"): "tests/dispatcher/test_client_page.py::test_the_page_shows_what_the_commands_write",
    ("desk.md", "console"): "tests/wire/test_simulated_cabinet.py::"
    "test_a_badge_a_key_taken_and_brought_back_at_a_station_on_the_desk",
    ("drivers.md", "python"): "tests/wire/test_driver_package.py::"
    "test_a_card_at_a_reader_of_another_packages_driver_opens_a_slot",
    ("events.md", "python"): "tests/dispatcher/test_event_example.py::test_it_takes_each_event_once_and_no_forgery",
    ("pairing.md", "console"): "tests/wire/test_pair_reader.py::"
    "test_a_reader_fresh_from_the_box_gets_a_key_of_its_own_and_the_station_opens_its_channel",
}
"""What shows that answers and programs in a document are so: of each that has some, the test that runs them."""
HISTORY = ROOT / "docs" / "decisions"
"""Decisions tell of programs as they were."""


@pytest.fixture(scope="module")
def routes() -> frozenset[str]:
    """Every path that a dispatcher answers, `{}` for what varies."""

    async def of_the_api() -> set[str]:
        async with running_api() as api:
            return set(api.app.openapi()["paths"])

    open_data = {f"/gbfs/{version.folder}/{name}.json" for version in Version for name in NAMES}
    paths = asyncio.run(of_the_api()) | open_data | {"/gbfs/gbfs.json"} | WITHOUT_DOCUMENT | BESIDE_THE_API
    return frozenset(re.sub(r"\{[^}]*\}", "{}", path) for path in paths)


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def shell_blocks() -> Iterator[Block]:
    for document in documents():
        yield from (block for block in blocks(document, text_of(document)) if block.is_shell)


def faults(block: Block, routes: frozenset[str]) -> list[str]:
    where = f"{block.document.name}:{block.line}"
    found = [f"{where}: {path}: expected something that is there" for path in lost_paths(block.text)]
    for command in commands(block):
        fault = judge(command.words, routes)
        if fault is not None:
            found.append(f"{block.document.name}:{block.line + command.line + 1}: {fault}")
        if command.words[0] in SYSTEM and not block.is_by_hand:
            found.append(f"{where}: {command.words[0]}: expected a word before the block that no test runs this")
    return found


def lost_paths(text: str) -> list[str]:
    """Paths of this repository in a text, commands and remarks alike, that lead nowhere."""
    return [path for path in A_PATH.findall(WRITTEN.sub("", text)) if not list(ROOT.glob(path))]


def test_every_command_of_every_block_is_one_that_its_program_takes(routes: frozenset[str]) -> None:
    found = [fault for block in shell_blocks() for fault in faults(block, routes)]
    assert found == []
    assert sum(len(commands(block)) for block in shell_blocks()) > 50, "there is something to judge"


def test_what_a_document_shows_of_answers_and_programs_is_run_by_a_test() -> None:
    shown = {
        (document.name, kind)
        for document in documents()
        for block in blocks(document, text_of(document))
        if (kind := block.kind.split(" ")[0]) in {"console", "python"}
    }
    assert shown == SHOWN_BY.keys()
    for where in SHOWN_BY.values():
        file, _, test = where.partition("::")
        assert f"def {test}" in (ROOT / file).read_text(encoding="utf-8"), where


def test_what_somebody_types_stands_in_a_block_that_says_so() -> None:
    now = [document for document in documents() if HISTORY not in document.parents]
    assert [(document.name, line) for document in now for line in unmarked(text_of(document))] == []


def test_commands_that_are_named_in_a_sentence_have_their_options() -> None:
    named = [
        (document.name, words)
        for document in documents()
        if HISTORY not in document.parents
        for words in inline(text_of(document))
    ]
    assert len(named) > 50, "there is something to judge"
    programs = [(name, words) for name, words in named if words[0] != "make"]
    judged = [(name, words, knows(words[0], words[1:])) for name, words in programs]
    targets = make_targets()
    unknown = [(name, words) for name, words in named if words[0] == "make" and words[1] not in targets]
    assert ([one for one in judged if one[2]], unknown) == ([], [])


def test_calls_that_are_named_in_a_sentence_are_routes(routes: frozenset[str]) -> None:
    named = [
        (document.name, call)
        for document in documents()
        if HISTORY not in document.parents
        for call in CALL.findall(text_of(document))
    ]
    assert len(named) > 50, "there is something to judge"
    assert [(name, call) for name, call in named if not is_route(call, routes)] == []


def is_route(call: str, routes: frozenset[str]) -> bool:
    """`/bookings` as `/api/v1/bookings`; `.../cancel` as any that ends so."""
    call = re.sub(r"\{[^}]*\}", "{}", call)
    if call.startswith("..."):
        return any(route.endswith(call.removeprefix("...")) for route in routes)
    return call in routes or f"/api/v1{call}" in routes


async def test_what_is_typed_to_a_simulated_cabinet_is_what_it_takes() -> None:
    options = CabinetOptions(MODBUS, 8, OSDP, None, {}, Path(os.devnull), None, as_json=False)
    bench = Bench(options, SystemClock(), SystemLineClock(), os.urandom, lambda _event: None)
    known = Commands(bench, str)
    faulty = {(row.device, row.fault.name) for row in known.faults.rows()}
    typed = [line.split() for block in shell_blocks() for line in cabinet_lines(block)]
    assert len(typed) > 5, "there is something to judge"
    for name, *words in typed:
        fitting(known.known[name].usage, words)
        assert name != "fault" or tuple(words[:2]) in faulty


# --- and the judges can say no


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dispatcher token new front-end --scope network:read --config dispatcher.toml", "--scope"),
        ("dispatcher restore --config dispatcher.toml", "FILE"),
        ("dispatcher incident shut 1", "shut"),
        ("station-agent trace --config station.toml", "LINE"),
        ("station-agent run --configuration station.toml", "--config"),
        ("simulator cabinet --slots 65", "--slots"),
        (".venv/bin/python -m simulator replay --hours 6", "--seed"),
        ("make demos", "demos: expected a target"),
        ('make demo ARGS="--station 5 --fore 300"', "--station"),
        ('make demo ARGS="--kills 100"', "expected --processes"),
        ('make check ARGS="--fast"', "ARGS: expected what `make check` takes"),
        (".venv/bin/python -m benchmarks.badge_to_locks", "expected a module"),
        (".venv/bin/python -m benchmarks.availability --huge", "--huge"),
        (".venv/bin/python -m benchmarks.osdp_exchange --taps 3", "takes no words"),
        ("sudo deploy/install-station.sh --cabinets gare-1", "--cabinets"),
        ("sudo deploy/install-dispatcher.sh", "expected something that is there"),
        ("sudo cp deploy/prometheus/rule /etc/prometheus/", "deploy/prometheus/rule"),
        ("systemctl stop station-agents", "station-agents: expected a unit"),
        ("curl http://127.0.0.1:8080/api/v1/bookable", "/api/v1/bookable: expected a path"),
        ("frobnicate --now", "expected a program that can be judged"),
    ],
)
def test_a_command_that_is_wrong_is_named(routes: frozenset[str], line: str, said: str) -> None:
    block = Block(Path("page.md"), 1, "sh", f"{line}\n", "As root (no test runs this):")
    (fault,) = faults(block, routes)[:1]
    assert said in fault


def test_a_command_for_root_says_that_no_test_runs_it(routes: frozenset[str]) -> None:
    block = Block(Path("page.md"), 7, "sh", "systemctl stop station-agent\n", "Stop the agent.")
    assert faults(block, routes) == [
        "page.md:7: systemctl: expected a word before the block that no test runs this"
    ]


def test_a_command_outside_of_a_marked_block_is_found() -> None:
    assert unmarked("So:\n\n    dispatcher backup --prune x\n\n```\n$ make demo\n```\n") == [
        "$ make demo",
        "dispatcher backup --prune x",
    ]


def test_an_option_that_a_sentence_names_wrongly_is_found() -> None:
    (words,) = inline("Ask `dispatcher vouch --checks` first.")
    assert knows(words[0], words[1:]) == "--checks: expected an option of `dispatcher vouch`"


def test_a_word_to_the_cabinet_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(BadCommand):
        fitting("noise <percent> [line]", ["5", "readers", "twice"])
