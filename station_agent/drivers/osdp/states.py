"""What the session with one reader goes through, as a table, and the words for how it ends."""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from station_agent.drivers.osdp import secure
from station_agent.drivers.osdp.messages import Command, Reply


class Phase(Enum):
    IDENTIFY = auto()
    CHALLENGE = auto()
    PROVE = auto()
    DESCRIBE = auto()
    STATUS = auto()
    DRAIN = auto()
    ONLINE = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """In one phase: what is sent, the reply that leads on, and where to."""

    command: Command
    reply: Reply
    after: Phase
    block: bytes = b""  # the security block of a handshake
    sealed: bool = False  # inside the secure channel


STEPS = {
    # Sequence 0 restarts both ends. ID, because any reader answers it and it takes no card out of one.
    Phase.IDENTIFY: Step(Command.ID, Reply.PDID, Phase.CHALLENGE),
    Phase.CHALLENGE: Step(
        Command.CHLNG,
        Reply.CCRYPT,
        Phase.PROVE,
        secure.handshake_block(secure.CHALLENGE, secure.KEY_IS_OWN),
    ),
    Phase.PROVE: Step(
        Command.SCRYPT,
        Reply.RMAC_I,
        Phase.DESCRIBE,
        secure.handshake_block(secure.PROOF, secure.KEY_IS_OWN),
    ),
    Phase.DESCRIBE: Step(Command.CAP, Reply.PDCAP, Phase.STATUS, sealed=True),
    Phase.STATUS: Step(Command.LSTAT, Reply.LSTATR, Phase.DRAIN, sealed=True),
    # What was shown while the reader was away is taken out and not believed: whoever cuts the line, waits
    # for a tap and joins the line again when the member has left would open a slot with it.
    Phase.DRAIN: Step(Command.POLL, Reply.ACK, Phase.ONLINE, sealed=True),
    Phase.ONLINE: Step(Command.POLL, Reply.ACK, Phase.ONLINE, sealed=True),
}


class Answer(Enum):
    """What a frame did to the exchange that waits for a reply."""

    DONE = auto()
    STRAY = auto()  # late, repeated or replayed: wait on
    BAD = auto()  # has the right number, but is not authentic or not what was asked: ask again
    BUSY = auto()
    LOST = auto()  # the exchange is over and so is the session


class Why(StrEnum):
    """`ReaderLost.why`."""

    NO_ANSWER = "no_answer"  # cut line, no power, another address or baud rate
    GARBLED = "garbled"  # something answers, nothing of it is valid: noise, two readers at one address
    BUSY = "busy"  # it answers, but takes no command
    REPLACED = "reader_replaced"  # answers with another key, or with the public one of install mode
    NO_SECURE_CHANNEL = "no_secure_channel"  # refuses to begin one
    SESSION_REFUSED = "session_refused"  # restarted, or does not go on with the session
    LINE_CLOSED = "line_closed"
