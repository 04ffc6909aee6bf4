"""The document that other programs are written by says what the contract says, and its references lead somewhere.

The official JSON Schema of AsyncAPI is in no package on PyPI (docs/decisions), so what it asks for is asked here.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema
import pytest

from contract.asyncapi import MQTT_BINDING, asyncapi_document
from contract.envelope import KINDS_BY_CHANNEL
from contract.facts import Fact
from contract.messages import MESSAGE_ADAPTER, MESSAGE_TYPES
from contract.topics import DISPATCHER_PRESENCE, TOPICS, VEHICLE_RAW, Author, TopicRule
from tests.contract.examples import FACTS, MESSAGES
from tests.contract.keys import signer

DOCUMENT = asyncapi_document()
CHANNELS: dict[str, Any] = DOCUMENT["channels"]
OPERATIONS: dict[str, Any] = DOCUMENT["operations"]
COMPONENTS: dict[str, Any] = DOCUMENT["components"]

# the fields that AsyncAPI 3.0.0 knows, of those objects in which it allows no others but extensions (`x-`)
FIELDS = {
    "root": {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"},
    "info": {"title", "version", "description", "termsOfService", "contact", "license", "tags", "externalDocs"},
    "components": {
        "schemas", "servers", "channels", "operations", "messages", "securitySchemes", "parameters",
        "serverVariables", "correlationIds", "replies", "replyAddresses", "externalDocs", "tags",
        "operationTraits", "messageTraits", "serverBindings", "channelBindings", "operationBindings",
        "messageBindings",
    },
    "channel": {
        "address", "messages", "title", "summary", "description", "servers", "parameters", "tags",
        "externalDocs", "bindings",
    },
    "parameter": {"enum", "default", "description", "examples", "location"},
    "operation": {
        "action", "channel", "title", "summary", "description", "security", "tags", "externalDocs", "bindings",
        "traits", "messages", "reply",
    },
    "message": {
        "headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description", "tags",
        "externalDocs", "bindings", "examples", "traits", "deprecated",
    },
    "trait": {
        "headers", "correlationId", "contentType", "name", "title", "summary", "description", "tags",
        "externalDocs", "bindings", "examples", "deprecated",
    },
    "mqtt": {"qos", "retain", "messageExpiryInterval", "bindingVersion"},
}  # fmt: skip

# what a reader of draft 7 understands, and the one keyword that it passes over without harm
KEYWORDS = {*jsonschema.Draft7Validator.META_SCHEMA["properties"], "contentSchema"}


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from (("root", DOCUMENT), ("info", DOCUMENT["info"]), ("components", COMPONENTS))
    yield from (("channel", channel) for channel in CHANNELS.values())
    yield from (("operation", operation) for operation in OPERATIONS.values())
    yield from (("mqtt", operation["bindings"]["mqtt"]) for operation in OPERATIONS.values())
    yield from (("message", message) for message in COMPONENTS["messages"].values())
    yield from (("trait", trait) for trait in COMPONENTS["messageTraits"].values())
    yield from (("parameter", parameter) for parameter in COMPONENTS["parameters"].values())


def references(part: Any) -> Iterator[dict[str, Any]]:
    """Every object with a `$ref`."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def at(reference: dict[str, str]) -> Any:
    """What a reference leads to, through further references. KeyError where it leads nowhere."""
    root, *path = reference["$ref"].split("/")
    assert root == "#", "the document is one file"
    found: Any = DOCUMENT
    for name in path:
        found = found[name]
    return at(found) if "$ref" in found else found


def validator(schema: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator({"$ref": f"#/components/schemas/{schema}", "components": COMPONENTS})


def payload_validator(kind: str) -> jsonschema.Draft7Validator:
    return validator(COMPONENTS["messages"][kind]["payload"]["$ref"].rpartition("/")[2])


def channel_of(rule: TopicRule) -> dict[str, Any]:
    (found,) = (each for each in CHANNELS.values() if each["address"] == rule.topic("{namespace}", "{id}"))
    assert isinstance(found, dict)
    return found


def operations_on(rule: TopicRule, action: str) -> dict[str, dict[str, Any]]:
    return {
        name: operation
        for name, operation in OPERATIONS.items()
        if operation["action"] == action and at(operation["channel"]) is channel_of(rule)
    }


def programs(rule: TopicRule, action: str, kind: str) -> list[Author]:
    """Whose operations they are that send or receive one kind of message on one channel."""
    operations = operations_on(rule, action)
    return [program(name) for name in operations if name.endswith(f"_{action}s_{kind}")]


def program(operation: str) -> Author:
    return Author(operation.partition("_")[0])


def test_no_object_has_a_field_that_asyncapi_does_not_know() -> None:
    unknown = [
        (kind, name)
        for kind, found in objects()
        for name in found.keys() - FIELDS[kind]
        if not name.startswith("x-")
    ]
    assert unknown == []
    assert DOCUMENT["asyncapi"] == "3.0.0"


def test_names_of_components_are_such_as_asyncapi_takes() -> None:
    names = [name for section in COMPONENTS.values() for name in section]
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9_.-]+", name)] == []


def test_every_reference_leads_somewhere_and_has_nothing_beside_it() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > len(TOPICS)
    for reference in found:
        assert at(reference) is not None
        assert list(reference) == ["$ref"], "up to draft 7 what stands beside a reference is ignored"


def test_nothing_in_the_components_is_without_use() -> None:
    used = {reference["$ref"] for reference in references(DOCUMENT)}
    declared = {f"#/components/{section}/{name}" for section, parts in COMPONENTS.items() for name in parts}
    assert declared - used == set()


@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)
def test_every_parameter_of_an_address_is_declared_and_no_other(channel: dict[str, Any]) -> None:
    assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_speaks_of_messages_of_its_own_channel_alone(operation: dict[str, Any]) -> None:
    channel = operation["channel"]["$ref"]
    assert channel.startswith("#/channels/")
    (message,) = operation["messages"]
    assert message["$ref"].startswith(f"{channel}/messages/")


@pytest.mark.parametrize("rule", TOPICS, ids=lambda rule: rule.channel)
def test_every_topic_is_one_channel_with_its_quality_of_service_and_retention(rule: TopicRule) -> None:
    assert channel_of(rule)["summary"] == rule.purpose
    sent = [operation["bindings"]["mqtt"] for operation in operations_on(rule, "send").values()]
    received = [operation["bindings"]["mqtt"] for operation in operations_on(rule, "receive").values()]
    assert sent == [{"qos": rule.qos, "retain": rule.retain, "bindingVersion": MQTT_BINDING}] * len(sent)
    assert received == [{"qos": rule.qos, "bindingVersion": MQTT_BINDING}] * len(received)
    assert len(sent) == len(channel_of(rule)["messages"])


def test_there_is_no_channel_beside_the_topics() -> None:
    assert len(CHANNELS) == len(TOPICS)


def test_every_kind_of_message_is_on_exactly_one_channel() -> None:
    kinds = [kind for channel in CHANNELS.values() for kind in channel["messages"]]
    assert sorted(kinds) == sorted([*(kind.model_fields["kind"].default for kind in MESSAGE_TYPES), "raw"])
    assert sorted(kinds) == sorted(COMPONENTS["messages"])


@pytest.mark.parametrize("rule", TOPICS, ids=lambda rule: rule.channel)
def test_each_message_is_sent_by_its_author_and_received_by_one_other(rule: TopicRule) -> None:
    authors = {kind.model_fields["kind"].default: by for kind, by in KINDS_BY_CHANNEL.get(rule.channel, {}).items()}
    for kind, author in (authors or {"raw": Author.TRACKER}).items():
        assert programs(rule, "send", kind) == [author]
        received_by = programs(rule, "receive", kind)
        assert author not in received_by
        assert len(received_by) == (0 if rule is DISPATCHER_PRESENCE else 1)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_tagged_with_the_program_whose_it_is(name: str) -> None:
    assert [tag["name"] for tag in OPERATIONS[name]["tags"]] == [program(name)]


def test_a_trackers_message_is_neither_described_nor_signed() -> None:
    (message,) = channel_of(VEHICLE_RAW)["messages"].values()
    assert at(message).keys() == {"name", "summary"}


@pytest.mark.parametrize("name", COMPONENTS["schemas"])
def test_every_schema_is_one_that_a_reader_of_draft_7_understands(name: str) -> None:
    jsonschema.Draft7Validator.check_schema(COMPONENTS["schemas"][name])
    unknown = [word for word in keywords(COMPONENTS["schemas"][name]) if word not in KEYWORDS]
    assert unknown == []


def keywords(schema: Any) -> Iterator[str]:
    for word, value in schema.items() if isinstance(schema, dict) else ():
        yield word
        if word == "properties":
            for part in value.values():
                yield from keywords(part)
        elif word in {"anyOf", "oneOf", "allOf"}:
            for part in value:
                yield from keywords(part)
        elif word in {"items", "contentSchema"}:
            yield from keywords(value)


def test_there_is_an_example_of_every_kind() -> None:
    assert [type(message) for message in MESSAGES] == list(MESSAGE_TYPES)
    assert [type(fact) for fact in FACTS] == list(get_args(Fact))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.kind)
def test_a_message_satisfies_its_schema_and_names_the_subject_of_its_topic(message: Any) -> None:
    payload = json.loads(message.to_json())
    payload_validator(message.kind).validate(payload)
    (channel,) = (channel for channel in CHANNELS.values() if message.kind in channel["messages"])
    place = at(channel["parameters"]["id"])["location"].removeprefix("$message.payload#/")
    assert place in payload


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.kind)
def test_a_message_that_lacks_a_field_or_is_of_another_kind_satisfies_no_schema(message: Any) -> None:
    payload = json.loads(message.to_json())
    required = at(COMPONENTS["messages"][message.kind]["payload"])["required"]
    assert "kind" in required
    for name in required:
        without = {field: value for field, value in payload.items() if field != name}
        assert not payload_validator(message.kind).is_valid(without)
        with pytest.raises(ValueError, match=r"Field required|Unable to extract tag"):
            MESSAGE_ADAPTER.validate_json(json.dumps(without))
    others = [other.kind for other in MESSAGES if payload_validator(other.kind).is_valid(payload)]
    assert others == [message.kind]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.kind)
def test_a_facts_text_satisfies_the_schema_of_facts_and_without_its_kind_does_not(fact: Any) -> None:
    (text,) = references(COMPONENTS["schemas"]["FactBatch"]["properties"]["facts"])
    facts = validator(text["$ref"].rpartition("/")[2])
    payload = json.loads(fact.to_json())
    facts.validate(payload)
    del payload["kind"]
    assert not facts.is_valid(payload)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.kind)
def test_the_signature_around_a_message_has_the_header_that_is_described(message: Any) -> None:
    (author,) = (program(name) for name in OPERATIONS if name.endswith(f"_sends_{message.kind}"))
    wire = signer(author, "some-id", 1).sign(message)
    head = json.loads(base64.urlsafe_b64decode(wire.split(b".")[0] + b"=="))
    (trait,) = COMPONENTS["messages"][message.kind]["traits"]
    described = {field: re.sub(r"{\w+}", "some-id", text) for field, text in at(trait)["x-jws-header"].items()}
    assert head == described
