"""A real dispatcher process on a real broker, and a box that speaks to it as an agent does."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from contract.envelope import BadMessage, verify
from contract.messages import Acknowledged, AgentMessage, Desired, DispatcherPresence, Message
from contract.topics import ACKNOWLEDGED, COMMANDS, DESIRED, DISPATCHER_PRESENCE, TIME, Author, parse_topic
from dispatcher.api.scopes import Scope
from dispatcher.api.token_file import written
from dispatcher.api.tokens import Token, digest
from dispatcher.store.database import Database
from dispatcher.store.ledger import LedgerFact, facts_of
from dispatcher.store.vouching import vouch
from runtime.executor import InlineExecutor
from runtime.link import Incoming, Publication
from tests.contract.keys import pem, verify_key
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import DISPATCHER, NAMESPACE, box_signer
from tests.dispatcher.running import RULE_OF_KIND
from tests.dispatcher.small_fleet import CABINET, DISPATCHER_SEED, ORIGIN, ORIGIN_KEY, new_database
from tests.runtime.links import Peer
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, free_port

ROOT = Path(__file__).parents[2]
TOKEN = "of-a-test"
START_S = 20  # a process that imports FastAPI on a busy machine
DISPATCHER_KEYS = {f"dispatcher/{DISPATCHER}": verify_key(Author.DISPATCHER, DISPATCHER, DISPATCHER_SEED)}

CONFIG = """
namespace = "{namespace}"

[database]
url = "{url}"

[mqtt]
port = {broker_port}

[http]
port = {http_port}
tokens_file = "tokens"

[keys]
dispatcher_id = "{dispatcher}"
signing_key_file = "signing.pem"
digest_secret_file = "digest-secret"
origin_key_file = "origin-key"

[logs]
format = "json"
"""

SERVE = ("-m", "dispatcher", "serve", "--config")


class Program:
    """`dispatcher serve` with its files in `folder`. The small fleet is in its database: a file, or at `url`."""

    def __init__(self, folder: Path, broker_port: int, url: str | None = None) -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder}/dispatcher.sqlite"
        self.http_port = free_port()
        self.config = folder / "dispatcher.toml"
        self.log = folder / "dispatcher.log"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "signing.pem").write_bytes(pem(DISPATCHER_SEED))
        (folder / "digest-secret").write_text("ab" * 32 + "\n")
        (folder / "origin-key").write_text(f"{ORIGIN_KEY.hex()}\n")
        (folder / "tokens").write_bytes(written([Token("test", digest(TOKEN), frozenset(Scope), None)]))
        self.config.write_text(
            CONFIG.format(
                url=self.url,
                namespace=NAMESPACE,
                broker_port=broker_port,
                http_port=self.http_port,
                dispatcher=DISPATCHER,
            )
        )
        database = new_database(self.url) if url is None else self.database()
        database.write_now(vouch)
        database.close()

    def database(self) -> Database:
        """The program's database, for the test; to be closed."""
        return Database(self.url, InlineExecutor(), origin=ORIGIN)

    def start(self, *command: str) -> None:
        """Start the program; `command` replaces `-m dispatcher serve --config`."""
        arguments = [sys.executable, *(command or SERVE), str(self.config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=log)

    async def started(self, page: str = "readyz") -> None:
        await eventually(lambda: self.get(page)[0] == 200, within_s=START_S)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.send(number)
        return self.wait()

    def wait(self) -> int:
        assert self._process is not None
        status = self._process.wait(timeout=START_S)
        self._process = None
        return status

    def close(self) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)

    def get(self, page: str) -> tuple[int, str]:
        """Status and body of a page; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/{page}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """One sample of /metrics, by its name with labels."""
        for line in self.get("metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no sample {name}")

    def ledger(self) -> tuple[LedgerFact, ...]:
        """The facts of our box in the program's database, in its order."""
        database = self.database()
        found = database.read_now(lambda connection: facts_of(connection, CABINET))
        database.close()
        return found

    def log_events(self) -> list[str]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line)["event"] for line in lines if line.startswith("{")]


@asynccontextmanager
async def program(folder: Path, broker: Mosquitto) -> AsyncIterator[Program]:
    """The program, connected to the broker."""
    running = Program(folder, broker.port)
    running.start()
    try:
        await running.started()
        yield running
    finally:
        running.close()


class WireBox:
    """A box on the real broker: signs with its own key, keeps what it is told."""

    def __init__(self, port: int) -> None:
        self.box = FakeBox()
        self.told: list[Message] = []
        self.refused: list[BadMessage] = []
        filters = (rule.topic(NAMESPACE, CABINET) for rule in (DESIRED, ACKNOWLEDGED, COMMANDS, TIME))
        self.peer = Peer(port, "box", *filters, DISPATCHER_PRESENCE.filter(NAMESPACE))
        self.peer.handler = self._hear

    async def say(self, message: AgentMessage) -> None:
        rule = RULE_OF_KIND[message.kind]
        wire = box_signer().sign(message)
        await self.peer.link.publish(Publication(rule.topic(NAMESPACE, CABINET), wire, 1, rule.retain))

    @property
    def acknowledged(self) -> int:
        """The newest watermark."""
        found = [message.seq for message in self.told if isinstance(message, Acknowledged)]
        return found[-1] if found else 0

    def has_acknowledged(self, seq: int) -> bool:
        return self.acknowledged >= seq

    @property
    def desired(self) -> list[Desired]:
        return [message for message in self.told if isinstance(message, Desired)]

    @property
    def dispatcher_online(self) -> bool | None:
        found = [message.online for message in self.told if isinstance(message, DispatcherPresence)]
        return found[-1] if found else None

    async def send_until_acknowledged(self, seq: int) -> None:
        """As an agent does, only sooner: what is not acknowledged is sent again."""
        for _ in range(100):
            if self.acknowledged >= seq:  # a dispatcher that connects says by itself what it holds
                return
            first = self.acknowledged + 1
            await self.say(self.box.batch(first, min(first + 9, seq)))
            try:
                await eventually(partial(self.has_acknowledged, first), within_s=0.5)
            except AssertionError:
                continue  # the dispatcher is away
        raise AssertionError(f"acknowledged up to {self.acknowledged} of {seq}")

    def _hear(self, incoming: Incoming) -> None:
        topic = parse_topic(incoming.topic, NAMESPACE)
        assert topic is not None
        try:
            self.told.append(verify(incoming.payload, topic, DISPATCHER_KEYS.get))
        except BadMessage as bad:  # our own question on the topic of time, and garbage
            self.refused.append(bad)


@asynccontextmanager
async def wire_box(port: int) -> AsyncIterator[WireBox]:
    box = WireBox(port)
    async with box.peer.running():
        yield box
