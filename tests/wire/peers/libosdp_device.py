"""libosdp's peripheral device: PORT KEY. Says what it is told, shows cards and keys when ordered.

With `install` for a key it is in install mode: it takes the public key, and says which key it is given.
"""

import sys

import osdp  # type: ignore[import-not-found]  # lives in an environment of its own

from tests.wire.peers.talk import Port, say, ticks

REFRESH_S = 0.005
ADDRESS = 1


def on_command(command: dict[str, object]) -> tuple[int, None]:
    if command["command"] == osdp.Command.Keyset:
        say(command="keyset", kind=command["type"], key=bytes(command["data"]).hex())  # type: ignore[call-overload]
        return 0, None
    names = {osdp.Command.LED: "led", osdp.Command.Buzzer: "buzzer"}
    name = names.get(command["command"])
    if name:
        say(command=name, **{key: value for key, value in command.items() if key != "command"})
    return 0, None


def event_of(order: dict[str, str]) -> dict[str, object]:
    if "card" in order:
        return {
            "event": osdp.Event.CardRead,
            "reader_no": 0,
            "direction": 0,
            "format": osdp.CardFormat.Unspecified,
            "length": int(order["bits"]),
            "data": bytes.fromhex(order["card"]),
        }
    if "keys" in order:
        return {"event": osdp.Event.KeyPress, "reader_no": 0, "data": bytes.fromhex(order["keys"])}
    report = bytes.fromhex(order["status"])
    return {"event": osdp.Event.Status, "type": osdp.StatusReportType.Local, "report": report}


def main() -> None:
    port = Port(sys.argv[1])
    install = sys.argv[2] == "install"
    key = None if install else bytes.fromhex(sys.argv[2])
    flags = [osdp.LibFlag.InstallMode] if install else [osdp.LibFlag.EnforceSecure]
    abilities = [(osdp.Capability.LEDControl, 1, 1), (osdp.Capability.AudibleControl, 1, 1)]
    device = osdp.PeripheralDevice(
        osdp.PDInfo(ADDRESS, port, scbk=key, flags=flags),
        osdp.PDCapabilities(abilities),
        log_level=osdp.LogLevel.Emergency,
        command_handler=on_command,
    )
    in_session = None
    for orders in ticks(REFRESH_S):
        for order in orders:
            device.ctx.submit_event(event_of(order))
        device.ctx.refresh()
        if in_session != device.is_sc_active():
            in_session = device.is_sc_active()
            say(in_session=in_session)


main()
