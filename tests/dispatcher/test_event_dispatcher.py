"""A whole dispatcher tells its receivers what its boxes tell it."""

from collections.abc import Mapping

from contract.facts import Identity, KeyTaken
from dispatcher.core.deliveries import Attempt, Outcome
from dispatcher.store.webhooks import Webhook, insert_webhook
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.running import running
from tests.dispatcher.small_fleet import NOW_MS, book, new_database
from tests.runtime.waiting import eventually


class Kept:
    """`Post` that takes everything."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        self.bodies.append(body)
        return Attempt(Outcome.DELIVERED, 204)


async def test_a_key_that_is_taken_at_a_box_is_told_without_anybody_asking() -> None:
    database, post, box = new_database(), Kept(), FakeBox()
    webhook = Webhook("w-1", "https://hooks.example.org/", None, False, "active", None, "tests", NOW_MS, NOW_MS)
    assert database.write_now(lambda c: insert_webhook(c, webhook, b"s" * 32))
    book(database)
    async with running(database, post) as bench:
        box.note(KeyTaken, slot=1, identity=Identity.PRESUMED, key="key-1", grant="grant-1", badge="ref-1")
        await bench.tell(box.batch())
        await eventually(lambda: len(post.bodies) >= 2)
        assert bench.dispatcher.sender is not None
        assert bench.dispatcher.sender.outcomes == {Outcome.DELIVERED: len(post.bodies)}
    told = b" ".join(post.bodies)
    assert b'"type":"carshare.booking.started"' in told
    assert b'"type":"carshare.key.taken"' in told
