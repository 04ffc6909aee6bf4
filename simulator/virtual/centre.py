"""The dispatcher's computer in virtual time: it lives, is killed, starts again, on a database in memory."""

from contract.topics import Author
from dispatcher.api.context import ApiContext
from dispatcher.dispatcher import Dispatcher, Setup, Surroundings
from dispatcher.store.database import Database
from dispatcher.store.ledger import ledger_id
from simulator.network.draws import stream
from simulator.virtual.broker import Account
from simulator.virtual.computer import Computer
from simulator.virtual.phone import Answered, Desk, Question
from simulator.virtual.premises import DISPATCHER_ID, NAMESPACE
from simulator.virtual.stage import Stage
from simulator.virtual.switch import SwitchedExecutor


class VirtualCentre(Computer):
    """One dispatcher; several of them may share a database."""

    def __init__(self, name: str, database: Database, stage: Stage) -> None:
        super().__init__(stage)
        self.name = name
        self.database = database
        self.executor = SwitchedExecutor(self.switch)
        self.dispatcher: Dispatcher | None = None
        self._desk: Desk | None = None

    def boot(self) -> None:
        if self.is_alive:
            return
        life = self._begin_life()
        rng = stream(self._stage.seed, f"{self.name}/{self.fate.boots}")
        account = Account(f"{NAMESPACE}-{self.name}", Author.DISPATCHER, DISPATCHER_ID)
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
            make_link=self._linking(account, life, rng),
        )
        ledger = self.database.write_now(lambda connection: ledger_id(connection, rng.randbytes))
        self.dispatcher = Dispatcher(setup, around, ledger)
        context = ApiContext(
            database=self.database,
            clock=self._stage.clock,
            line_clock=self._timers,
            random_bytes=rng.randbytes,
            rules=self._stage.rules,
            digest_secret=setup.digest_secret,
            wake=self.dispatcher.changed,
        )
        self._desk = self._stage.runner.desk(self.dispatcher, context, life)
        self._stage.runner.start(self.dispatcher, life, self._own_link(), ())

    def answer(self, question: Question, answered: Answered) -> None:
        """A phone asks."""
        if not self.is_alive or self._desk is None or self.executor.is_locked:
            answered(None)
            return
        self._desk.answer(question, answered)
