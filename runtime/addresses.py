"""Which addresses only this machine can reach, and what others must bring."""

import ipaddress

from runtime.config import ConfigError


class Unsecured(ConfigError, ValueError):
    """Something open would be reachable from other machines. The text says what to set.

    A ValueError too, so that raised in a validator of a settings model it becomes a line of its `ConfigError`.
    """


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine alone. A name other than `localhost` never does: it may change."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_loopback_or_secured(host: str, *, field: str, secured: bool, lacking: str) -> None:
    """Raises `Unsecured` when a listener on `host` would be open to other machines without protection.

    `field` is the host's place in the configuration (`api.host`); `lacking` says in the reader's words what
    would make it safe (`a certificate (api.tls) and tokens (api.tokens_file)`).
    """
    if not secured and not is_loopback(host):
        raise Unsecured(
            f"{field} = {host!r} can be reached from other machines: that needs {lacking}, or listen on 127.0.0.1"
        )
