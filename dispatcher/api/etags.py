"""Tags of answers: what changed since it was read is not changed past the reader, what did not is not sent again.

A tag is `"v3-0f3a9c21"`: the version of the thing, where it has one, and a digest of the answer. The digest is
there because an answer can change while the thing does not: a booking's `grant` is `pending`, then `on_box`.
`If-None-Match` compares the whole tag; `If-Match` the version alone, so that a caller may also write `"v3"`. In its
place a thing without versions has a digest of what can be changed of it, `"s7d21b7-0f3a9c21"`: whoever changes a
vehicle has read what is there now, however far it has gone meanwhile.
"""

import hashlib
import json
import re
from collections.abc import Collection
from typing import Annotated

from fastapi import Header, Response

DIGEST_BYTES = 8  # of one thing's few answers, by nobody who would gain by two alike
TAG_CHARACTERS_MAX = 1000  # some 30 tags
TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')
VERSION = re.compile(r"v(\d{1,18})(?:-[0-9a-f]*)?")
ANY = "*"

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=TAG_CHARACTERS_MAX,
        description="The `etag` of the answer that the change is made from, or `*`. Is another version there by"
        " now: 412. Absent: it is changed whatever happened meanwhile.",
    ),
]


def version_tag(version: int) -> str:
    return f'"v{version}"'


def matches(if_match: str, version: int) -> bool:
    """Whether the header names this version of a thing."""
    if if_match.strip() == ANY:
        return True
    named = (VERSION.fullmatch(tag) for tag in TAG.findall(if_match))
    return any(found is not None and int(found[1]) == version for found in named)


def body_tag(body: bytes) -> str:
    """Of an answer that nothing is changed from."""
    return f'"{_digest(body)}"'


def state_tag(body: bytes | str, told: Collection[str]) -> str:
    """Of a thing without versions, as JSON; `told`: its fields that nobody changes there."""
    fields = {name: value for name, value in json.loads(body).items() if name not in told}
    return f'"s{_digest(json.dumps(fields, sort_keys=True).encode())}"'


def is_state(if_match: str, tag: str) -> bool:
    """Whether the header names the thing as `state_tag` has it."""
    if if_match.strip() == ANY:
        return True
    return tag.strip('"') in {named.partition("-")[0] for named in TAG.findall(if_match)}


def names(header: str, tag: str) -> bool:
    """Whether a header names a tag, by weak comparison (RFC 9110, section 13.1.2): a `W/` does not matter."""
    return header.strip() == ANY or tag.strip('"') in TAG.findall(header)


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).hexdigest()


def tagged(response: Response, if_none_match: str | None) -> Response:
    """The response with its whole tag; one without a body where the caller has just this answer."""
    body = bytes(response.body)
    version = response.headers.get("etag", "").strip('"')
    tag = f'"{version}-{_digest(body)}"' if version else body_tag(body)
    response.headers["etag"] = tag
    if if_none_match is None or not names(if_none_match, tag):
        return response
    kept = {name: response.headers[name] for name in ("etag", "location") if name in response.headers}
    return Response(status_code=304, headers=kept)
