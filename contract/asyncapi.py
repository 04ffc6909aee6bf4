"""AsyncAPI 3.0 of the wire contract, generated: the table of topics, who says what on them, the models' schemas."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from contract.envelope import KINDS_BY_CHANNEL, SIGNED_BYTES_MAX
from contract.facts import FACT_ADAPTER
from contract.jws import ALGORITHM
from contract.messages import MESSAGE_TYPES, FactBatch
from contract.schema import WireSchema
from contract.topics import DISPATCHER_PRESENCE, MAJOR, NAMESPACE_PATTERN, TOPICS, Author, TopicRule

SPECIFICATION = "3.0.0"
MQTT_BINDING = "0.2.0"  # the one version that the JSON Schema of AsyncAPI 3.0.0 knows

DESCRIPTION = f"""\
What station agents (one per key cabinet), dispatchers and vehicles' trackers say to each other over MQTT 5.

Every message but a tracker's is a JWS in compact form (RFC 7515), at most {SIGNED_BYTES_MAX} bytes. Its header is
`alg` and `kid` and nothing else: `alg` is `{ALGORITHM}` (RFC 9864); `kid` names the author, `agent/` and the
cabinet's id or `dispatcher/` and the dispatcher's. The schema of a message is that of the JSON text inside the
signature; its `cabinet` or `dispatcher` is the `id` in the address. Unknown fields are ignored, unknown kinds are
counted and skipped.

Each operation is told from the point of view of the program in its name, which is also its tag: what
`dispatcher_sends_desired` sends, `agent_receives_desired` receives. Nothing waits for a dispatcher's presence, so
nothing here receives it.
"""

_READER = {
    Author.AGENT: Author.DISPATCHER,
    Author.DISPATCHER: Author.AGENT,
    Author.TRACKER: Author.AGENT,  # the one that holds the vehicle's key
}

_KIDS = {Author.AGENT: "agent/{cabinet}", Author.DISPATCHER: "dispatcher/{dispatcher}"}


@dataclass(frozen=True, slots=True)
class _Said:
    """One kind of message on one channel."""

    kind: str
    author: Author
    schema: str | None
    """Name of its payload's schema; None for a format that is not ours."""


def asyncapi_text() -> str:
    """The document as it is kept in `docs/`."""
    return json.dumps(asyncapi_document(), indent=2, ensure_ascii=False) + "\n"


def asyncapi_document() -> dict[str, Any]:
    return {
        "asyncapi": SPECIFICATION,
        "id": f"urn:carshare:{MAJOR}",
        "info": {
            "title": "carshare-controller: the wire contract",
            "version": MAJOR.removeprefix("v"),
            "description": DESCRIPTION,
        },
        "channels": {_channel_name(rule): _channel(rule) for rule in TOPICS},
        "operations": dict(_operations()),
        "components": {
            "parameters": _parameters(),
            "messages": {said.kind: _message(said) for rule in TOPICS for said in _said_on(rule)},
            "messageTraits": {_trait_name(author): _trait(author) for author in _KIDS},
            "schemas": _schemas(),
        },
    }


def _said_on(rule: TopicRule) -> list[_Said]:
    if not rule.signed:
        (author,) = rule.authors
        return [_Said(_levels(rule)[1], author, None)]
    kinds = KINDS_BY_CHANNEL[rule.channel]
    return [_Said(model.model_fields["kind"].default, author, model.__name__) for model, author in kinds.items()]


def _levels(rule: TopicRule) -> tuple[str, str]:
    """`cabinets` and `presence` of `cabinets/{id}/presence`."""
    first, subject, last = rule.channel.split("/")
    assert subject == "{id}", rule.channel
    return first, last


def _subject(rule: TopicRule) -> str:
    """What the `id` in the address is the id of: `cabinet`, also the name of the field in a signed payload."""
    return _levels(rule)[0].removesuffix("s")


def _channel_name(rule: TopicRule) -> str:
    return "_".join(_levels(rule))


def _channel(rule: TopicRule) -> dict[str, Any]:
    return {
        "address": rule.topic("{namespace}", "{id}"),
        "summary": rule.purpose,
        "messages": {said.kind: {"$ref": f"#/components/messages/{said.kind}"} for said in _said_on(rule)},
        "parameters": {
            "namespace": {"$ref": "#/components/parameters/namespace"},
            "id": {"$ref": f"#/components/parameters/{_subject(rule)}"},
        },
    }


def _parameters() -> dict[str, Any]:
    found: dict[str, Any] = {
        "namespace": {
            "description": f"Name of one installation: `{NAMESPACE_PATTERN.pattern}`",
            "examples": ["carshare"],
        }
    }
    for rule in TOPICS:
        subject = _subject(rule)
        found[subject] = {"description": f"Id of the {subject}"}
        if rule.signed:
            found[subject]["location"] = f"$message.payload#/{subject}"
    return found


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each message twice: as its author sends it and as the other side receives it."""
    for rule in TOPICS:
        for said in _said_on(rule):
            sends = {"qos": rule.qos, "retain": rule.retain}
            yield f"{said.author}_sends_{said.kind}", _operation(rule, said, said.author, "send", sends)
            if rule is not DISPATCHER_PRESENCE:
                reader = _READER[said.author]
                yield f"{reader}_receives_{said.kind}", _operation(rule, said, reader, "receive", {"qos": rule.qos})


def _operation(rule: TopicRule, said: _Said, program: Author, action: str, mqtt: dict[str, Any]) -> dict[str, Any]:
    channel = f"#/channels/{_channel_name(rule)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{said.kind}"}],
        "tags": [{"name": str(program)}],
        "bindings": {"mqtt": {**mqtt, "bindingVersion": MQTT_BINDING}},
    }


def _message(said: _Said) -> dict[str, Any]:
    if said.schema is None:
        return {
            "name": said.kind,
            "summary": "unsigned, in the format of the tracker's maker, which a driver in the agent reads",
        }
    return {
        "name": said.kind,
        "payload": {"$ref": f"#/components/schemas/{said.schema}"},
        "traits": [{"$ref": f"#/components/messageTraits/{_trait_name(said.author)}"}],
    }


def _trait_name(author: Author) -> str:
    return f"signed_by_{author}"


def _trait(author: Author) -> dict[str, Any]:
    """How a message of ours is signed. AsyncAPI has no words for a JWS header, so it is an extension."""
    return {
        "contentType": "application/jose",  # JWS compact: RFC 7515, section 9.2.1
        "x-jws-header": {"alg": ALGORITHM, "kid": _KIDS[author]},
    }


def _schemas() -> dict[str, Any]:
    """Every model of a message and of a fact, once, under its class's name."""
    adapters: dict[str, TypeAdapter[Any]] = {model.__name__: TypeAdapter(model) for model in MESSAGE_TYPES}
    adapters["Fact"] = FACT_ADAPTER
    by_name, found = TypeAdapter.json_schemas(
        [(name, "validation", adapter) for name, adapter in adapters.items()],
        ref_template="#/components/schemas/{model}",
        schema_generator=WireSchema,
    )
    fact = by_name["Fact", "validation"]
    del fact["discriminator"]  # OpenAPI's; in AsyncAPI it would have to hold the schema's own name
    schemas = {**found["$defs"], "Fact": fact}
    texts = schemas[FactBatch.__name__]["properties"]["facts"]["items"]
    texts |= {"contentMediaType": "application/json", "contentSchema": {"$ref": "#/components/schemas/Fact"}}
    return {name: _readable_by_draft_7(schemas[name]) for name in sorted(schemas)}


def _readable_by_draft_7(schema: Any) -> Any:
    """The same with nothing beside a reference: up to draft 7, on which AsyncAPI stands, it would be ignored."""
    if isinstance(schema, list):
        return [_readable_by_draft_7(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: _readable_by_draft_7(part) for name, part in schema.items()}
    if "$ref" in parts and len(parts) > 1:
        return {"allOf": [{"$ref": parts.pop("$ref")}], **parts}
    return parts
