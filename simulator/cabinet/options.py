"""What `simulator cabinet` is asked to be."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.arguments import number
from simulator.devices.teltonika_tracker import CODEC_8, CODEC_8_EXTENDED
from simulator.network.wiring import BADGE_READER, READER_ADDRESS, RETURN_READER, SCBK_BYTES
from station_agent.drivers.osdp.secure import SCBK_DEFAULT

MODBUS, KERONG = "modbus-io", "kerong-cu16"
OSDP, RDM6300, NONE = "osdp", "rdm6300", "none"
TRACKERS = {"codec-8": CODEC_8, "codec-8e": CODEC_8_EXTENDED}
SLOTS_MAX = 64  # eight pairs of Modbus boards: a look at all of them takes 0.3 s at 9600 baud
INSTALL_MODE = "install"


@dataclass(frozen=True, slots=True)
class CabinetOptions:
    locks: str
    """`modbus-io` or `kerong-cu16`."""
    slots: int
    tag_reader: str
    """`osdp`, `rdm6300` or `none`: what hangs at the return slot."""
    tracker: int | None
    """Codec of the tracker on a line of its own; None: there is none."""
    scbks: Mapping[str, bytes | None]
    """Keys that were asked for, by reader; None: that reader is in install mode."""
    directory: Path
    """Where the ports are."""
    write_config: Path | None
    as_json: bool
    page_port: int | None = None
    """Of the page in a browser; 0: a free one; None: there is none."""

    @property
    def osdp_readers(self) -> tuple[str, ...]:
        return tuple(READER_ADDRESS) if self.tag_reader == OSDP else (BADGE_READER,)


def add_cabinet(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The sub-command and its options."""
    text = "run one cabinet on its own: its devices on serial ports for any program, commands on standard input"
    cabinet = commands.add_parser("cabinet", help=text, description=text)
    cabinet.add_argument("--locks", choices=(MODBUS, KERONG), default=MODBUS, help="lock boards; default modbus-io")
    cabinet.add_argument(
        "--slots", type=number(int, 1, SLOTS_MAX), default=8, metavar="N", help=f"1 to {SLOTS_MAX}; default 8"
    )
    cabinet.add_argument(
        "--tag-reader", choices=(OSDP, RDM6300, NONE), default=OSDP, help="at the return slot; default osdp"
    )
    cabinet.add_argument(
        "--tracker",
        nargs="?",
        choices=tuple(TRACKERS),
        const="codec-8",
        help="also a vehicle's tracker on a line of its own; default codec-8",
    )
    cabinet.add_argument(
        "--secure-channel-key",
        type=_reader_key,
        action="append",
        default=[],
        metavar="READER=KEY",
        help=f"of {BADGE_READER} or {RETURN_READER}: {2 * SCBK_BYTES} hexadecimal digits, or `{INSTALL_MODE}` for "
        "a reader fresh from the box; default: fixed keys, which are shown",
    )
    cabinet.add_argument(
        "--directory",
        type=Path,
        default=Path(".run/cabinet"),
        metavar="DIR",
        help="where the ports are, as links; default .run/cabinet",
    )
    cabinet.add_argument(
        "--write-config",
        type=Path,
        metavar="DIR",
        help="write a station.toml for this cabinet there, with its keys",
    )
    cabinet.add_argument(
        "--page-port",
        type=number(int, 0, 65_535),
        metavar="P",
        help="show the cabinet and its lines on a page, on loopback; 0: a free port",
    )
    cabinet.add_argument("--json", action="store_true", help="every line of output is a JSON object")


def cabinet_options(parsed: argparse.Namespace) -> CabinetOptions:
    return CabinetOptions(
        locks=parsed.locks,
        slots=parsed.slots,
        tag_reader=parsed.tag_reader,
        tracker=TRACKERS.get(parsed.tracker),
        scbks=dict(parsed.secure_channel_key),
        directory=parsed.directory,
        write_config=parsed.write_config,
        as_json=parsed.json,
        page_port=parsed.page_port,
    )


def _reader_key(text: str) -> tuple[str, bytes | None]:
    reader, _, key = text.partition("=")
    if reader not in READER_ADDRESS:
        raise argparse.ArgumentTypeError(f"{reader!r}: expected one of {', '.join(READER_ADDRESS)}, then `=`")
    if key == INSTALL_MODE:
        return reader, None
    expected = f"{reader}: expected {2 * SCBK_BYTES} hexadecimal digits, or {INSTALL_MODE}"
    try:
        scbk = bytes.fromhex(key)
    except ValueError:
        raise argparse.ArgumentTypeError(expected) from None
    if len(scbk) != SCBK_BYTES or scbk == SCBK_DEFAULT:
        raise argparse.ArgumentTypeError(f"{expected}; never the public default key")
    return reader, scbk
