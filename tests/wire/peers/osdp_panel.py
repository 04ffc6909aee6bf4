"""The control panel of the package `osdp` (pure Python): PORT MASTER_KEY. Says what it sees.

It gives each reader the key that it derives from the master key and the reader's client id.
"""

import logging
import os
import sys
from typing import Any

import osdp  # type: ignore[import-not-found]  # lives in an environment of its own

from tests.wire.peers.talk import say, ticks

ADDRESS = 1
BAUD_RATE = 38400
TICK_S = 0.02


class Panel(osdp.ControlPanel):  # type: ignore[misc]  # no types upstream
    def on_raw_card_data_reply_received(self, address: int, raw_card_data: Any) -> None:
        say(address=address, bits=raw_card_data.bit_count, card=raw_card_data.data.hex())

    def on_keypad_data_reply_received(self, address: int, keypad_data: Any) -> None:
        say(address=address, keys=keypad_data.data.hex())

    def on_local_status_report_reply_received(self, address: int, local_status: Any) -> None:
        say(address=address, tampered=local_status.tamper)

    def on_nak_reply_received(self, address: int, nak: Any) -> None:
        say(address=address, refused=str(nak))


def main() -> None:
    logging.getLogger("osdp").setLevel(logging.CRITICAL)
    port, master_key = sys.argv[1], bytes.fromhex(sys.argv[2])
    panel = Panel(master_key)
    bus = panel.start_connection(osdp.SerialPortOsdpConnection(port=port, baud_rate=BAUD_RATE))
    panel.add_device(bus, ADDRESS, use_crc=True, use_secure_channel=True)
    device = next(iter(panel._buses.values()))._configured_devices[ADDRESS]
    in_session = None
    for orders in ticks(TICK_S):
        for order in orders:
            control = osdp.ReaderLedControl(
                0,
                0,
                osdp.TemporaryReaderControlCode.SetTemporaryAndStartTimer,
                3,
                2,
                osdp.LedColor.Green,
                osdp.LedColor.Black,
                200,
                osdp.PermanentReaderControlCode.Nop,
                0,
                0,
                osdp.LedColor.Black,
                osdp.LedColor.Black,
            )
            answer = panel.reader_led_control(bus, ADDRESS, osdp.ReaderLedControls([control]))
            say(order=order["command"], taken=answer)
        if in_session != device.is_security_established:
            in_session = device.is_security_established
            say(in_session=in_session)
    sys.stdout.flush()
    os._exit(0)  # its bus thread sits in a read and has no end of its own


main()
