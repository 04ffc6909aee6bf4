"""The small values that messages are made of: ids, hashes, the frozen base of all models."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

CabinetId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,39}$", description="cabinet, and its box")]
OpaqueId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{4,64}$", description="random or assigned, says nothing about a person"),
]
Nonce = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="128 random bits, hex")]
EpochId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="128 random bits, hex")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hex")]
Digest = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$", description="HMAC-SHA256, base64url unpadded")]
UnixMs = Annotated[int, Field(ge=0, le=32_503_680_000_000, description="milliseconds since 1970 UTC, to year 3000")]
COUNT_MAX = 2**53 - 1  # what every JSON reader and every database keeps exactly (RFC 8259, section 6)
Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Number = Annotated[int, Field(ge=1, le=COUNT_MAX)]
Slot = Annotated[int, Field(ge=1, le=128, description="as printed on the cabinet, from 1")]
Text = Annotated[str, Field(max_length=200, description="for a person to read")]


class Frozen(BaseModel):
    """Base of everything on the wire: immutable, strict, unknown fields ignored.

    Unknown fields are ignored because agents and dispatcher are upgraded at different times.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, use_attribute_docstrings=True)

    def to_json(self) -> str:
        """The one text form: no spaces, absent values left out. What is hashed and signed is this text."""
        return self.model_dump_json(exclude_none=True)
