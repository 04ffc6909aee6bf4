"""The OpenAPI document: all that can be answered, and an example of each body."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter

from dispatcher.api.examples import EXAMPLES
from dispatcher.api.problems import PROBLEMS
from dispatcher.api.values import Body
from tests.dispatcher.api_client import running_api

BACKENDS = ("sqlite",)  # the document is the same on any
MAIN_ANSWERS = {"AvailabilityList", "BookingList", "BookingOut", "ChangedBookingOut", "CommandOut", "Problem"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    async def made() -> dict[str, Any]:
        async with running_api() as api:
            return api.app.openapi()

    return asyncio.run(made())


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def bodies(schema: dict[str, Any]) -> set[str]:
    """The models of what is sent in."""
    contents = [
        operation["requestBody"]["content"] for *_, operation in operations(schema) if "requestBody" in operation
    ]
    return {content["application/json"]["schema"]["$ref"].rpartition("/")[2] for content in contents}


def models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from models(model)


def test_every_body_and_main_answer_has_an_example(schema: dict[str, Any]) -> None:
    wanted = bodies(schema) | MAIN_ANSWERS
    without = {name for name in wanted if "examples" not in schema["components"]["schemas"][name]}
    assert without == set(), "see dispatcher/api/examples.py"


def test_every_example_is_of_a_model_that_is_there(schema: dict[str, Any]) -> None:
    assert set(EXAMPLES) <= set(schema["components"]["schemas"])


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_what_its_schema_says(schema: dict[str, Any], name: str) -> None:
    whole = {"$ref": f"#/components/schemas/{name}", "components": schema["components"]}
    Draft202012Validator(whole).validate(_plain(EXAMPLES[name]))


def test_the_model_takes_each_example_of_a_body(schema: dict[str, Any]) -> None:
    known = {model.__name__: model for model in models(Body)}
    for name in bodies(schema):
        TypeAdapter(known[name]).validate_python(_plain(EXAMPLES[name]))


def _plain(value: Any) -> Any:
    """Dictionaries and lists alone: what JSON has."""
    if hasattr(value, "items"):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def test_every_operation_says_what_it_is_called_and_what_stops_a_request(schema: dict[str, Any]) -> None:
    for method, path, operation in operations(schema):
        statuses = set(operation["responses"])
        headers = {parameter["name"] for parameter in operation.get("parameters", ())}
        assert {"401", "403", "422", "429", "503"} <= statuses, (method, path)
        assert ("400" in statuses) is ("413" in statuses) is ("requestBody" in operation), (method, path)
        assert ("304" in statuses) is (method == "get"), (method, path)
        assert "409" in statuses or "Idempotency-Key" not in headers, (method, path)
        assert ("412" in statuses) is ("If-Match" in headers), (method, path)


def test_problems_are_described_once_for_each_status_with_every_reason(schema: dict[str, Any]) -> None:
    described = schema["components"]["responses"]
    for _, path, operation in operations(schema):
        for status, response in operation["responses"].items():
            assert status < "400" or set(response) == {"$ref"}, path
    texts = "\n".join(response["description"] for response in described.values())
    told = {reason for reason, (status, _) in PROBLEMS.items() if status not in {405, 500}}
    assert all(f"`{reason}`" in texts for reason in told)
    assert all(list(response["content"]) == ["application/problem+json"] for response in described.values())


def test_the_document_is_of_openapi_3_1(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
