"""Tests for provider rows: all faults of a row are reported at once, each with the nearest known name."""

from typing import Any

import pytest

from faultmaven.domain.responses import LLMResponse
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, BaseLLMProvider, LocalProvider, OpenAIProvider
from faultmaven.infrastructure.llm.providers.rows.fields import FIELDS, REQUIRED, Unresolved, is_address
from faultmaven.infrastructure.llm.providers.rows.spec import row_faults, spec_from_row


class GuideFormProvider(BaseLLMProvider):
    """Provider class that overrides only `generate`, as the classes of the guide do."""

    async def generate(self, prompt: Any, *_: Any, **options: Any) -> LLMResponse:
        """Return the prompt as the response."""
        return LLMResponse(str(prompt), 1.0, "guide", "m", None, 0.0)


class ThirdPartyProvider:
    """Provider class with the four members of the guide that does not derive from `BaseLLMProvider`."""

    provider_name = "foreign"
    is_available = get_supported_models = generate = print


class IncompleteProvider:
    """Provider class without two of the four members."""

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
    """Return the row of the guide without the fields `without`, and with the fields `changed` replaced."""
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


def test_row_of_the_guide_has_no_fault() -> None:
    assert row_faults("acme", row()) == []


def test_key_and_base_url_variables_are_optional() -> None:
    assert row_faults("acme", row("api_key_var", "base_url_var")) == []
    assert set(REQUIRED) == GUIDE_FIELDS - {"api_key_var", "base_url_var"}


def test_fields_beyond_the_guide_match_the_design() -> None:
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
def test_shipped_row_has_no_fault(name: str) -> None:
    assert row_faults(name, PROVIDER_SCHEMA[name]) == []


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_missing_required_field_is_named(name: str) -> None:
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
        (
            "provider_class",
            IncompleteProvider,
            "a subclass of BaseLLMProvider, or a class with get_supported_models, gen",
        ),
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
def test_invalid_field_is_named_with_expected_value(field: str, value: Any, expected: str) -> None:
    (fault,) = row_faults("acme", row(**{field: value}))
    assert fault.startswith(f"provider 'acme': {field!r} must be {expected}")


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
def test_misspelt_field_suggests_nearest_field(wrong: str, right: str) -> None:
    faults = row_faults("acme", row(right, **{wrong: 1}))
    assert faults[0] == f"provider 'acme': unknown field {wrong!r}; did you mean {right!r}?"


def test_suggested_field_is_missing_from_row() -> None:
    # "base_url" is most like "base_url_var", which the row has already
    faults = row_faults("acme", row("default_base_url", base_url="https://api.acme.example/v1"))
    assert faults[0] == "provider 'acme': unknown field 'base_url'; did you mean 'default_base_url'?"


def test_unlike_field_gets_list_of_fields() -> None:
    (fault,) = row_faults("acme", row(zzz=1))
    assert fault.startswith("provider 'acme': unknown field 'zzz'; known: api_key_var, base_url_var, capabilities, ")


def test_all_faults_of_row_name_the_source() -> None:
    faults = row_faults("acme", row("timeout", "model_var", timout=30, max_retries=-1, zzz=1), "rows.toml")
    assert len(faults) == 5
    assert all(fault.startswith("provider 'acme' (rows.toml): ") for fault in faults)


@pytest.mark.parametrize("value", [None, "row", ["row"], 5])
def test_non_mapping_row_is_one_fault(value: Any) -> None:
    assert row_faults("acme", value) == [
        f"provider 'acme': its row is a {type(value).__name__}, not a mapping",
    ]


@pytest.mark.parametrize("name", ["", " ", " acme", "a,b", 5, None])
def test_invalid_provider_name_is_a_fault(name: Any) -> None:
    (fault,) = row_faults(name, row())
    assert fault.startswith(f"provider {name!r}: its name must ")


class TestContradictions:
    """Combinations of fields that are valid alone and contradict each other."""

    def test_row_needs_base_url_or_variable(self) -> None:
        fault = "provider 'acme': an empty 'default_base_url' needs a 'base_url_var'"
        assert row_faults("acme", row("base_url_var", default_base_url="")) == [fault]

    def test_row_with_required_key_needs_model(self) -> None:
        (fault,) = row_faults("acme", row(default_model=""))
        assert "'default_model' is empty" in fault
        assert row_faults("acme", row(default_model="", key="optional", provider_class=LocalProvider)) == []

    def test_required_key_needs_a_key_variable(self) -> None:
        (fault,) = row_faults("acme", row("api_key_var", key="required"))
        assert fault == "provider 'acme': 'key' is \"required\", but there is no 'api_key_var'"

    def test_dialect_unsupported_by_class_is_a_fault(self) -> None:
        (fault,) = row_faults("acme", row(dialect="cohere-v2-chat"))
        assert fault.startswith(
            "provider 'acme': OpenAIProvider does not support the dialect 'cohere-v2-chat'; supported: openai-chat"
        )


@pytest.mark.parametrize("kind", [GuideFormProvider, ThirdPartyProvider])
def test_guide_and_third_party_classes_are_accepted(kind: type[Any]) -> None:
    assert row_faults("acme", row(provider_class=kind)) == []


@pytest.mark.parametrize(
    ("address", "is_valid"),
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
def test_address_needs_scheme_host_and_valid_port(address: str, is_valid: bool) -> None:
    assert is_address(address) is is_valid


class TestSpec:
    """The specification built from a valid row."""

    def test_spec_keeps_all_fields_and_source(self) -> None:
        spec = spec_from_row("acme", row(models=["acme-2"], headers={"x-team": "sre"}), "rows.toml")
        assert (spec.name, spec.source, spec.provider_class) == ("acme", "rows.toml", OpenAIProvider)
        assert (spec.api_key_var, spec.model_var, spec.base_url_var) == spec.variables
        assert spec.variables == ("ACME_API_KEY", "ACME_MODEL", "ACME_API_BASE")
        assert (spec.default_base_url, spec.default_model) == ("https://api.acme.example/v1", "acme-1")
        assert (spec.max_retries, spec.timeout, spec.confidence_score) == (3, 30, 0.85)
        assert (spec.models, dict(spec.headers)) == (("acme-2",), {"x-team": "sre"})
        assert "sre" not in repr(spec)

    def test_key_variable_makes_the_key_required(self) -> None:
        assert spec_from_row("acme", row(), "").key == "required"
        assert spec_from_row("acme", row("api_key_var"), "").key == "optional"
        assert spec_from_row("acme", row(key="optional"), "").key == "optional"
        assert spec_from_row("acme", row("api_key_var", "base_url_var"), "").variables == ("ACME_MODEL",)


@pytest.mark.parametrize("headers", [{"a": "b\nc"}, {"x y": "1"}, {"x": "é"}, {"Content-Length": "3"}, {"x": 1}])
def test_invalid_header_is_a_row_fault(headers: dict[str, Any]) -> None:
    (fault,) = row_faults("acme", row(headers=headers))
    assert "'headers' must be a mapping of" in fault


def test_capabilities_mapping_takes_limits_and_model_patterns() -> None:
    declared = {"tools": False, "context_window": 8192, "models": {"big-*": {"tools": True, "context_window": 131_072}}}
    assert row_faults("acme", row(capabilities=declared)) == []
    spec = spec_from_row("acme", row(capabilities=declared), "test")
    assert spec.capabilities.for_model("small-1").features == {"tools": False}
    assert spec.capabilities.for_model("big-1").features == {"tools": True}
    assert spec.capabilities.for_model("big-1").context_window == 131_072


def test_all_faults_of_capabilities_mapping_are_reported() -> None:
    declared = {"tolls": True, "schema": 1, "max_output": 0, "models": {"a*": {"image": True, "stream": "no"}, "b*": 5}}
    assert row_faults("acme", row(capabilities=declared)) == [
        "provider 'acme': unknown capability 'capabilities.tolls'; did you mean 'tools'?",
        "provider 'acme': 'capabilities.schema' must be true or false",
        "provider 'acme': 'capabilities.max_output' must be a whole number above 0",
        "provider 'acme': unknown capability 'capabilities.models.a*.image'; did you mean 'images'?",
        "provider 'acme': 'capabilities.models.a*.stream' must be true or false",
        "provider 'acme': 'capabilities.models.b*' must be a mapping of capabilities",
    ]


def test_capability_models_must_be_a_mapping() -> None:
    assert row_faults("acme", row(capabilities={"models": ["a"]})) == [
        "provider 'acme': 'capabilities.models' must be a mapping of patterns to capabilities"
    ]
