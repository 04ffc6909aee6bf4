"""The least that any ledger does: verify a batch, read its facts, commit them to one table, acknowledge.

    python -m benchmarks.bare_consumer BROKER_PORT DATABASE_URL

The control of `benchmarks.ingest`.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Sequence
from functools import partial

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, Text, insert

from contract.chain import chain_hashes
from contract.envelope import Signer, verify
from contract.facts import parse_fact
from contract.messages import Acknowledged, FactBatch
from contract.topics import ACKNOWLEDGED, FACTS, Author, parse_topic
from dispatcher.link.intake import PER_COMMIT_MAX
from dispatcher.store.database import open_engine, writing
from runtime.executor import ThreadExecutor
from runtime.link import Incoming, Publication
from tests.contract.keys import verify_key
from tests.dispatcher.fake_link import NAMESPACE, dispatcher_signer
from tests.dispatcher.small_fleet import BOX_SEED, CABINET, LEDGER
from tests.runtime.links import Peer

TABLE = Table(
    "bare_facts",
    MetaData(),
    Column("cabinet_id", String(64), primary_key=True),
    Column("epoch", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)
KEYS = {f"agent/{CABINET}": verify_key(Author.AGENT, CABINET, BOX_SEED)}


class Bare:
    def __init__(self, port: int, engine: Engine) -> None:
        self._engine = engine
        self._executor = ThreadExecutor("bare")
        self._signer: Signer = dispatcher_signer()
        self._waiting: deque[FactBatch] = deque()
        self._arrived = asyncio.Event()
        self.peer = Peer(port, "bare", FACTS.filter(NAMESPACE))
        self.peer.handler = self._hear

    def _hear(self, incoming: Incoming) -> None:
        topic = parse_topic(incoming.topic, NAMESPACE)
        assert topic is not None
        batch = verify(incoming.payload, topic, KEYS.get)
        assert isinstance(batch, FactBatch)
        self._waiting.append(batch)
        self._arrived.set()

    async def run(self) -> None:
        async with self.peer.running():
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._waiting:
                    group = [self._waiting.popleft() for _ in range(min(len(self._waiting), PER_COMMIT_MAX))]
                    await self._executor.run(partial(self._commit, group))
                    await self._acknowledge(group[-1])

    def _commit(self, group: Sequence[FactBatch]) -> None:
        rows = []
        for batch in group:
            hashes = chain_hashes(batch.hash_before, batch.facts)
            for number, (text, digest) in enumerate(zip(batch.facts, hashes, strict=True)):
                parse_fact(text)
                seq = batch.first_seq + number
                names = {"cabinet_id": batch.cabinet, "epoch": batch.epoch}
                rows.append({**names, "seq": seq, "text": text, "hash": digest})
        with writing(self._engine) as connection:
            connection.execute(insert(TABLE), rows)

    async def _acknowledge(self, batch: FactBatch) -> None:
        said = Acknowledged(
            cabinet=batch.cabinet, ledger=LEDGER, epoch=batch.epoch, seq=batch.last_seq, hash=batch.last_hash
        )
        topic = ACKNOWLEDGED.topic(NAMESPACE, batch.cabinet)
        await self.peer.link.publish(Publication(topic, self._signer.sign(said), 1, ACKNOWLEDGED.retain))


if __name__ == "__main__":
    bare_engine = open_engine(sys.argv[2])
    TABLE.metadata.create_all(bare_engine)
    asyncio.run(Bare(int(sys.argv[1]), bare_engine).run())
