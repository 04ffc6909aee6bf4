"""libosdp's control panel: PORT KEY [install]. Says what it sees, sends LED, buzzer or a key when ordered.

With `install` it begins under the public key where the reader is in install mode, and gives it KEY.
"""

import sys

import osdp  # type: ignore[import-not-found]  # lives in an environment of its own

from tests.wire.peers.talk import Port, say, ticks

REFRESH_S = 0.005
ADDRESS = 1

COMMANDS = {
    "led": {
        "command": osdp.Command.LED,
        "reader": 0,
        "led_number": 0,
        "control_code": 2,
        "on_count": 3,
        "off_count": 2,
        "on_color": osdp.CommandLEDColor.Green,
        "off_color": osdp.CommandLEDColor.Black,
        "timer_count": 200,
        "temporary": True,
    },
    "buzzer": {
        "command": osdp.Command.Buzzer,
        "reader": 0,
        "control_code": 2,
        "on_count": 4,
        "off_count": 1,
        "rep_count": 2,
    },
    "status": {"command": osdp.Command.Status, "type": osdp.StatusReportType.Local},
}


def command_of(order: dict[str, str]) -> dict[str, object]:
    if order["command"] == "keyset":
        return {"command": osdp.Command.Keyset, "type": 1, "data": bytes.fromhex(order["key"])}
    return COMMANDS[order["command"]]


def on_event(_device: int, event: dict[str, object]) -> int:
    if event["event"] == osdp.Event.CardRead:
        say(card=bytes(event["data"]).hex(), bits=event["length"])  # type: ignore[call-overload]  # bytes, from C
    elif event["event"] == osdp.Event.KeyPress:
        say(keys=bytes(event["data"]).hex())  # type: ignore[call-overload]  # the same
    elif event["event"] == osdp.Event.Status:
        say(status=bytes(event["report"]).hex())  # type: ignore[call-overload]  # the same
    return 0


def main() -> None:
    port = Port(sys.argv[1])
    key = bytes.fromhex(sys.argv[2])
    flags = [osdp.LibFlag.InstallMode if "install" in sys.argv else osdp.LibFlag.EnforceSecure]
    panel = osdp.ControlPanel(
        [osdp.PDInfo(ADDRESS, port, scbk=key, flags=flags)],
        log_level=osdp.LogLevel.Emergency,
        event_handler=on_event,
    )
    in_session = None
    for orders in ticks(REFRESH_S):
        for order in orders:
            panel.ctx.submit_command(0, command_of(order))
        panel.ctx.refresh()
        if in_session != bool(panel.ctx.sc_status()):
            in_session = bool(panel.ctx.sc_status())
            say(in_session=in_session)


main()
