"""Whose signatures are believed: the registered key of each cabinet, and our own."""

from collections.abc import Mapping

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contract.envelope import BadKey, VerifyKey, public_key_from_text
from contract.topics import Author

log = structlog.get_logger()


class KeyRing:
    """Finds keys by `kid`. Our own is among them: a broker may hand us back what we said."""

    def __init__(self, dispatcher_id: str, own_key: Ed25519PublicKey) -> None:
        self._own = {f"{Author.DISPATCHER}/{dispatcher_id}": VerifyKey(Author.DISPATCHER, dispatcher_id, own_key)}
        self._texts: dict[str, str] = {}
        self._agents: dict[str, VerifyKey] = {}

    def replace(self, registered: Mapping[str, str]) -> None:
        """Take over the registered public keys, by cabinet. One that is no key is left out and logged."""
        for cabinet, text in registered.items():
            if self._texts.get(cabinet) != text:
                self._agents.pop(f"{Author.AGENT}/{cabinet}", None)
                self._add(cabinet, text)
        for cabinet in self._texts.keys() - registered.keys():
            self._agents.pop(f"{Author.AGENT}/{cabinet}", None)
        self._texts = dict(registered)

    def find(self, kid: str) -> VerifyKey | None:
        return self._agents.get(kid) or self._own.get(kid)

    def _add(self, cabinet: str, text: str) -> None:
        try:
            key = public_key_from_text(text)
        except BadKey as error:
            log.warning("public_key_unusable", cabinet=cabinet, reason=str(error))
        else:
            self._agents[f"{Author.AGENT}/{cabinet}"] = VerifyKey(Author.AGENT, cabinet, key)
