"""Tells systemd how a service does (`Type=notify`), where a service manager asks to be told.

    manager = ServiceManager.of_environment(os.environ)
    manager.tell("READY=1", "STATUS=8 slots")

The protocol is that of `sd_notify(3)`: one datagram of lines to the socket that `NOTIFY_SOCKET` names.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """What a service was told by its manager."""

    address: str = ""
    """Of the socket; empty: nobody asks."""
    watchdog_us: int | None = None
    """How long this may say nothing before it is started anew; None: for ever."""

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "ServiceManager":
        """`NOTIFY_SOCKET` and `WATCHDOG_USEC`. A watchdog that is no number is none, and is logged."""
        address, text = environment.get("NOTIFY_SOCKET", ""), environment.get("WATCHDOG_USEC", "")
        watchdog_us = int(text) if text.isdecimal() and int(text) > 0 else None
        if text and watchdog_us is None:
            log.warning("watchdog_not_understood", value=text[:40], expected="microseconds")
        return cls(address, watchdog_us)

    def tell(self, *lines: str) -> None:
        """Say something. A manager that does not listen is no reason to stop."""
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address  # abstract on Linux
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.sendto("\n".join(lines).encode(), name)
        except OSError as error:
            log.warning("service_manager_not_told", error=str(error))
