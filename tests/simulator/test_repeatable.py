"""What runs in virtual time draws nothing that a seed does not decide, and reads no real clock.

ruff's banned-api says so for the whole repository as far as production may not either. Production does draw secrets
and unseeded randomness at its entry points; these packages may not.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("simulator/virtual", "simulator/hunt", "simulator/world", "simulator/devices", "simulator/network")

BANNED = (
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "os.getrandom",
    "os.urandom",
    "random.",  # its functions share one generator that nobody seeded
    "runtime.clocks.SystemClock",
    "runtime.clocks.SystemLineClock",
    "secrets",
    "time.",
    "uuid",
)
SEEDED = "random.Random"  # with a seed as its argument
ALLOWED = {
    "simulator/hunt/commands.py": "runtime.clocks.SystemLineClock",  # tells how long a hunt took
    "simulator/hunt/seeds.py": "runtime.clocks.SystemLineClock",  # and a seed
}


def unrepeatable(source: str) -> set[str]:
    """What of the banned list a module names, by its full name."""
    tree = ast.parse(source)
    modules = _imported(tree)
    return {name for node in ast.walk(tree) for name in _named(node, modules) if _is_banned(name)}


def _imported(tree: ast.Module) -> dict[str, str]:
    """By the name in the module: what it stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name if alias.asname else alias.name.split(".")[0]
                found[alias.asname or top] = top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def _named(node: ast.AST, modules: dict[str, str]) -> Iterator[str]:
    match node:
        case ast.Call(args=[], keywords=[]) if _dotted(node.func, modules) == SEEDED:
            yield f"{SEEDED}()"
        case ast.Name() | ast.Attribute():
            name = _dotted(node, modules)
            if name is not None and name != SEEDED:
                yield name


def _dotted(node: ast.expr, modules: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return modules.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value, modules)) is not None:
        return f"{owner}.{node.attr}"
    return None


def _is_banned(name: str) -> bool:
    return any(name.startswith(ban) if ban.endswith(".") else f"{name}.".startswith(f"{ban}.") for ban in BANNED)


def test_no_module_of_the_virtual_world_draws_or_reads_what_no_seed_decides() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if (names := unrepeatable(path.read_text(encoding="utf-8")))
    }
    assert found == {path: {name} for path, name in ALLOWED.items()}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import random\nrng = random.Random()", "random.Random()"),
        ("from random import Random as R\nrng = R()", "random.Random()"),
        ("import random\nn = random.randrange(3)", "random.randrange"),
        ("from random import shuffle\nshuffle([])", "random.shuffle"),
        ("import random\nrng = random.SystemRandom()", "random.SystemRandom"),
        ("import os\ndraw = os.urandom", "os.urandom"),
        ("from secrets import token_bytes\ntoken_bytes(3)", "secrets.token_bytes"),
        ("import uuid\nuuid.uuid1()", "uuid.uuid1"),
        ("import time as t\nt.perf_counter()", "time.perf_counter"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("from runtime import clocks\nclocks.SystemClock()", "runtime.clocks.SystemClock"),
    ],
)
def test_each_way_to_draw_or_read_them_is_seen(source: str, name: str) -> None:
    assert name in unrepeatable(source)


def test_a_seeded_generator_and_its_type_are_allowed() -> None:
    assert (
        unrepeatable("import random\ndef draw(rng: random.Random): ...\ndraw(random.Random(f'{1}/actor'))") == set()
    )
