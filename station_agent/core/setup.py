"""The hardware and secrets that a core is built for, as configured on its box."""

from dataclasses import dataclass
from typing import Literal

from contract.credentials import CredentialType


@dataclass(frozen=True, slots=True)
class StationSetup:
    """Slots as numbered on the cabinet, readers with their roles, what is read there, and the digest key."""

    slots: tuple[int, ...]
    readers: tuple[tuple[str, Literal["badge", "return_tag"]], ...]
    badge_types: tuple[CredentialType, ...]
    tag_types: tuple[CredentialType, ...]
    digest_key: bytes
