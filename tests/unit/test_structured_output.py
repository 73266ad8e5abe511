"""Structured output: what validates, what is mended, and what is said of an answer that does not."""

from types import MappingProxyType
from typing import Any

import pytest
from pydantic import BaseModel

from faultmaven import ConfigurationError, InvalidAnswerError, InvalidRequestError, Options, open_container
from faultmaven.infrastructure.llm.dialects.shared.schemas import (
    SchemaRefusedError,
    close_objects,
    drop_keywords,
    inline_references,
    to_strict_schema,
)
from faultmaven.infrastructure.optional.optional_dependencies import SchemaValidatorOnDemand
from faultmaven.testing import FakeProvider


class Cause(BaseModel):
    summary: str
    exit_code: int = 0


SCHEMA = {
    "type": "object",
    "properties": {"pods": {"type": "array", "items": {"type": "string"}}},
    "required": ["pods"],
}
GOOD = '{"summary": "memory", "exit_code": 137}'


async def ask(*script: Any, **options: Any) -> Any:
    chosen = Options(**options)  # type: ignore[typeddict-item]
    fakes = {f"p{n}": FakeProvider(*([step] if not isinstance(step, list) else step)) for n, step in enumerate(script)}
    async with open_container(providers=fakes) as container:
        return await container.llm().generate("why?", **chosen)


async def test_a_model_is_validated() -> None:
    response = await ask(GOOD, response_format=Cause)
    assert response.parsed == Cause(summary="memory", exit_code=137)


FENCED = [
    f"```json\n{GOOD}\n```",
    f"```\n{GOOD}\n```\n",
    f"  ```json\n{GOOD}```",
    f"```json\r\n{GOOD}\r\n```\r\n",
    f"```json {GOOD} ```",
    f"~~~ \n{GOOD}\n~~~",
]


@pytest.mark.parametrize("text", FENCED)
async def test_a_fence_is_taken_off(text: str) -> None:
    assert (await ask(text, response_format=Cause)).parsed.exit_code == 137


async def test_a_text_that_holds_a_fence_inside_its_json_is_left_as_it_is() -> None:
    text = '{"summary": "```json\\n{}\\n```", "exit_code": 1}'
    assert (await ask(text, response_format=Cause)).parsed.summary == "```json\n{}\n```"


async def test_a_schema_is_validated_for_real() -> None:
    assert (await ask('{"pods": ["web-1"]}', response_format=SCHEMA)).parsed == {"pods": ["web-1"]}
    with pytest.raises(InvalidAnswerError, match=r"\$\.pods\[0\]: type") as caught:
        await ask('{"pods": [4711]}', response_format=SCHEMA)
    assert "4711" not in str(caught.value)
    assert caught.value.response is not None
    assert caught.value.response.content == '{"pods": [4711]}'


async def test_json_is_any_object() -> None:
    assert (await ask('{"a": 1}', response_format="json")).parsed == {"a": 1}
    with pytest.raises(InvalidAnswerError):
        await ask("[1]", response_format="json")


async def test_an_invalid_answer_goes_on_to_the_next() -> None:
    response = await ask("no json", GOOD, response_format=Cause)
    assert response.provider == "p1"
    assert [line.outcome for line in response.attempts] == ["InvalidAnswerError", "answered"]


async def test_the_problems_name_places_and_no_values() -> None:
    with pytest.raises(InvalidAnswerError, match=r"\$\.exit_code: int_parsing") as caught:
        await ask('{"summary": "secret words", "exit_code": "secret"}', response_format=Cause)
    assert "secret" not in str(caught.value)


class Labels(BaseModel, extra="forbid"):
    labels: dict[str, int]


@pytest.mark.parametrize("wanted", [Labels, Labels.model_json_schema()])
async def test_a_name_that_the_answer_made_up_is_no_part_of_a_problem(wanted: Any) -> None:
    with pytest.raises(InvalidAnswerError, match=r"\$\.labels\.\*: ") as caught:
        await ask('{"labels": {"secret words": "x"}, "secret": 1}', response_format=wanted)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "[" * 100_000, "9" * 5000])
@pytest.mark.parametrize("wanted", [{"type": "object"}, "json", {"properties": {}}])
async def test_what_only_looks_like_json_is_an_invalid_answer_and_no_failure(value: str, wanted: Any) -> None:
    response = await ask(f'{{"a": {value}}}', '{"a": 1}', response_format=wanted)
    first = response.attempts[0]
    assert (response.parsed, first.outcome) == ({"a": 1}, "InvalidAnswerError")
    assert len(first.error) < 200


async def test_json_that_nests_deeper_than_the_validator_goes_is_an_invalid_answer() -> None:
    deep = "[" * 600 + "]" * 600
    response = await ask(f'{{"pods": {deep}}}', '{"pods": []}', response_format=SCHEMA)
    assert [line.outcome for line in response.attempts] == ["InvalidAnswerError", "answered"]


def test_a_schema_of_other_mappings_than_dicts_is_compiled_once() -> None:
    schemas = SchemaValidatorOnDemand()
    pods = {"type": "array", "items": MappingProxyType({"type": "string"})}
    views = MappingProxyType({**SCHEMA, "properties": MappingProxyType({"pods": pods})})
    check = schemas.check_for(views)
    assert check is schemas.check_for(SCHEMA)
    assert check({"pods": [1]}) == ["$.pods[0]: type"]
    with pytest.raises(ValueError, match="no JSON"):
        schemas.check_for({"type": object()})


async def test_of_many_problems_a_few_are_told() -> None:
    with pytest.raises(InvalidAnswerError) as caught:
        await ask(f'{{"pods": {[1] * 100}}}', response_format=SCHEMA)
    assert str(caught.value).count(": type") == 5


async def test_repair_sends_the_answer_back_once() -> None:
    fake = FakeProvider('{"summary": "memory", "exit_code": "x"}', GOOD)
    async with open_container(providers={"a": fake}) as container:
        response = await container.llm().generate("why?", response_format=Cause, repair=True)
    assert response.parsed.exit_code == 137
    assert [line.outcome for line in response.attempts] == ["InvalidAnswerError", "answered"]
    first, second = fake.requests
    assert second.messages[: len(first.messages)] == first.messages
    assert [message.role for message in second.messages[len(first.messages) :]] == ["assistant", "user"]
    assert "$.exit_code: int_parsing" in second.messages[-1].text


async def test_repair_is_tried_once_only() -> None:
    fake = FakeProvider("no json")
    async with open_container(providers={"a": fake}) as container:
        with pytest.raises(InvalidAnswerError):
            await container.llm().generate("why?", response_format=Cause, repair=True)
    assert len(fake.requests) == 2


async def test_a_schema_that_is_none_is_refused_before_anybody_is_asked() -> None:
    fake = FakeProvider(GOOD)
    async with open_container(providers={"a": fake}) as container:
        with pytest.raises(InvalidRequestError, match="no valid JSON schema"):
            await container.llm().generate("why?", response_format={"type": "nonsense"})
        with pytest.raises(InvalidRequestError, match="no valid JSON schema"):
            await container.llm().generate("why?", response_format={"$ref": "https://example.invalid/s.json"})
    assert fake.requests == []


async def test_without_its_package_a_schema_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    monkeypatch.delitem(sys.modules, "faultmaven.infrastructure.optional.schema_validator", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install \"faultmaven\[schema\]\""):
        await ask(GOOD, response_format=SCHEMA)
    assert (await ask(GOOD, response_format=Cause)).parsed


async def test_a_streamed_answer_is_validated_at_its_end() -> None:
    async with (
        open_container(providers={"a": FakeProvider(GOOD)}) as container,
        container.llm().stream("why?", response_format=Cause) as stream,
    ):
        async for _ in stream:
            pass
    assert stream.response.parsed == Cause(summary="memory", exit_code=137)


# --- schemas as vendors take them -------------------------------------------------------------------------------------


def test_strict_closes_objects_and_makes_optional_ones_nullable() -> None:
    made = to_strict_schema(Cause.model_json_schema())
    assert made["required"] == ["summary", "exit_code"]
    assert made["additionalProperties"] is False
    assert made["properties"]["exit_code"]["anyOf"][1] == {"type": "null"}


def test_an_object_of_any_names_is_refused_with_its_place() -> None:
    open_schema = {"type": "object", "properties": {"labels": {"type": "object", "additionalProperties": True}}}
    with pytest.raises(SchemaRefusedError, match=r"\$\.labels"):
        close_objects(open_schema)


def test_references_are_inlined_and_a_circle_is_refused_by_name() -> None:
    schema = {"$defs": {"Pod": {"type": "string"}}, "type": "object", "properties": {"a": {"$ref": "#/$defs/Pod"}}}
    assert inline_references(schema) == {"type": "object", "properties": {"a": {"type": "string"}}}
    circle = {"$defs": {"N": {"properties": {"n": {"$ref": "#/$defs/N"}}}}, "$ref": "#/$defs/N"}
    with pytest.raises(SchemaRefusedError, match="'N' holds itself"):
        inline_references(circle)


def test_a_property_of_a_keywords_name_stays() -> None:
    named = {"additionalProperties": {"type": "string"}}
    schema = {"type": "object", "properties": named, "additionalProperties": False}
    assert drop_keywords(schema, "additionalProperties") == {"type": "object", "properties": named}
