"""The dispatcher's computer in virtual time: it lives, is killed, starts again, on a database in memory."""

import random

from contract.topics import Author
from dispatcher.core.rules import FleetRules
from dispatcher.dispatcher import Dispatcher, Setup, Surroundings
from dispatcher.store.database import Database
from dispatcher.store.ledger import ledger_id
from runtime.link import Link, LinkOwner
from simulator.network.draws import stream
from simulator.virtual.box import BOOT_US, BoxFate, Runner
from simulator.virtual.broker import Account, MemoryBroker, MemoryLink
from simulator.virtual.clocks import TrueClock
from simulator.virtual.phone import Answered, Question, StoreDesk
from simulator.virtual.premises import DISPATCHER_ID, NAMESPACE, Premises
from simulator.virtual.routes import RouteFaults
from simulator.virtual.steps import Life
from simulator.virtual.timers import Timers


class VirtualCentre:
    """One dispatcher; several of them may share a database."""

    def __init__(
        self,
        name: str,
        database: Database,
        *,
        premises: Premises,
        rules: FleetRules,
        seed: int,
        timers: Timers,
        clock: TrueClock,
        broker: MemoryBroker,
        runner: Runner,
    ) -> None:
        self.name = name
        self.database = database
        self.way = RouteFaults()
        self.fate = BoxFate()
        self.dispatcher: Dispatcher | None = None
        self.link: MemoryLink | None = None
        self._premises = premises
        self._rules = rules
        self._seed = seed
        self._timers = timers
        self._clock = clock
        self._broker = broker
        self._runner = runner
        self._life: Life | None = None
        self._desk: StoreDesk | None = None

    @property
    def is_alive(self) -> bool:
        return self._life is not None and self._life.is_alive

    def boot(self) -> None:
        """The dispatcher starts. Nothing where it runs."""
        if self.is_alive:
            return
        self.fate.boots += 1
        life = self._life = Life(self._broke)
        rng = stream(self._seed, f"{self.name}/{self.fate.boots}")

        def make_link(owner: LinkOwner) -> Link:
            self.link = self._link(owner, life, rng)
            return self.link

        setup = Setup(
            namespace=NAMESPACE,
            signer=self._premises.signer,
            own_key=self._premises.own_key,
            digest_secret=self._premises.digest_secret,
            rules=self._rules,
        )
        around = Surroundings(
            clock=self._clock,
            line_clock=self._timers,
            random_bytes=rng.randbytes,
            database=self.database,
            steps=self._runner.steps(life),
            make_link=make_link,
        )
        ledger = self.database.write_now(lambda connection: ledger_id(connection, rng.randbytes))
        self.dispatcher = Dispatcher(setup, around, ledger)
        self._desk = StoreDesk(
            self.database, self._rules, self._clock, rng.randbytes, self.dispatcher.changed
        )
        self._runner.start_dispatcher(self.dispatcher, life)

    def kill(self, back_after_us: int = BOOT_US) -> None:
        """The process is gone from one instant to the next."""
        if self._life is None:
            return
        self._life.end()
        self._put_away()
        self.fate.kills += 1
        self._timers.call_at(self._timers.now_us() + back_after_us, self.boot)

    def answer(self, question: Question, answered: Answered) -> None:
        """A phone asks."""
        if not self.is_alive or self._desk is None:
            answered(None)
            return
        self._desk.answer(question, answered)

    def _broke(self, error: BaseException) -> None:
        self.fate.crashes.append(f"{type(error).__name__}: {error}")
        self._put_away()
        self._timers.call_at(self._timers.now_us() + BOOT_US, self.boot)

    def _put_away(self) -> None:
        if self.link is not None:
            self.link.kill()

    def _link(self, owner: LinkOwner, life: Life, rng: random.Random) -> MemoryLink:
        return MemoryLink(
            self._broker,
            f"{NAMESPACE}-{self.name}",
            Account(Author.DISPATCHER, DISPATCHER_ID),
            owner,
            timers=self._timers,
            faults=self.way,
            random=random.Random(rng.random()),
            life=life,
        )


