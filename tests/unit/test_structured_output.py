"""Structured output: validation, repair, and the errors for invalid answers."""

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
VALID_ANSWER = '{"summary": "memory", "exit_code": 137}'


async def generate(*script: Any, **options: Any) -> Any:
    typed_options = Options(**options)  # type: ignore[typeddict-item]
    fakes = {f"p{n}": FakeProvider(*([step] if not isinstance(step, list) else step)) for n, step in enumerate(script)}
    async with open_container(providers=fakes) as container:
        return await container.llm().generate("why?", **typed_options)


async def test_pydantic_model_validates_the_answer() -> None:
    response = await generate(VALID_ANSWER, response_format=Cause)
    assert response.parsed == Cause(summary="memory", exit_code=137)


FENCED_ANSWERS = [
    f"```json\n{VALID_ANSWER}\n```",
    f"```\n{VALID_ANSWER}\n```\n",
    f"  ```json\n{VALID_ANSWER}```",
    f"```json\r\n{VALID_ANSWER}\r\n```\r\n",
    f"```json {VALID_ANSWER} ```",
    f"~~~ \n{VALID_ANSWER}\n~~~",
]


@pytest.mark.parametrize("text", FENCED_ANSWERS)
async def test_code_fence_around_json_is_removed(text: str) -> None:
    assert (await generate(text, response_format=Cause)).parsed.exit_code == 137


async def test_code_fence_inside_json_is_kept() -> None:
    text = '{"summary": "```json\\n{}\\n```", "exit_code": 1}'
    assert (await generate(text, response_format=Cause)).parsed.summary == "```json\n{}\n```"


async def test_json_schema_validates_the_answer() -> None:
    assert (await generate('{"pods": ["web-1"]}', response_format=SCHEMA)).parsed == {"pods": ["web-1"]}
    with pytest.raises(InvalidAnswerError, match=r"\$\.pods\[0\]: type") as caught:
        await generate('{"pods": [4711]}', response_format=SCHEMA)
    assert "4711" not in str(caught.value)
    assert caught.value.response is not None
    assert caught.value.response.content == '{"pods": [4711]}'


async def test_json_format_accepts_any_object() -> None:
    assert (await generate('{"a": 1}', response_format="json")).parsed == {"a": 1}
    with pytest.raises(InvalidAnswerError):
        await generate("[1]", response_format="json")


async def test_invalid_answer_falls_back_to_next_provider() -> None:
    response = await generate("no json", VALID_ANSWER, response_format=Cause)
    assert response.provider == "p1"
    assert [line.outcome for line in response.attempts] == ["InvalidAnswerError", "answered"]


async def test_problems_name_paths_without_values() -> None:
    with pytest.raises(InvalidAnswerError, match=r"\$\.exit_code: int_parsing") as caught:
        await generate('{"summary": "secret words", "exit_code": "secret"}', response_format=Cause)
    assert "secret" not in str(caught.value)


class Labels(BaseModel, extra="forbid"):
    labels: dict[str, int]


@pytest.mark.parametrize("response_format", [Labels, Labels.model_json_schema()])
async def test_problems_omit_names_invented_by_answer(response_format: Any) -> None:
    with pytest.raises(InvalidAnswerError, match=r"\$\.labels\.\*: ") as caught:
        await generate('{"labels": {"secret words": "x"}, "secret": 1}', response_format=response_format)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "[" * 100_000, "9" * 5000])
@pytest.mark.parametrize("response_format", [{"type": "object"}, "json", {"properties": {}}])
async def test_malformed_json_is_an_invalid_answer(value: str, response_format: Any) -> None:
    response = await generate(f'{{"a": {value}}}', '{"a": 1}', response_format=response_format)
    first = response.attempts[0]
    assert (response.parsed, first.outcome) == ({"a": 1}, "InvalidAnswerError")
    assert len(first.error) < 200


async def test_too_deeply_nested_json_is_invalid_answer() -> None:
    deep = "[" * 600 + "]" * 600
    response = await generate(f'{{"pods": {deep}}}', '{"pods": []}', response_format=SCHEMA)
    assert [line.outcome for line in response.attempts] == ["InvalidAnswerError", "answered"]


def test_schema_of_other_mappings_is_compiled_once() -> None:
    validator = SchemaValidatorOnDemand()
    pods = {"type": "array", "items": MappingProxyType({"type": "string"})}
    read_only_schema = MappingProxyType({**SCHEMA, "properties": MappingProxyType({"pods": pods})})
    check = validator.check_for(read_only_schema)
    assert check is validator.check_for(SCHEMA)
    assert check({"pods": [1]}) == ["$.pods[0]: type"]
    with pytest.raises(ValueError, match="not JSON"):
        validator.check_for({"type": object()})


async def test_error_lists_at_most_five_problems() -> None:
    with pytest.raises(InvalidAnswerError) as caught:
        await generate(f'{{"pods": {[1] * 100}}}', response_format=SCHEMA)
    assert str(caught.value).count(": type") == 5


async def test_repair_sends_the_answer_back() -> None:
    fake = FakeProvider('{"summary": "memory", "exit_code": "x"}', VALID_ANSWER)
    async with open_container(providers={"a": fake}) as container:
        response = await container.llm().generate("why?", response_format=Cause, repair=True)
    assert response.parsed.exit_code == 137
    assert [line.outcome for line in response.attempts] == ["InvalidAnswerError", "answered"]
    first, second = fake.requests
    assert second.messages[: len(first.messages)] == first.messages
    assert [message.role for message in second.messages[len(first.messages) :]] == ["assistant", "user"]
    assert "$.exit_code: int_parsing" in second.messages[-1].text


async def test_repair_is_tried_only_once() -> None:
    fake = FakeProvider("no json")
    async with open_container(providers={"a": fake}) as container:
        with pytest.raises(InvalidAnswerError):
            await container.llm().generate("why?", response_format=Cause, repair=True)
    assert len(fake.requests) == 2


async def test_invalid_schema_is_refused_before_sending() -> None:
    fake = FakeProvider(VALID_ANSWER)
    async with open_container(providers={"a": fake}) as container:
        with pytest.raises(InvalidRequestError, match="not a valid JSON schema"):
            await container.llm().generate("why?", response_format={"type": "nonsense"})
        with pytest.raises(InvalidRequestError, match="not a valid JSON schema"):
            await container.llm().generate("why?", response_format={"$ref": "https://example.invalid/s.json"})
    assert fake.requests == []


async def test_missing_schema_package_error_names_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    monkeypatch.delitem(sys.modules, "faultmaven.infrastructure.optional.schema_validator", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install \"faultmaven\[schema\]\""):
        await generate(VALID_ANSWER, response_format=SCHEMA)
    assert (await generate(VALID_ANSWER, response_format=Cause)).parsed


async def test_streamed_answer_is_validated_at_the_end() -> None:
    async with (
        open_container(providers={"a": FakeProvider(VALID_ANSWER)}) as container,
        container.llm().stream("why?", response_format=Cause) as stream,
    ):
        async for _ in stream:
            pass
    assert stream.response.parsed == Cause(summary="memory", exit_code=137)


# --- vendor variants of a schema -------------------------------------------------------------------------------------


def test_strict_schema_makes_optional_properties_nullable() -> None:
    strict_schema = to_strict_schema(Cause.model_json_schema())
    assert strict_schema["required"] == ["summary", "exit_code"]
    assert strict_schema["additionalProperties"] is False
    assert strict_schema["properties"]["exit_code"]["anyOf"][1] == {"type": "null"}


def test_open_object_is_refused_with_path() -> None:
    open_schema = {"type": "object", "properties": {"labels": {"type": "object", "additionalProperties": True}}}
    with pytest.raises(SchemaRefusedError, match=r"\$\.labels"):
        close_objects(open_schema)


def test_references_are_inlined_and_cycles_refused() -> None:
    schema = {"$defs": {"Pod": {"type": "string"}}, "type": "object", "properties": {"a": {"$ref": "#/$defs/Pod"}}}
    assert inline_references(schema) == {"type": "object", "properties": {"a": {"type": "string"}}}
    cycle = {"$defs": {"N": {"properties": {"n": {"$ref": "#/$defs/N"}}}}, "$ref": "#/$defs/N"}
    with pytest.raises(SchemaRefusedError, match="'N' contains itself"):
        inline_references(cycle)


def test_property_named_like_keyword_is_kept() -> None:
    properties = {"additionalProperties": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    assert drop_keywords(schema, "additionalProperties") == {"type": "object", "properties": properties}
