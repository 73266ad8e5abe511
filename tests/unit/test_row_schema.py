"""The JSON Schema of the providers file accepts exactly the rows that `row_faults` accepts."""

import itertools
import json
import string
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from faultmaven.cli.row_schema import file_schema
from faultmaven.infrastructure.llm.capabilities import CAPABILITY_NAMES, ROW_CAPABILITIES
from faultmaven.infrastructure.llm.dialects.registry import DIALECTS
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.infrastructure.llm.providers.registry import exported_classes
from faultmaven.infrastructure.llm.providers.rows.fields import FIELDS, HTTP_CLIENT_HEADERS
from faultmaven.infrastructure.llm.providers.rows.sources import resolve_provider_class
from faultmaven.infrastructure.llm.providers.rows.spec import row_faults

CLASSES = exported_classes()
SCHEMA = file_schema(CLASSES)
IS_VALID = jsonschema_rs.validator_for(SCHEMA).is_valid
ROW = {
    "api_key_var": "ACME_API_KEY",
    "model_var": "ACME_MODEL",
    "base_url_var": "ACME_API_BASE",
    "default_base_url": "https://api.acme.example/v1",
    "default_model": "acme-1",
    "provider_class": "OpenAIProvider",
    "max_retries": 3,
    "timeout": 30,
    "confidence_score": 0.85,
}


def agree(row: Any, name: str = "acme") -> bool:
    """Return whether the row is valid; fail if the schema and `row_faults` disagree."""
    faults = row_faults(name, resolve_provider_class(row, CLASSES))
    assert IS_VALID({"providers": {name: row}}) is not bool(faults), (name, row, faults)
    return not faults


# JSON Schema counts 3.0 as an integer and Python does not, so such numbers are excluded.
NUMBERS = st.integers(-3, 10**6) | st.floats(-2, 200, allow_nan=False).filter(lambda value: not value.is_integer())
WORDS = st.text(string.ascii_letters + string.digits + "_-./ :\n\té", max_size=12)
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
ADDRESSES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["http://", "https://", "HTTP://", "ftp://", "http:/", "", "http:///"]),
        st.sampled_from(["", "me@", "me:pa@ss@", " @"]),
        st.sampled_from(["host", "api.acme.example", "[::1]", "10.0.0.1", "", "my host", "é.example"]),
        st.sampled_from(["", ":", ":0", ":8000", ":65535", ":65536", ":0080", ":port", ":1:2"]),
        st.sampled_from(["", "/", "/v1", "/v 1", "/v1?a=b", "/v1#x", "/v1/é"]),
    ),
)
CAPABILITY_ENTRIES = st.dictionaries(
    st.sampled_from([*CAPABILITY_NAMES, "tolls", "models"]),
    st.booleans() | st.integers(-1, 9) | st.just("yes"),
    max_size=3,
)
NEARLY_VALID: dict[str, st.SearchStrategy[Any]] = {
    "timeout": st.sampled_from([-1, 0, 0.0, 0.5, 1]),
    "confidence_score": st.sampled_from([-0.1, 0, 0.0, 1, 1.0, 1.1]),
    "default_base_url": ADDRESSES,
    "provider_class": st.sampled_from([*CLASSES, "OpenAiProvider", "", "json", "OpenAIProvider "]),
    "key": st.sampled_from(["required", "optional", "Optional"]),
    "dialect": st.sampled_from([*DIALECTS, "openai-chta", "openai-chat/", ""]),
    "models": st.lists(WORDS, max_size=3),
    "capabilities": st.lists(st.sampled_from([*ROW_CAPABILITIES, "tool"]), max_size=3)
    | CAPABILITY_ENTRIES
    | st.fixed_dictionaries({"models": st.dictionaries(WORDS, CAPABILITY_ENTRIES | st.just(5), max_size=2)}),
}


def test_file_schema_is_valid_draft_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("name", list(PROVIDER_SCHEMA))
def test_shipped_row_with_class_name_is_valid(name: str) -> None:
    row: Any = {**PROVIDER_SCHEMA[name], "provider_class": PROVIDER_SCHEMA[name]["provider_class"].__name__}
    assert agree(row, name)


@pytest.mark.parametrize("field", list(FIELDS))
@given(data=st.data())
def test_schema_and_checks_agree_on_field_values(field: str, data: st.DataObject) -> None:
    value = data.draw(NEARLY_VALID[field] | ANY_VALUE if field in NEARLY_VALID else ANY_VALUE)
    # A schema cannot tell whether package.module:Class can be imported.
    assume(field != "provider_class" or not (isinstance(value, str) and ":" in value))
    agree({**ROW, field: value})


@given(ADDRESSES)
@example("http://host:99999")
def test_schema_and_checks_agree_on_addresses(address: str) -> None:
    agree({**ROW, "default_base_url": address})


@pytest.mark.parametrize("key", ["", "required", "optional", None])
def test_schema_and_checks_agree_on_field_combinations(key: str | None) -> None:
    for absent, blank in itertools.product(FIELDS, [*FIELDS, None]):
        row = {**ROW, **({} if key is None else {"key": key}), **({} if blank is None else {blank: ""})}
        row.pop(absent, None)
        agree(row)


@pytest.mark.parametrize("name", [*HTTP_CLIENT_HEADERS, "Host", "Content-Length", "hosts", "x-team", "x y", "", "é"])
@pytest.mark.parametrize("text", ["sre", "", "é", "a\nb", " ~", 1])
def test_schema_and_checks_agree_on_headers(name: str, text: Any) -> None:
    agree({**ROW, "headers": {name: text}})


@given(st.sampled_from([*CLASSES]), st.sampled_from(DIALECTS))
def test_schema_and_checks_agree_on_class_dialects(kind: str, dialect: str) -> None:
    agree({**ROW, "provider_class": kind, "dialect": dialect})


@given(st.text(string.ascii_lowercase + " ,\n-é", max_size=5))
def test_schema_and_checks_agree_on_names(name: str) -> None:
    agree(ROW, name)


@pytest.mark.parametrize("row", [None, "row", ["row"], 5, {**ROW, "timout": 3}, {}])
def test_schema_and_checks_refuse_non_rows(row: Any) -> None:
    assert not agree(row)


@pytest.mark.parametrize("field", list(FIELDS))
def test_each_field_has_values_and_description(field: str) -> None:
    """Without a valid value per field, the schema and `row_faults` might agree on faults only."""
    valid_values = {
        "key": "optional",
        "dialect": "openai-chat",
        "models": ["a"],
        "capabilities": ["text"],
        "headers": {"x": "1"},
    }
    assert agree({**ROW, field: valid_values.get(field, ROW.get(field, 5))})
    assert not agree({**ROW, field: None})
    field_schema = SCHEMA["properties"]["providers"]["additionalProperties"]["properties"][field]
    assert field_schema["description"].startswith(FIELDS[field].meaning)


def test_custom_class_is_named_by_module_path() -> None:
    assert agree({**ROW, "provider_class": "faultmaven.infrastructure.llm.providers:OpenAIProvider"})
    assert not agree({**ROW, "provider_class": "BaseLLMProvider"})


@pytest.mark.parametrize("data", [{"provider": {}}, {"providers": []}, {"providers": {}, "x": 1}])
def test_file_accepts_only_a_providers_table(data: Any) -> None:
    assert IS_VALID({})
    assert IS_VALID({"providers": {}})
    assert not IS_VALID(data)
