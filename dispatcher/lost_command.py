"""`dispatcher lost`: which bookings a restored database lacks, by what the broker keeps of what boxes were told."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from contract.envelope import BadMessage, verify
from contract.messages import Desired
from contract.topics import parse_topic
from dispatcher.config import load_config, read_database_url, read_keys
from dispatcher.core.windows import utc_text
from dispatcher.link.keyring import KeyRing
from dispatcher.store.database import Database
from dispatcher.store.lost_rights import Loss, LostRight, lost_rights
from runtime.clocks import Clock
from runtime.config import ConfigError
from runtime.executor import InlineExecutor

Say = Callable[[str], None]

LINE_BYTES_MAX = 1 << 20  # a signed message of 256 KiB in base64, and its topic
LOST = """\
Name the rights that boxes were told and that this database does not know, or not so. FILE has a line for each
cabinet, its topic and the message that the broker retains: save it before a restored dispatcher is started, with
mosquitto_sub -V 5 -v --retained-only -W 5 -t 'NAMESPACE/v1/cabinets/+/desired' > FILE
"""
MEANING = {
    Loss.UNKNOWN: "made since the backup: book it again",
    Loss.OTHER_WINDOW: "moved since the backup to this window",
    Loss.OVER: "over in this database, and told to its box",
    Loss.NOT_TOLD: "holds in this database, and its box was told of it no more: cancelled, moved or withheld since",
}


def lost(options: argparse.Namespace, clock: Clock, say: Say) -> None:
    config = load_config(options.config)
    keys = read_keys(config.keys)
    keyring = KeyRing(config.keys.dispatcher_id, keys.public_key)
    told = {state.cabinet: state for state in _told(_lines(options.file), config.namespace, keyring)}
    database = Database(read_database_url(config.database), InlineExecutor(), origin=keys.origin)
    now_ms = clock.now_ms()
    count = 0
    try:
        for cabinet_id, state in sorted(told.items()):
            for right in database.read_now(partial(lost_rights, told=state, now_ms=now_ms)):
                say(_line(right))
                count += 1
            if state.grants_left_out:
                say(f"{cabinet_id}: {state.grants_left_out} rights farther ahead were told to nobody")
    finally:
        database.close()
    say(f"{count} rights differ, of {len(told)} cabinets")


def _lines(file: Path) -> Iterator[bytes]:
    """Raises `ConfigError`: it cannot be read."""
    if str(file) == "-":
        yield from sys.stdin.buffer
        return
    try:
        with file.open("rb") as opened:
            yield from opened
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None


def _told(lines: Iterable[bytes], namespace: str, keyring: KeyRing) -> Iterator[Desired]:
    """Raises `ConfigError`: a line that is no wanted state of this dispatcher's."""
    for number, line in enumerate(lines, 1):
        topic, _, wire = line.strip().partition(b" ")
        if not topic:
            continue
        parsed = parse_topic(topic.decode(errors="replace"), namespace)
        if parsed is None or len(line) > LINE_BYTES_MAX:
            expected = f"a topic {namespace}/v1/cabinets/ID/desired, a space and the message"
            raise ConfigError(f"line {number}: expected {expected}")
        try:
            message = verify(wire, parsed, keyring.find)
        except BadMessage as error:
            raise ConfigError(f"line {number}: expected a message that this dispatcher signed: {error}") from None
        if isinstance(message, Desired):
            yield message


def _line(right: LostRight) -> str:
    """Ids alone: who it is tells the API."""
    who = [*right.member_ids, *(f"pool {pool_id}" for pool_id in right.pool_ids)]
    who += [f"{right.unknown_badges} badges that are not known here"] if right.unknown_badges else []
    what = "service order" if right.is_order else "booking"
    named = right.booking_id or f"with grant {right.grant_id}"
    window = f"{utc_text(right.start_ms)} to {utc_text(right.end_ms)}"
    vehicle = right.vehicle_id or "a vehicle that is not known here"
    return f"{right.cabinet_id}: {vehicle}, {window}, {', '.join(who)}: {what} {named}: {MEANING[right.loss]}"
