"""`station-agent pair-reader`: gives an OSDP reader in install mode a key of its own, with the cabinet open.

The agent itself never speaks under the public key of install mode; this does, for one reader, when a person says
that nobody else is on the wires. Whatever stops it, the files hold what the reader has: the next run tries both.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.config import ConfigError
from station_agent.config import StationConfig
from station_agent.drivers.built_in.osdp import OsdpTable
from station_agent.drivers.osdp.messages import Refusal
from station_agent.drivers.osdp.pairing import Conversation, Found, Taken
from station_agent.drivers.osdp.secure import KEY_BYTES, SCBK_DEFAULT
from station_agent.onsite.local import AgentSays, NotRunning, ask
from station_agent.onsite.osdp_line import OsdpLine
from station_agent.onsite.port_trouble import port_trouble
from station_agent.onsite.reader_key import KeyFileError, ReaderKeyFile
from station_agent.serial_port import LINK_ERRORS, open_port

PROOF_S: Final = 10.0  # a reader that starts anew with its key is back within a few seconds
BETWEEN_PROOFS_S: Final = 0.5
WARNING = """\
This gives the reader {name} at {device} a new key. The key passes the line under the public key of
install mode: whoever listens there now knows it for good.
Go on only if the cabinet is open before you, nothing foreign is on its wires, and the reader is in install mode.
Type yes to go on: """


class PairingFailed(Exception):
    """The reader was not paired. The text says what is so and what to do next."""


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    address: int
    device: str
    baud_rate: int
    key_file: Path


def pair_reader(
    config: StationConfig, name: str, *, yes: bool, random_bytes: Callable[[int], bytes], proof_s: float = PROOF_S
) -> int:
    """Pairs one reader, telling what happens. 0: it has its key; 1: it has not, and why was said.

    Raises:
        ConfigError: no such reader.
    """
    target = _target(config, name)
    try:
        _must_not_run(config)
        if not yes:
            _must_be_confirmed(target)
        asyncio.run(_pair(target, random_bytes, proof_s))
    except (PairingFailed, KeyFileError) as error:
        told = str(error)
    except KeyboardInterrupt:
        told = "stopped; both keys are kept: run this again"
    else:
        return 0
    sys.stderr.write(f"station-agent: {name}: {told}\n")
    return 1


def _target(config: StationConfig, name: str) -> _Target:
    found = {
        reader.name: _Target(reader.name, reader.address, bus.device, bus.baud_rate, reader.scbk_file)
        for bus in config.readers
        if isinstance(bus, OsdpTable)
        for reader in bus.readers
    }
    if name not in found:
        raise ConfigError(f"reader {name!r}: expected one over OSDP: {', '.join(found) or 'there is none'}")
    return found[name]


def _must_not_run(config: StationConfig) -> None:
    try:
        status = ask(config.http, "status")
    except NotRunning:
        return
    except AgentSays as error:
        raise PairingFailed(f"an agent runs and says: {error}") from None
    if status.get("cabinet") == config.cabinet:
        raise PairingFailed("the agent runs and has the line: stop it first (systemctl stop station-agent)")


def _must_be_confirmed(target: _Target) -> None:
    sys.stdout.write(WARNING.format(name=target.name, device=target.device))
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        sys.stdout.write("\n")
    if answer.strip() != "yes":
        raise PairingFailed("nothing was sent: expected `yes`")


async def _pair(target: _Target, random_bytes: Callable[[int], bytes], proof_s: float) -> None:
    files = ReaderKeyFile(target.key_file)
    pending = files.pending()
    async with _opened(target) as line:
        pairing = _Pairing(target, line, files, random_bytes, proof_s)
        if pending is not None and await pairing.begins(pending) is Found.OPEN:
            files.adopt()
            _tell(f"{target.name} has the key of the attempt before; it is in {files.path} now")
        else:
            await pairing.run(pending)
        await pairing.must_refuse_public_key()


@asynccontextmanager
async def _opened(target: _Target) -> AsyncIterator[OsdpLine]:
    try:
        port = await open_port(target.device, target.baud_rate)
    except LINK_ERRORS as error:
        trouble = port_trouble(str(error), getattr(error, "errno", None))
        raise PairingFailed("; ".join((f"{target.device} {trouble.told}", *trouble.next_steps()))) from None
    line = OsdpLine(port, target.baud_rate)
    try:
        yield line
    except (*LINK_ERRORS, EOFError) as error:
        raise PairingFailed(
            f"{target.device} was lost: {error}; both keys are kept: run this again when it is back"
        ) from None
    finally:
        await port.close()


class _Pairing:
    """One attempt, on an open line."""

    def __init__(
        self,
        target: _Target,
        line: OsdpLine,
        files: ReaderKeyFile,
        random_bytes: Callable[[int], bytes],
        proof_s: float,
    ) -> None:
        self._target = target
        self._line = line
        self._files = files
        self._random_bytes = random_bytes
        self._proof_s = proof_s
        self._talk = self._new_talk()

    async def run(self, pending: bytes | None) -> None:
        """From the public key to the proof. A pending key is used again: the reader may have it, unproved."""
        await self._must_be_in_install_mode()
        status = await self._line.hold(self._talk.status())
        if status is not None and status[0]:
            _tell(f"{self._target.name} says that its housing is open (tamper)")
        key = pending
        if key is None:
            key = self._random_bytes(KEY_BYTES)
            self._files.write_pending(key)
        taken = await self._line.hold(self._talk.install(key))
        if taken is Taken.REFUSED:
            raise PairingFailed(f"the reader takes no key{_nak(self._talk)}; its old one is as it was")
        await self._must_prove(key)
        self._files.adopt()
        _tell(
            f"{self._target.name} has its key and has proved it; it is in {self._files.path}, for the agent alone"
        )

    async def begins(self, key: bytes) -> Found:
        """What becomes of a session under this key."""
        self._talk = self._new_talk()
        return await self._line.hold(self._talk.begin(key))

    async def must_refuse_public_key(self) -> None:
        """Raises PairingFailed where a paired reader still opens under the key that everybody knows."""
        if await self.begins(SCBK_DEFAULT) is Found.OPEN:
            raise PairingFailed(
                "it has its key, but still takes the public one: end its install mode, and run this again to see"
            )

    async def _must_be_in_install_mode(self) -> None:
        found = await self.begins(SCBK_DEFAULT)
        if found is Found.OPEN:
            return
        refusal = _nak(self._talk)
        if found is Found.SILENT:
            raise PairingFailed("; ".join(self._silence()))
        current = self._files.current()
        if current is not None and await self.begins(current) is Found.OPEN:
            raise PairingFailed(
                "it is not in install mode: it answers with the key that it has, and nothing was changed"
            )
        raise PairingFailed(
            f"it is not in install mode{refusal}, and has another key than {self._files.path}: "
            "put it into install mode as its maker says; if nobody knows of another key, do not trust it"
        )

    def _silence(self) -> Iterator[str]:
        target = self._target
        where = f"address {target.address} on {target.device} at {target.baud_rate} baud"
        if self._line.garbled:
            yield f"something answers at {where}, nothing of it is valid: speed, noise, two readers at one address"
        else:
            yield f"nothing answers at {where}"
        yield "check power, and A and B of RS-485; `station-agent doctor` tries other speeds and addresses"

    async def _must_prove(self, key: bytes) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._proof_s
        while (found := await self.begins(key)) is not Found.OPEN:
            if loop.time() >= end_s:
                raise PairingFailed(await self._unproved(found))
            await asyncio.sleep(BETWEEN_PROOFS_S)

    async def _unproved(self, found: Found) -> str:
        kept = f"both keys are kept, the new one in {self._files.pending_path}: run this again"
        if found is Found.SILENT:
            return f"it was sent its key and does not answer any more; {kept} when it has power"
        if await self.begins(SCBK_DEFAULT) is Found.OPEN:
            return f"it did not take its key: it is in install mode still; {kept}"
        return f"it was sent its key and does not answer with it; {kept}"

    def _new_talk(self) -> Conversation:
        return Conversation(self._target.address, self._random_bytes)


def _nak(talk: Conversation) -> str:
    """In brackets, why the reader refused, if it said so."""
    if talk.refusal is None:
        return ""
    names = {one.value: one.name.lower().replace("_", " ") for one in Refusal}
    return f" (NAK {talk.refusal}: {names.get(talk.refusal, 'a reason unknown here')})"


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
