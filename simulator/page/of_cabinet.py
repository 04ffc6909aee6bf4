"""The page of `simulator cabinet`: one cabinet with any hardware, and whatever agent somebody runs beside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from contract.envelope import VerifyKey, private_key_from_pem
from contract.topics import Author
from runtime.listening import Serving
from runtime.mqtt_settings import MqttSettings
from simulator.cabinet.bench import CABINET, Bench
from simulator.cabinet.box import BROKER, CENTRE, CENTRE_KEY, NAMESPACE
from simulator.cabinet.commands import Commands
from simulator.page.app import serve_page
from simulator.page.around import Around
from simulator.page.journal import JournalLane
from simulator.page.messages import Messages, observed
from simulator.page.stage import Stage


def stage_of(bench: Bench, commands: Commands, folder: Path | None, messages: Messages | None) -> Stage:
    """`folder`: that of the agent's configuration, where it is known; its journal is read along."""
    journal = JournalLane(folder / "journal.sqlite", bench.clock, bench.line_clock) if folder is not None else None
    around = Around(messages=messages.of(CABINET) if messages is not None else None, journal=journal)
    return Stage(CABINET, "A cabinet on a desk", bench, commands, around)


def messages_of(bench: Bench, folder: Path) -> Messages:
    """Of the broker that the configuration in this folder names, checked with the keys beside it."""
    keys = {
        f"{author}/{subject}": VerifyKey(
            author, subject, private_key_from_pem((folder / file).read_bytes()).public_key()
        )
        for author, subject, file in (
            (Author.AGENT, CABINET, "box.pem"),
            (Author.DISPATCHER, CENTRE, CENTRE_KEY),
        )
    }
    return Messages(NAMESPACE, keys.get, {}, bench.line_clock)


@asynccontextmanager
async def cabinet_page(stage: Stage, messages: Messages | None, port: int) -> AsyncIterator[Serving]:
    """Serves it while the block runs."""
    async with AsyncExitStack() as stack:
        if messages is not None:
            broker = MqttSettings(host=BROKER[0], port=BROKER[1])
            await stack.enter_async_context(observed(messages, NAMESPACE, broker, stage.bench.line_clock))
        yield await stack.enter_async_context(serve_page([stage], port))
