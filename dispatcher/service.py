"""The running program: a dispatcher with its API, from a configuration until SIGTERM."""

import os
import random
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog
from sqlalchemy import URL
from sqlalchemy.exc import DatabaseError

from dispatcher.api.context import ApiContext
from dispatcher.api.token_file import TokenFile
from dispatcher.config import DispatcherConfig, EventsSettings, read_database_url, read_keys
from dispatcher.dispatcher import VERSION, Dispatcher, Setup, Surroundings, open_dispatcher
from dispatcher.duty import OnDuty
from dispatcher.events.post import HttpPost
from dispatcher.events.sender import LANES
from dispatcher.metrics import monitored
from dispatcher.open_data.shelf import Shelf
from dispatcher.pages.site import create_site
from dispatcher.store.claim import claim_of
from dispatcher.store.database import Database, in_one_line
from dispatcher.store.erasure_list import ErasureList
from dispatcher.store.migrate import WrongSchema, make_ready
from dispatcher.store.origin import Origin
from dispatcher.store.postgresql import UnfitServer
from dispatcher.store.vouching import OtherOrigin, check_origin
from runtime.clocks import Clock, LineClock, SystemClock, SystemLineClock
from runtime.config import ConfigError
from runtime.executor import ThreadExecutor
from runtime.http import ServerCertificate, serve_asgi
from runtime.lifetime import run_until, told_to_stop
from runtime.link import Link, LinkOwner
from runtime.listening import Serving
from runtime.logs import configure_logs
from runtime.mqtt_link import MqttLink
from runtime.steps import LoopSteps

log = structlog.get_logger()


async def serve(config: DispatcherConfig, clock: Clock | None = None) -> None:
    """Run the program until SIGTERM or SIGINT.

    Args:
        config: as read by `load_config`.
        clock: the simulator's way to run the very same program at another speed.

    Raises:
        ConfigError: a secret, the database or a port cannot be used.
        ClaimLost: another dispatcher on the same database is active now.
    """
    clock = clock or SystemClock()
    configure_logs(config.logs.format, config.logs.level, clock=clock)
    stopping = told_to_stop()
    async with AsyncExitStack() as stack:
        dispatcher = await make_dispatcher(config, clock, stack)
        duty = _on_duty(dispatcher, stack)
        serving = await serve_http(config, clock, dispatcher, stack, duty)
        log.info("dispatcher_started", version=VERSION, url=serving.url, ledger=dispatcher.ledger)
        await run_until(duty, stopping, "dispatcher")
        log.info("dispatcher_stopped")


async def make_dispatcher(config: DispatcherConfig, clock: Clock, stack: AsyncExitStack) -> Dispatcher:
    """A dispatcher on its database and the real MQTT link; `stack` closes what was opened."""
    keys = read_keys(config.keys)
    line_clock = SystemLineClock()
    database = await _open_database(read_database_url(config.database), keys.origin, stack)
    setup = Setup(
        config.namespace,
        keys.signer,
        keys.public_key,
        keys.digest_secret,
        config.rules,
        config.retention,
        config.event_names,
    )
    around = Surroundings(
        clock,
        line_clock,
        os.urandom,
        database,
        LoopSteps(line_clock),
        _mqtt_link_factory(config, line_clock),
        _post(config.events, clock, stack),
    )
    return await open_dispatcher(setup, around)


def _on_duty(dispatcher: Dispatcher, stack: AsyncExitStack) -> OnDuty:
    claim, executor = claim_of(dispatcher.database.engine), ThreadExecutor("database-claim")
    stack.callback(claim.close)
    stack.push_async_callback(executor.close)
    return OnDuty(dispatcher, claim, executor)


async def serve_http(
    config: DispatcherConfig,
    clock: Clock,
    dispatcher: Dispatcher,
    stack: AsyncExitStack,
    duty: OnDuty | None = None,
) -> Serving:
    """A dispatcher's API and pages, with metrics and health, while `stack` is open. Without `duty` it is active."""
    line_clock = SystemLineClock()
    context = ApiContext(
        database=dispatcher.database,
        clock=clock,
        line_clock=line_clock,
        random_bytes=os.urandom,
        rules=config.rules,
        retention=config.retention,
        erasures=None if config.database.erasures_file is None else ErasureList(config.database.erasures_file),
        digest_secret=dispatcher.digest_secret,
        wake=dispatcher.changed,
        open_data=None
        if config.open_data is None
        else Shelf(dispatcher.database, config.rules, config.open_data, (clock, line_clock)),
    )
    http = config.http
    tokens = TokenFile(http.tokens_file, line_clock, context.counters)
    watched = monitored(dispatcher, context.counters, duty)
    app = create_site(context, tokens=tokens.now, monitored=watched, limits=http.limits)
    certificate = None
    if http.certificate_file is not None and http.key_file is not None:
        certificate = ServerCertificate(http.certificate_file, http.key_file)
    serving = await stack.enter_async_context(
        serve_asgi(app, http.host, http.port, field="http.port", certificate=certificate)
    )
    stack.callback(app.close)  # before the server stops, which waits for open streams
    return serving


async def _open_database(url: URL, origin: Origin, stack: AsyncExitStack) -> Database:
    writer, reader = ThreadExecutor("database-writer"), ThreadExecutor("database-reader")
    database = Database(url, writer, reader, origin=origin)
    stack.callback(database.close)
    stack.push_async_callback(reader.close)
    stack.push_async_callback(writer.close)
    try:
        await writer.run(lambda: make_ready(database.engine))
        await database.write(check_origin)
    except OtherOrigin as error:
        raise ConfigError(f"keys.origin_key_file: {error}") from None
    except (WrongSchema, UnfitServer) as error:
        raise ConfigError(f"database.url: {error}") from None
    except DatabaseError as error:
        shown = url.render_as_string()
        raise ConfigError(f"database.url = {shown!r}: cannot be used: {in_one_line(error)}") from None
    return database


def _post(settings: EventsSettings, clock: Clock, stack: AsyncExitStack) -> HttpPost:
    try:
        post = HttpPost(clock, allow_private=settings.allow_private, connections=LANES, ca_file=settings.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"events.ca_file = {str(settings.ca_file)!r}: cannot be used: {error}") from None
    stack.push_async_callback(post.close)
    return post


def _mqtt_link_factory(config: DispatcherConfig, line_clock: LineClock) -> Callable[[LinkOwner], Link]:
    client_id = config.mqtt.client_id or f"{config.namespace}-dispatcher-{config.keys.dispatcher_id}"
    rng = random.Random(secrets.token_bytes(16))

    def make_link(owner: LinkOwner) -> Link:
        return MqttLink(config.mqtt, client_id, owner, line_clock=line_clock, random=rng, log=log)

    return make_link
