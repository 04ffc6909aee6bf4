"""Writes what the documents take from the code: configuration, drivers, state diagrams, schemas, AsyncAPI.

python docs/generate.py            write
python docs/generate.py --check    exit 1, naming each file that differs
"""

import argparse
import os
import re
import sys
import tomllib
from pathlib import Path

import contract
from contract.asyncapi import asyncapi_text
from contract.schema import schemas
from dispatcher.api.scopes import MEANING, Scope
from dispatcher.config import DispatcherConfig
from dispatcher.core.booking_states import REFUSALS, BookingEvent, BookingState, state_diagram
from dispatcher.core.incidents import KINDS, runbook
from dispatcher.core.retention import Retention
from dispatcher.events.documentation import event_schemas, events_table, schedule_text
from dispatcher.series import SERIES as DISPATCHER_SERIES
from dispatcher.store.limits import LIMITS
from runtime.clocks import SystemClock, SystemLineClock
from runtime.config_reference import reference_table
from simulator.cabinet.bench import CABINET, Bench
from simulator.cabinet.commands import Commands
from simulator.cabinet.options import MODBUS, OSDP, CabinetOptions
from simulator.page.around import Around
from simulator.page.stage import Stage
from station_agent.config import JournalConfig
from station_agent.config_file import manual_model
from station_agent.core.slots import mermaid
from station_agent.drivers.declaration import AnyDriver
from station_agent.drivers.registry import Drivers
from station_agent.series import SERIES as AGENT_SERIES

DOCS = Path(__file__).parent
EVENT_SCHEMAS = DOCS / "schemas" / "events"
EXAMPLE = DOCS / "examples" / "carshare-wiegand"

CONFIGURATION_HEAD = """\
# Configuration

Generated from the models by `make docs`. Each program reads one TOML file at its start; relative paths are
relative to that file. A wrong file stops the program with one line per fault: file, field, value, what was
expected. Nothing overrides the file.
"""

INCIDENTS_HEAD = """\
# Incidents

Generated from `dispatcher/core/incidents.py` by `make docs`. An incident is a named discrepancy between what should
be and what is: opened once, closed once, with its history. Of one kind and subject at most one is open; what comes
back within an hour of its end says how often (`reopened`). Operators find, acknowledge, assign and comment them in
the API (`/api/v1/incidents`); what closes them is that it is over. Where no sensor can tell that, operators may say
so (`POST /incidents/{id}/close`, with a reason): it stays closed until a new fact opens it again (decision 0063).

Each kind is made and mended in
[test_each_kind_is_opened_once_and_closed_once](../tests/dispatcher/test_incident_kinds.py), which fails for a kind
without a case. Found by `state`: the reconciler, from the picture as it is, at any time; by `fact`: one fact or
report opens it, another closes it; by `rights`: where rights are computed. Each has a page for whoever is called.

"""
INCIDENT_COLUMNS = (
    "kind",
    "severity",
    "found by",
    "what the system does by itself",
    "what a person can do",
    "closed by hand",
)

METRICS_HEAD = """\
# Metrics

Generated from `dispatcher/series.py` and `station_agent/series.py` by `make docs`; a test reads both programs'
`/metrics` and fails for a series that is not here. Names follow Prometheus' conventions: seconds and bytes,
`_total` behind counters, labels with few values that are there from the start. No label names a person, a badge,
a plate or a booking. A dispatcher has them at `/metrics` of its API, an agent on loopback, on its `http.port`.
How they are collected, and which alerts are made of them: [monitoring.md](monitoring.md).

"""
METRIC_COLUMNS = ("name", "kind", "labels", "what it says")

TOLD = {
    "who_held_days": {
        "fr": "Qui a eu quelle clé et quelle réservation, après la location",
        "en": "Who had which key and booking, after the rental",
    },
    "refusals_days": {"fr": "Une carte refusée", "en": "A card that was refused"},
    "unknown_badges_days": {
        "fr": "Une carte inconnue, sans son numéro",
        "en": "A card that nobody knows, without its number",
    },
    "positions_days": {
        "fr": "Un véhicule laissé hors de sa place, au plus",
        "en": "A vehicle left outside its bay, at most",
    },
    "incidents_days": {"fr": "Une anomalie, après sa clôture", "en": "An incident, after it is closed"},
    "audit_days": {"fr": "Qui a demandé quoi sur qui", "en": "Who asked what about whom"},
    "backups_days": {"fr": "Les sauvegardes", "en": "Backups"},
}
"""What a member is told of at the cabinet, by the setting that limits it."""

DRIVER_COLUMNS = ("kind", "driver", "line", "what it tells and shows", "independent peer in the tests")
IMPORT_COLUMNS = ("contract", "held")
LIMIT_COLUMNS = ("limit", "table", "what it says of a person", "days, by default", "then")
REFUSAL_COLUMNS = ("state", "what does not move it", "reason")
COMMAND_COLUMNS = ("command", "what it does")
FAULT_COLUMNS = ("fault", "what the agent does", "shown by")


def texts() -> dict[Path, str]:
    """Every generated file and its whole text."""
    architecture = DOCS / "architecture.md"
    text = architecture.read_text(encoding="utf-8")
    text = _with_section(text, "slots", f"```mermaid\n{mermaid()}```\n")
    text = _with_section(text, "imports", _imports())
    privacy = DOCS / "privacy.md"
    register, notice = DOCS / "papers" / "register.md", DOCS / "papers" / "notice.html"
    bookings = DOCS / "bookings.md"
    configuration = "\n".join(
        (
            CONFIGURATION_HEAD,
            "## station-agent\n",
            reference_table(manual_model(Drivers())).rstrip() + "\n",
            "## dispatcher\n",
            reference_table(DispatcherConfig).rstrip() + "\n",
        )
    )
    return {
        architecture: text,
        bookings: _bookings(bookings.read_text(encoding="utf-8")),
        DOCS / "drivers.md": _drivers((DOCS / "drivers.md").read_text(encoding="utf-8")),
        DOCS / "api.md": _with_section((DOCS / "api.md").read_text(encoding="utf-8"), "scopes", _scopes()),
        DOCS / "configuration.md": configuration,
        DOCS / "simulator-page.md": _page((DOCS / "simulator-page.md").read_text(encoding="utf-8")),
        DOCS / "metrics.md": METRICS_HEAD + _metrics(),
        DOCS / "incidents.md": INCIDENTS_HEAD + _incidents(),
        privacy: _with_section(privacy.read_text(encoding="utf-8"), "limits", _limits()),
        register: _register(register.read_text(encoding="utf-8")),
        notice: _notice(notice.read_text(encoding="utf-8")),
        DOCS / "asyncapi.json": asyncapi_text(),
        DOCS / "events.md": _events((DOCS / "events.md").read_text(encoding="utf-8")),
        **{EVENT_SCHEMAS / name: schema for name, schema in event_schemas().items()},
        **{DOCS / "schemas" / name: schema for name, schema in schemas().items()},
    }


def _imports() -> str:
    """What may import what, as import-linter holds it."""
    project = tomllib.loads((Path(contract.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    rows = []
    for one in project["tool"]["importlinter"]["contracts"]:
        if one["type"] == "layers":
            where = ", ".join(f"in `{container}`: " for container in one.get("containers", ()))
            rows.append((one["name"], where + " → ".join(f"`{layer}`" for layer in one["layers"])))
        else:
            sources, forbidden = (
                ", ".join(f"`{module}`" for module in one[key]) for key in ("source_modules", "forbidden_modules")
            )
            rows.append((one["name"], f"{sources}: none of {forbidden}"))
    return f"\n{_table(IMPORT_COLUMNS, rows)}\n"


def _page(text: str) -> str:
    """What the page of a simulated cabinet can be told."""
    options = CabinetOptions(MODBUS, 8, OSDP, None, {}, Path(os.devnull), None, as_json=False)
    bench = Bench(options, SystemClock(), SystemLineClock(), os.urandom, lambda _event: None)
    stage = Stage(CABINET, "", bench, Commands(bench, str), Around())
    rows = [(f"`{command.usage}`", command.what) for command in stage.known.values()]
    return _with_section(text, "commands", _table(COMMAND_COLUMNS, rows))


def _metrics() -> str:
    """What both programs export."""
    parts = []
    for program, catalogue in (("dispatcher", DISPATCHER_SERIES), ("station-agent", AGENT_SERIES)):
        rows = [(f"`{one.name}`", one.kind, ", ".join(one.labels), one.text) for one in catalogue]
        parts.append(f"## {program}\n\n{_table(METRIC_COLUMNS, rows)}")
    return "\n".join(parts)


def _limits() -> str:
    """What is kept for how long, as the job and the metric know it."""
    default = Retention()

    def days(setting: str | None) -> str:
        return "its own" if setting is None else f"`{setting}`: {getattr(default, setting)}"

    rows = [(f"`{one.name}`", f"`{one.table.name}`", one.holds, days(one.setting), one.then) for one in LIMITS]
    return f"\n{_table(LIMIT_COLUMNS, rows)}\n"


def _register(text: str) -> str:
    """The operator's register with the periods in it."""
    default = Retention()
    keep_days = JournalConfig.model_fields["keep_days"].default
    beside = (
        f"A box tells a ledger again what it noted, and keeps it for {keep_days} days after the ledger has it. "
        f"Backups stay for {default.backups_days} days.\n"
    )
    return _with_section(_with_section(text, "limits", _limits()), "beside", beside)


def _notice(text: str) -> str:
    """The sheet at the cabinet with the periods in it, in both languages."""
    default = Retention()
    for language, day in (("fr", "jours"), ("en", "days")):
        lines = [f"<li>{words[language]}: {getattr(default, name)} {day}</li>\n" for name, words in TOLD.items()]
        rows = "".join(lines).replace(": ", "&nbsp;: ") if language == "fr" else "".join(lines)
        text = _with_section(text, language, f"<ul>\n{rows}</ul>\n")
    return text


def _bookings(text: str) -> str:
    """The life of a booking as its table says it: the moves as a diagram, the rest with its reasons."""
    rows: list[tuple[str, ...]] = []
    for state in BookingState:
        reasons = {event: REFUSALS[state, event] for event in BookingEvent if (state, event) in REFUSALS}
        for reason in dict.fromkeys(reasons.values()):
            events = ", ".join(f"`{event}`" for event, why in reasons.items() if why is reason)
            whole = len(reasons) == len(BookingEvent) and len(set(reasons.values())) == 1
            rows.append((f"`{state}`", "every event" if whole else events, f"`{reason}`"))
    text = _with_section(text, "states", f"```mermaid\n{state_diagram().rstrip()}\n```\n")
    return _with_section(text, "refusals", f"\n{_table(REFUSAL_COLUMNS, rows)}\n")


def _incidents() -> str:
    """Each kind, with a link to its page."""
    rows = [
        (
            f"[`{kind}`]({runbook(kind)})",
            rule.severity,
            rule.found.removeprefix("by_"),
            rule.by_itself,
            rule.advice,
            "yes" if rule.by_hand else "",
        )
        for kind, rule in KINDS.items()
    ]
    return _table(INCIDENT_COLUMNS, rows)


def _events(text: str) -> str:
    """The manual of events with the tested receiver in it."""
    receiver = (DOCS / "examples" / "webhook-receiver" / "receiver.py").read_text(encoding="utf-8")
    text = _with_section(text, "receiver", f"```python\n{receiver}```\n")
    text = _with_section(text, "schedule", f"  {schedule_text()}")
    return _with_section(text, "events", events_table())


def _drivers(text: str) -> str:
    """The manual of drivers with the tested example in it, and what the drivers of this program declare."""
    drivers = Drivers()
    declared = [drivers.load(name) for name in drivers.names]
    module, project = EXAMPLE / "carshare_wiegand.py", EXAMPLE / "pyproject.toml"
    text = _with_section(text, "example", f"```python\n{module.read_text(encoding='utf-8')}```\n")
    text = _with_section(text, "project", f"```toml\n{project.read_text(encoding='utf-8')}```\n")
    text = _with_section(text, "drivers", _table(DRIVER_COLUMNS, [_driver_row(driver) for driver in declared]))
    faults = "\n".join(f"### `{driver.name}`\n\n{_faults(driver)}" for driver in declared)
    return _with_section(text, "faults", f"\n{faults}\n")


def _scopes() -> str:
    return _table(("scope", "what it allows"), [(f"`{scope}`", MEANING[scope]) for scope in Scope])


def _driver_row(driver: AnyDriver) -> tuple[str, ...]:
    signals = ", ".join(driver.signals)
    peers = "; ".join(f"{peer.name}: {_tests(peer.tests)}" for peer in driver.peers)
    return f"`{driver.KIND.table}`", f"`{driver.name}`", driver.line, signals, peers or "none"


def _faults(driver: AnyDriver) -> str:
    return _table(FAULT_COLUMNS, [(fault.name, fault.does, _tests(fault.tests)) for fault in driver.faults])


def _tests(tests: tuple[str, ...]) -> str:
    """Each by its name, with its file behind it."""
    parts = (test.partition("::") for test in tests)
    return ", ".join(f"[{name.removeprefix('test_')}](../{path})" for path, _, name in parts)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _with_section(text: str, name: str, body: str) -> str:
    """The text with everything between the section's two comments replaced."""
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
    assert len(pattern.findall(text)) == 1, f"expected one section {name}"
    return pattern.sub(lambda found: f"{found[1]}{body}{found[2]}", text)


def stale() -> list[str]:
    """Names of the files that are not what the code says."""
    wanted = texts()
    found = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    found += [path for path in (DOCS / "schemas").rglob("*.json") if path not in wanted]
    return sorted(str(path.relative_to(DOCS)) for path in found)


def main() -> int:
    parser = argparse.ArgumentParser(description="writes the generated parts of the documents")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args().check:
        for name in stale():
            sys.stderr.write(f"docs/{name}: is not what the code says; run `make docs`\n")
        return 1 if stale() else 0
    for path in (DOCS / "schemas").rglob("*.schema.json"):
        path.unlink()
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
