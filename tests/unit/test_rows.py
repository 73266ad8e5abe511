"""Rows: every fault of every row at once, each with the nearest right name."""

from typing import Any

import pytest

from faultmaven.domain.responses import LLMResponse
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, BaseLLMProvider, LocalProvider, OpenAIProvider
from faultmaven.infrastructure.llm.providers.rows.fields import FIELDS, REQUIRED, Unresolved, is_address
from faultmaven.infrastructure.llm.providers.rows.spec import row_faults, spec_from_row


class GuideFormProvider(BaseLLMProvider):
    """Overrides `generate` only, as the guide's classes do."""

    async def generate(self, prompt: Any, *_: Any, **options: Any) -> LLMResponse:
        """Return a constant."""
        return LLMResponse(str(prompt), 1.0, "guide", "m", None, 0.0)


class ForeignProvider:
    """Has the guide's four members and no base of ours."""

    provider_name = "foreign"
    is_available = get_supported_models = generate = print


class HalfProvider:
    """Lacks two of the four members."""

    provider_name = "half"
    is_available = print


# The nine fields of the guide's table.
GUIDE_FIELDS = {
    "api_key_var",
    "model_var",
    "base_url_var",
    "default_base_url",
    "default_model",
    "provider_class",
    "max_retries",
    "timeout",
    "confidence_score",
}


def row(*without: str, **changed: Any) -> dict[str, Any]:
    """Return the guide's row, less some fields, with others changed."""
    guide: dict[str, Any] = {
        "api_key_var": "ACME_API_KEY",
        "model_var": "ACME_MODEL",
        "base_url_var": "ACME_API_BASE",
        "default_base_url": "https://api.acme.example/v1",
        "default_model": "acme-1",
        "provider_class": OpenAIProvider,
        "max_retries": 3,
        "timeout": 30,
        "confidence_score": 0.85,
    }
    return {name: value for name, value in (guide | changed).items() if name not in without}


def test_the_guides_row_has_no_fault() -> None:
    assert row_faults("acme", row()) == []


def test_the_two_fields_that_the_guide_calls_optional_are() -> None:
    assert row_faults("acme", row("api_key_var", "base_url_var")) == []
    assert set(REQUIRED) == GUIDE_FIELDS - {"api_key_var", "base_url_var"}


def test_the_fields_beyond_the_guides_nine_are_those_of_the_design() -> None:
    assert set(FIELDS) - GUIDE_FIELDS == {
        "key",
        "dialect",
        "models",
        "capabilities",
        "headers",
        "max_concurrency",
        "requests_per_minute",
        "tokens_per_minute",
    }


@pytest.mark.parametrize("name", list(PROVIDER_SCHEMA))
def test_a_shipped_row_has_no_fault(name: str) -> None:
    assert row_faults(name, PROVIDER_SCHEMA[name]) == []


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_missing_field_is_named(name: str) -> None:
    assert row_faults("acme", row(name)) == [f"provider 'acme': {name!r} is missing"]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("model_var", "", "the name of an environment variable"),
        ("model_var", "ACME-MODEL", "the name of an environment variable"),
        ("model_var", None, "the name of an environment variable"),
        ("api_key_var", "", "the name of an environment variable"),
        ("base_url_var", 5, "the name of an environment variable"),
        ("default_base_url", "api.acme.example", "an address that begins with http:// or https://"),
        ("default_base_url", "https://", "an address that begins with http:// or https://"),
        ("default_base_url", "ftp://acme.example", "an address that begins with http:// or https://"),
        ("default_base_url", None, "an address that begins with http:// or https://"),
        ("default_model", None, "a string"),
        ("provider_class", "OpenAIProvider", "a provider class"),
        ("provider_class", None, "a provider class"),
        ("provider_class", object, "a subclass of BaseLLMProvider, or a class with provider_name, is_available, "),
        ("provider_class", HalfProvider, "a subclass of BaseLLMProvider, or a class with get_supported_models, gen"),
        ("provider_class", BaseLLMProvider, "a class that overrides generate() or answer()"),
        ("provider_class", Unresolved("a class that exists"), "a class that exists"),
        ("max_retries", -1, "a whole number, 0 or more"),
        ("max_retries", 1.5, "a whole number, 0 or more"),
        ("max_retries", True, "a whole number, 0 or more"),
        ("max_retries", "3", "a whole number, 0 or more"),
        ("timeout", 0, "a number of seconds above 0"),
        ("timeout", float("inf"), "a number of seconds above 0"),
        ("timeout", float("nan"), "a number of seconds above 0"),
        ("timeout", "30", "a number of seconds above 0"),
        ("confidence_score", 1.01, "a number from 0 to 1"),
        ("confidence_score", -0.1, "a number from 0 to 1"),
        ("confidence_score", float("nan"), "a number from 0 to 1"),
        ("confidence_score", True, "a number from 0 to 1"),
        ("key", "maybe", '"required" or "optional"'),
        ("key", ["required"], '"required" or "optional"'),
        ("dialect", "openai-chta", "a known dialect; did you mean 'openai-chat'?"),
        ("dialect", 1, "the name of a dialect"),
        ("models", "acme-1", "a list of strings"),
        ("models", ["acme-1", ""], "a list of strings"),
        ("capabilities", "tools", "a list from text, stream, tools, schema, images, reasoning"),
        ("capabilities", ["tool"], "a list of capabilities; did you mean 'tools'?"),
        ("headers", ["x"], "a mapping of strings to strings"),
        ("headers", {"x": 1}, "a mapping of strings to strings"),
        ("max_concurrency", 0, "a whole number above 0"),
        ("requests_per_minute", 1.0, "a whole number above 0"),
        ("tokens_per_minute", -5, "a whole number above 0"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_must_be(field: str, value: Any, expected: str) -> None:
    (told,) = row_faults("acme", row(**{field: value}))
    assert told.startswith(f"provider 'acme': {field!r} must be {expected}")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("api_key_varr", "api_key_var"),
        ("API_KEY_VAR", "api_key_var"),
        ("timout", "timeout"),
        ("confidence", "confidence_score"),
        ("retries", "max_retries"),
        ("header", "headers"),
        ("max_concurency", "max_concurrency"),
    ],
)
def test_a_misspelt_field_is_told_with_the_nearest_right_name(wrong: str, right: str) -> None:
    told = row_faults("acme", row(right, **{wrong: 1}))
    assert told[0] == f"provider 'acme': unknown field {wrong!r}; did you mean {right!r}?"


def test_the_nearest_name_is_one_that_the_row_lacks() -> None:
    # "base_url" is most like "base_url_var", which is there already
    told = row_faults("acme", row("default_base_url", base_url="https://api.acme.example/v1"))
    assert told[0] == "provider 'acme': unknown field 'base_url'; did you mean 'default_base_url'?"


def test_a_field_that_is_like_nothing_gets_the_list_of_fields() -> None:
    (told,) = row_faults("acme", row(zzz=1))
    assert told.startswith("provider 'acme': unknown field 'zzz'; known: api_key_var, base_url_var, capabilities, ")


def test_all_faults_of_a_row_are_told_with_its_source() -> None:
    told = row_faults("acme", row("timeout", "model_var", timout=30, max_retries=-1, zzz=1), "rows.toml")
    assert len(told) == 5
    assert all(fault.startswith("provider 'acme' (rows.toml): ") for fault in told)


@pytest.mark.parametrize("value", [None, "row", ["row"], 5])
def test_a_row_that_is_no_mapping_is_one_fault(value: Any) -> None:
    assert row_faults("acme", value) == [
        f"provider 'acme': its row is a {type(value).__name__}, not a mapping",
    ]


@pytest.mark.parametrize("name", ["", " ", " acme", "a,b", 5, None])
def test_a_name_that_no_setting_could_hold_is_a_fault(name: Any) -> None:
    (told,) = row_faults(name, row())
    assert told.startswith(f"provider {name!r}: its name must ")


class TestContradictions:
    """Fields that are each right and do not go together."""

    def test_no_address_and_no_variable_for_one(self) -> None:
        told = "provider 'acme': with an empty 'default_base_url' it needs a 'base_url_var'"
        assert row_faults("acme", row("base_url_var", default_base_url="")) == [told]

    def test_a_vendor_without_a_model(self) -> None:
        (told,) = row_faults("acme", row(default_model=""))
        assert "'default_model' is empty" in told
        assert row_faults("acme", row(default_model="", key="optional", provider_class=LocalProvider)) == []

    def test_a_required_key_without_a_variable(self) -> None:
        (told,) = row_faults("acme", row("api_key_var", key="required"))
        assert told == "provider 'acme': 'key' is \"required\", but there is no 'api_key_var'"

    def test_a_dialect_that_the_class_does_not_speak(self) -> None:
        (told,) = row_faults("acme", row(dialect="cohere-v2-chat"))
        assert told.startswith("provider 'acme': OpenAIProvider does not speak 'cohere-v2-chat'; it speaks openai-chat")


@pytest.mark.parametrize("kind", [GuideFormProvider, ForeignProvider])
def test_a_class_of_the_guides_form_and_a_foreign_one_are_provider_classes(kind: type[Any]) -> None:
    assert row_faults("acme", row(provider_class=kind)) == []


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("https://api.acme.example/v1", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000/v1", True),
        ("localhost:8000", False),
        ("http://", False),
        ("http://host:port", False),
        ("http://host:99999", False),
        ("http://my host/v1", False),
        ("http://[::1", False),
        ("HTTPS://API.ACME.EXAMPLE", True),
    ],
)
def test_an_address_has_a_scheme_a_host_and_a_port_that_can_be(address: str, whole: bool) -> None:
    assert is_address(address) is whole


class TestSpec:
    """The validated row."""

    def test_it_keeps_every_field_and_says_where_it_came_from(self) -> None:
        spec = spec_from_row("acme", row(models=["acme-2"], headers={"x-team": "sre"}), "rows.toml")
        assert (spec.name, spec.source, spec.provider_class) == ("acme", "rows.toml", OpenAIProvider)
        assert (spec.api_key_var, spec.model_var, spec.base_url_var) == spec.variables
        assert spec.variables == ("ACME_API_KEY", "ACME_MODEL", "ACME_API_BASE")
        assert (spec.default_base_url, spec.default_model) == ("https://api.acme.example/v1", "acme-1")
        assert (spec.max_retries, spec.timeout, spec.confidence_score) == (3, 30, 0.85)
        assert (spec.models, dict(spec.headers)) == (("acme-2",), {"x-team": "sre"})
        assert "sre" not in repr(spec)

    def test_a_key_is_required_where_the_row_has_a_variable_for_it(self) -> None:
        assert spec_from_row("acme", row(), "").key == "required"
        assert spec_from_row("acme", row("api_key_var"), "").key == "optional"
        assert spec_from_row("acme", row(key="optional"), "").key == "optional"
        assert spec_from_row("acme", row("api_key_var", "base_url_var"), "").variables == ("ACME_MODEL",)


@pytest.mark.parametrize("headers", [{"a": "b\nc"}, {"x y": "1"}, {"x": "é"}, {"Content-Length": "3"}, {"x": 1}])
def test_a_header_that_cannot_travel_is_a_fault_of_its_row(headers: dict[str, Any]) -> None:
    (fault,) = row_faults("acme", row(headers=headers))
    assert "'headers' must be a mapping of" in fault


def test_capabilities_may_be_a_mapping_with_limits_and_patterns_of_models() -> None:
    said = {"tools": False, "context_window": 8192, "models": {"big-*": {"tools": True, "context_window": 131_072}}}
    assert row_faults("acme", row(capabilities=said)) == []
    spec = spec_from_row("acme", row(capabilities=said), "test")
    assert spec.capabilities.for_model("small-1").features == {"tools": False}
    assert spec.capabilities.for_model("big-1").features == {"tools": True}
    assert spec.capabilities.for_model("big-1").context_window == 131_072


def test_every_fault_of_a_mapping_of_capabilities_is_told() -> None:
    said = {"tolls": True, "schema": 1, "max_output": 0, "models": {"a*": {"image": True, "stream": "no"}, "b*": 5}}
    assert row_faults("acme", row(capabilities=said)) == [
        "provider 'acme': unknown capability 'capabilities.tolls'; did you mean 'tools'?",
        "provider 'acme': 'capabilities.schema' must be true or false",
        "provider 'acme': 'capabilities.max_output' must be a whole number above 0",
        "provider 'acme': unknown capability 'capabilities.models.a*.image'; did you mean 'images'?",
        "provider 'acme': 'capabilities.models.a*.stream' must be true or false",
        "provider 'acme': 'capabilities.models.b*' must be a mapping of capabilities",
    ]


def test_models_of_capabilities_must_be_a_mapping() -> None:
    assert row_faults("acme", row(capabilities={"models": ["a"]})) == [
        "provider 'acme': 'capabilities.models' must be a mapping of patterns to capabilities"
    ]
