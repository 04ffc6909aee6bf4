"""The dispatcher's computer in virtual time: it lives, is killed, starts again, on a database in memory."""

import random

from contract.topics import Author
from dispatcher.api.context import ApiContext
from dispatcher.dispatcher import Dispatcher, Setup, Surroundings
from dispatcher.store.database import Database
from dispatcher.store.ledger import ledger_id
from runtime.link import Link, LinkOwner
from simulator.network.draws import stream
from simulator.virtual.box import BOOT_US, Fate
from simulator.virtual.broker import Account, MemoryLink
from simulator.virtual.phone import Answered, Desk, Question
from simulator.virtual.premises import DISPATCHER_ID, NAMESPACE
from simulator.virtual.routes import RouteFaults
from simulator.virtual.stage import Stage
from simulator.virtual.steps import Life
from simulator.virtual.switch import Killed, KillSwitch, SwitchedExecutor


class VirtualCentre:
    """One dispatcher; several of them may share a database."""

    def __init__(self, name: str, database: Database, stage: Stage) -> None:
        self.name = name
        self.database = database
        self.way = RouteFaults()
        self.fate = Fate()
        self.dispatcher: Dispatcher | None = None
        self.link: MemoryLink | None = None
        self._stage = stage
        self._timers = stage.timers
        self.switch = KillSwitch()
        self.executor = SwitchedExecutor(self.switch)
        self._life: Life | None = None
        self._desk: Desk | None = None

    @property
    def is_alive(self) -> bool:
        return self._life is not None and self._life.is_alive

    def boot(self) -> None:
        """The dispatcher starts. Nothing where it runs."""
        if self.is_alive:
            return
        self.fate.boots += 1
        life = self._life = Life(self._broke)
        rng = stream(self._stage.seed, f"{self.name}/{self.fate.boots}")

        links: list[MemoryLink] = []

        def make_link(owner: LinkOwner) -> Link:
            links.append(self._link(owner, life, rng))
            return links[0]

        setup = Setup(
            namespace=NAMESPACE,
            signer=self._stage.premises.signer,
            own_key=self._stage.premises.own_key,
            digest_secret=self._stage.premises.digest_secret,
            rules=self._stage.rules,
        )
        around = Surroundings(
            clock=self._stage.clock,
            line_clock=self._timers,
            random_bytes=rng.randbytes,
            database=self.database.through(self.executor),
            steps=self._stage.runner.steps(life),
            make_link=make_link,
        )
        ledger = self.database.write_now(lambda connection: ledger_id(connection, rng.randbytes))
        self.dispatcher = Dispatcher(setup, around, ledger)
        context = ApiContext(
            self.database, self._stage.clock, rng.randbytes, self._stage.rules, self.dispatcher.changed
        )
        self._desk = self._stage.runner.desk(self.dispatcher, context, life)
        (self.link,) = links
        self._stage.runner.start(self.dispatcher, life, self.link, ())

    def kill(self, back_after_us: int | None = BOOT_US) -> None:
        """The process is gone from one instant to the next; None: whoever kills it boots it again."""
        if self._life is not None and self.is_alive:
            self._life.end()
            self._gone(back_after_us)
            self.fate.kills += 1

    def answer(self, question: Question, answered: Answered) -> None:
        """A phone asks."""
        if not self.is_alive or self._desk is None or self.executor.is_locked:
            answered(None)
            return
        self._desk.answer(question, answered)

    def _broke(self, error: BaseException) -> None:
        if isinstance(error, Killed):
            self.fate.kills += 1
        else:
            self.fate.crashes.append(f"{type(error).__name__}: {error}")
        self._gone(BOOT_US)

    def _gone(self, back_after_us: int | None) -> None:
        self.switch.disarm()
        self._put_away()
        if back_after_us is not None:
            self._timers.call_at(self._timers.now_us() + back_after_us, self.boot)

    def _put_away(self) -> None:
        if self.link is not None:
            self.link.kill()

    def _link(self, owner: LinkOwner, life: Life, rng: random.Random) -> MemoryLink:
        account = Account(f"{NAMESPACE}-{self.name}", Author.DISPATCHER, DISPATCHER_ID)
        return MemoryLink(
            self._stage.broker, account, owner, faults=self.way, rng=rng, life=life, switch=self.switch
        )
