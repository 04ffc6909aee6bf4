"""What comes whole, as one message: vehicles' telemetry, signed messages, facts, requests to the box's pages."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.envelope import (
    BadMessage,
    VerifyKey,
    private_key_from_pem,
    public_key_from_text,
    public_key_text,
    verify,
)
from contract.facts import BadFact, VehicleReading, parse_fact
from contract.jws import ALGORITHM, sign_compact
from contract.messages import MESSAGE_ADAPTER
from contract.topics import PRESENCE, Author, ParsedTopic, TopicRule, parse_topic
from fuzz.held import Held
from runtime import small_http
from runtime.listening import Receive, Scope, Send
from station_agent.drivers.teltonika.codec_json import TeltonikaJson
from station_agent.drivers.teltonika.signals import Family
from station_agent.drivers.trackers import LOW_VOLTAGE_MAX_MV, ODOMETER_MAX_M
from station_agent.drivers.vss import VssJson

NOW_MS: Final = 1_790_000_000_000
CABINET: Final = "gare-1"
ANSWER_S: Final = 5.0  # what a page may take; everything here is over in a thousandth of it
REFUSAL_CHARACTERS_MAX: Final = 500  # a line in a log
ANSWER_BYTES_MAX: Final = 64 * 1024

Check = Callable[[bytes], None]
"""Feeds one message and raises for what must not be."""


# ---- vehicles


def codec_json(data: bytes) -> None:
    families = tuple(Family)
    _vehicle(TeltonikaJson(families[data[0] % len(families)] if data else Family.FMB), data[1:])


def vss(data: bytes) -> None:
    _vehicle(VssJson(), data)


def _vehicle(tracker: TeltonikaJson | VssJson, payload: bytes) -> None:
    """Read twice, told twice the same, and nothing is kept of it."""
    held = Held(tracker)
    told = [tracker.read(NOW_MS, payload) for _ in range(2)]
    assert told[0] == told[1], "the same message is read in two ways"
    assert held.beyond == 0, "something of a message is kept"
    if told[0] is None:
        assert (tracker.reports, sum(tracker.faults.values())) == (0, 2)
        return
    assert tracker.reports == 2
    assert told[0].tracker_ms is None or 0 < told[0].tracker_ms <= NOW_MS
    _in_limits(told[0].reading)


def _in_limits(reading: VehicleReading) -> None:
    assert reading == VehicleReading.model_validate_json(reading.to_json())
    assert 1 <= (reading.odometer_m or 1) <= ODOMETER_MAX_M
    assert 0 <= (reading.energy_percent or 0) <= 100
    assert 1 <= (reading.low_voltage_mv or 1) <= LOW_VOLTAGE_MAX_MV


# ---- signed messages

_KEY: Final = private_key_from_pem(
    Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
)
_PUBLIC: Final = public_key_from_text(public_key_text(_KEY))
_KEYS: Final = {
    "agent/gare-1": VerifyKey(Author.AGENT, CABINET, _PUBLIC),
    "dispatcher/centre": VerifyKey(Author.DISPATCHER, "centre", _PUBLIC),
}


def signed(kid: str, payload: bytes) -> bytes:
    return sign_compact({"alg": ALGORITHM, "kid": kid}, payload, _KEY)


def envelope(data: bytes) -> None:
    """The first byte says where, by whom, and whether it is signed, has that header, or is what came."""
    how = data[0] if data else 0
    rest = data[1:]
    rule = _RULES[how % len(_RULES)]
    kid = tuple(_KEYS)[how // len(_RULES) % len(_KEYS)]
    if how < 128:
        wire = signed(kid, rest)
    elif how < 192:
        _, payload, signature = signed(kid, b"{}").split(b".")
        wire = b".".join((urlsafe_b64encode(rest).rstrip(b"="), payload, signature))
    else:
        wire = rest
    try:
        message = verify(wire, ParsedTopic(rule, CABINET), _KEYS.get)
    except BadMessage as refused:
        _is_short(refused)
        return
    assert how < 128, "accepted, and nobody signed it"
    assert MESSAGE_ADAPTER.validate_json(message.to_json()) == message, "read in two ways"


def _is_short(refusal: Exception) -> None:
    assert len(str(refusal)) < REFUSAL_CHARACTERS_MAX, "a refusal quotes what came"


def _rules() -> tuple[TopicRule, ...]:
    names = ("presence", "reported", "facts", "desired", "acknowledged", "commands", "replies", "time")
    topics = [parse_topic(f"carshare/v1/cabinets/{CABINET}/{name}", "carshare") for name in names]
    return tuple(topic.rule if topic is not None else PRESENCE for topic in topics)


_RULES: Final = _rules()


def fact(data: bytes) -> None:
    text = data.decode(errors="replace")
    try:
        read = parse_fact(text)
    except BadFact as refused:
        _is_short(refused)
        return
    assert parse_fact(read.to_json()) == read, "read in two ways"


# ---- the box's pages


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    assert isinstance(scope["path"], str)
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"page"})


class _Writer:
    """What `small_http` uses of a StreamWriter."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        """Nobody is slow."""

    def close(self) -> None:
        self.closed = True


def http(data: bytes) -> None:
    """One client: its bytes in portions that the first byte chooses, then it goes."""
    size = 1 + (data[0] if data else 0)
    with _no_page_fails():
        _LOOP.run_until_complete(_converse([data[at : at + size] for at in range(1, len(data), size)]))


async def _converse(portions: list[bytes]) -> None:
    reader, writer = asyncio.StreamReader(limit=small_http.READ_BYTES), _Writer()
    # the server's own conversation, without a socket: `_Writer` is all of a writer that it uses
    talking = asyncio.ensure_future(small_http._converse(_page, reader, writer))  # type: ignore[arg-type]  # noqa: SLF001
    for portion in portions:
        reader.feed_data(portion)
        await asyncio.sleep(0)
    reader.feed_eof()
    async with asyncio.timeout(ANSWER_S):
        await talking
    assert writer.closed
    assert len(writer.written) <= ANSWER_BYTES_MAX + 200 * sum(map(len, portions)), "an answer that never ends"


_LOOP: Final = asyncio.new_event_loop()


@contextmanager
def _no_page_fails() -> Iterator[None]:
    """Whatever else is logged is nobody's concern."""
    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()], logger_factory=lambda *_: _Silent())
    try:
        yield
    finally:
        structlog.configure(**before)


class _Silent:
    def msg(self, message: str) -> None:
        assert "page_failed" not in message, message

    error = info = warning = exception = critical = debug = msg


# ---- what a search begins with

_JSON_SEEDS: Final = (
    b'{"state":{"reported":{"ts":1698922776030,"pr":1,"latlng":"0.1,50.6","sp":0,"239":1,"240":1,"66":11922,"16":6870}}}',
    b'{"state":{"reported":{"ts":1072915236000,"latlng":"0,0","411":80,"410":1,"89":5,"152":90,"87":7,"389":5}}}',
)
_VSS_SEEDS: Final = (
    b'{"Vehicle.TraveledDistance":12345.6,"Vehicle.IsMoving":{"value":false,"ts":1698922776030}}',
    b'{"Vehicle.LowVoltageSystemState":"ON","Vehicle.CurrentLocation.Latitude":{"value":50.6,"ts":"2026-01-01T00:00:00+01:00"}}',
    b'{"Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed":80,"Vehicle.LowVoltageBattery.CurrentVoltage":12.4}',
)
_MESSAGE_SEEDS: Final = (
    b'\x00{"cabinet":"gare-1","kind":"presence","online":true,"boot_nonce":"%s","boot_ms":1,"connection":1,"version":"1"}'
    % (b"0" * 32),
    b'\x0c{"cabinet":"gare-1","kind":"acknowledged","ledger":"%s","epoch":"%s","seq":7,"hash":"%s"}'
    % (b"0" * 32, b"1" * 32, b"2" * 64),
    (
        b'\x0d{"cabinet":"gare-1","kind":"command","command":"command-1","counter":1,"action":"release_slot","slot":2,'
        b'"issued_ms":1,"expires_ms":2}'
    ),
    b'\x0f{"cabinet":"gare-1","kind":"time_reply","nonce":"%s","at_ms":1}' % (b"0" * 32),
    b"\x80" + json.dumps({"alg": ALGORITHM, "kid": "agent/gare-1"}).encode(),
    b"\xc0" + signed("agent/gare-1", b"{}"),
)
_FACT_SEEDS: Final = (
    b'{"seq":3,"at_ms":1,"clock_trusted":true,"kind":"access_granted","reader":"entrance","slot":2,"purpose":"take"}',
    b'{"seq":10,"at_ms":1,"clock_trusted":true,"kind":"key_taken","slot":2,"identity":"read","key":"key-1"}',
    b'{"seq":1,"at_ms":1,"clock_trusted":true,"kind":"hologram"}',
)
_HTTP_SEEDS: Final = (
    b"\x40GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x05POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    (
        b"\xffPOST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        b"2\r\nab\r\n0\r\n\r\n"
    ),
)

DOCUMENTS: Final[dict[str, tuple[Check, tuple[bytes, ...]]]] = {
    "codec-json": (codec_json, tuple(b"\x00" + seed for seed in _JSON_SEEDS)),
    "vss": (vss, _VSS_SEEDS),
    "envelope": (envelope, _MESSAGE_SEEDS),
    "fact": (fact, _FACT_SEEDS),
    "http": (http, _HTTP_SEEDS),
}
"""By name: what feeds one message, and messages to begin with."""
