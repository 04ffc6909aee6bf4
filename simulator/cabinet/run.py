"""`simulator cabinet`: one cabinet on real ports, until it is told to stop."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

from runtime.clocks import SystemClock, SystemLineClock
from runtime.config import ConfigError
from runtime.listening import Serving
from simulator.cabinet.bench import Bench, Event
from simulator.cabinet.box import hardware_text, shown_key, write_box
from simulator.cabinet.commands import Commands
from simulator.cabinet.console import Input, Output
from simulator.cabinet.options import CabinetOptions
from simulator.cabinet.words import BadCommand

ENDED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_cabinet(options: CabinetOptions) -> int:
    """Carries out commands until `quit`, the end of the input or a signal. The exit status.

    Raises:
        ConfigError: the folder of the ports cannot be used, or `--write-config` cannot.
    """
    output = Output(sys.stdout, as_json=options.as_json, prompts=sys.stdin.isatty())
    hear: list[Callable[[Event], None]] = [output.event]

    def tell(event: Event) -> None:
        for listener in hear:
            listener(event)

    bench = Bench(options, SystemClock(), SystemLineClock(), os.urandom, tell)
    commands = Commands(bench, partial(hardware_text, bench))
    with _own_folder(options.directory):
        config = write_box(bench, options.write_config) if options.write_config is not None else None
        page = _page(bench, commands, options, hear)
        try:
            await _until_told(_attend(bench, commands, output, config, page), output)
        finally:
            commands.faults.clear()
            bench.close()
    return 0


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Makes the folder and keeps it for this process: two cabinets would take each other's links away."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"--directory {str(folder)!r}: cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"--directory {str(folder)!r}: another simulated cabinet has its ports there: expected another folder"
        ) from None
    else:
        yield
    finally:
        os.close(fd)


def _page(
    bench: Bench, commands: Commands, options: CabinetOptions, hear: list[Callable[[Event], None]]
) -> AbstractAsyncContextManager[Serving | None]:
    """The cabinet's page, where one was asked for."""
    if options.page_port is None:
        return nullcontext()
    from simulator.page.of_cabinet import cabinet_page, messages_of, stage_of  # noqa: PLC0415  # a web server

    folder = options.write_config
    messages = messages_of(bench, folder) if folder is not None else None
    stage = stage_of(bench, commands, folder, messages)
    hear.append(stage.noticed)
    return cabinet_page(stage, messages, options.page_port)


def _introduce(bench: Bench, output: Output, config: Path | None) -> None:
    """Says which ports there are, and what is on them."""
    for line, port in bench.ports.items():
        devices = bench.on_line(line)
        text = f"{line:<8} {port.link}  {port.baud_rate} baud 8N1: {', '.join(devices)}"
        output.say(
            "port", text, {"line": line, "path": str(port.link), "baud_rate": port.baud_rate, "devices": devices}
        )
    for name, reader in bench.readers.items():
        key = shown_key(bench, name)
        text = f"{name:<8} OSDP address {reader.address}, secure channel key {key}"
        output.say("reader", text, {"reader": name, "address": reader.address, "scbk": key})
    if config is not None:
        output.say("config", f"station-agent run --config {config}", {"path": str(config)})
    output.say("ready", "`help` lists the commands, `config` the tables of a station.toml, Ctrl-D ends", {})


async def _attend(
    bench: Bench,
    commands: Commands,
    output: Output,
    config: Path | None,
    page: AbstractAsyncContextManager[Serving | None],
) -> None:
    bench.open()
    async with page as serving:
        if serving is not None:
            output.say("page", f"page     {serving.url}/", {"url": f"{serving.url}/"})
        _introduce(bench, output, config)
        await _obey(commands, output)


async def _obey(commands: Commands, output: Output) -> None:
    """One command after the other, each with one answer."""
    lines = Input(sys.stdin.fileno())
    while True:
        output.prompt()
        line = await lines.next()
        output.no_prompt()
        if line is None or line.split() == ["quit"]:
            return
        if line.strip():
            await _carry_out(commands, output, line)


async def _carry_out(commands: Commands, output: Output, line: str) -> None:
    try:
        answer = await commands.run(line)
    except BadCommand as error:
        output.say("error", f"!! {error}", {"command": line.split(maxsplit=1)[0], "text": str(error)})
    else:
        output.say("done", answer.text, {"command": line.split(maxsplit=1)[0], "text": answer.text, **answer.data})


async def _until_told(obeying: Coroutine[None, None, None], output: Output) -> None:
    """Runs it to its end, until a signal comes, or until nobody reads what is said."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(obeying)  # begins when this waits: a signal ends it from its first word on
    output.on_gone = task.cancel
    for number in ENDED_BY:
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
