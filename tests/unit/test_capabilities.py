"""Tests for model capabilities, which follow from the dialect, the model facts and the provider row, in this order."""

from pathlib import Path

import pytest

from faultmaven import open_container
from faultmaven.domain.capabilities import CAPABILITIES
from faultmaven.infrastructure.llm.capabilities import RowCapabilities, StatedCapabilities, resolve_capabilities
from faultmaven.infrastructure.llm.models import UNKNOWN_MODEL, ModelFacts, model_facts
from faultmaven.infrastructure.llm.providers.capability_table import capability_table
from faultmaven.infrastructure.llm.providers.registry import PROVIDER_SCHEMA
from faultmaven.infrastructure.llm.providers.rows.sources import read_file_rows
from faultmaven.infrastructure.llm.providers.rows.spec import spec_from_row
from faultmaven.testing import FakeProvider

DIALECT_FEATURES = frozenset(
    {"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning"}
)
TEXT_ONLY_MODEL = ModelFacts("chat", "*", "a test", 1000, 100, lacks=frozenset({"images", "files"}))


def test_unknown_model_gets_all_dialect_features() -> None:
    assert resolve_capabilities(DIALECT_FEATURES, StatedCapabilities(), UNKNOWN_MODEL).features == DIALECT_FEATURES


def test_features_missing_in_model_facts_are_removed() -> None:
    result = resolve_capabilities(DIALECT_FEATURES, StatedCapabilities(), TEXT_ONLY_MODEL)
    assert result.features == DIALECT_FEATURES - {"images", "files", "image addresses"}
    assert (result.context_window, result.max_output) == (1000, 100)


def test_row_capabilities_override_model_facts() -> None:
    result = resolve_capabilities(
        DIALECT_FEATURES, StatedCapabilities({"images": True, "tools": False}, context_window=5), TEXT_ONLY_MODEL
    )
    assert result.features == DIALECT_FEATURES - {"files", "tools"}
    assert (result.context_window, result.max_output) == (5, 100)


def test_row_adds_no_feature_beyond_dialect() -> None:
    assert resolve_capabilities({"turns"}, StatedCapabilities({"tools": True}), UNKNOWN_MODEL).features == {"turns"}


def test_capability_list_excludes_features_not_listed() -> None:
    stated = RowCapabilities.from_row(["text", "tools"]).for_model("any")
    assert resolve_capabilities(DIALECT_FEATURES, stated, TEXT_ONLY_MODEL).features == {"turns", "seed", "tools"}


def test_first_matching_model_pattern_overrides_row() -> None:
    row = RowCapabilities.from_row(
        {"tools": False, "max_output": 7, "models": {"a-*": {"tools": True}, "a-1": {"tools": False, "max_output": 9}}}
    )
    assert row.for_model("a-1") == StatedCapabilities({"tools": True}, max_output=7)
    assert row.for_model("b") == StatedCapabilities({"tools": False}, max_output=7)


def test_capability_mapping_is_read_from_toml(tmp_path: Path) -> None:
    (tmp_path / "providers.toml").write_text(
        "[providers.acme.capabilities]\ntools = false\ncontext_window = 4096\n"
        '[providers.acme.capabilities.models."vision-*"]\nimages = true\n'
    )
    (loaded_row,) = read_file_rows("providers.toml", tmp_path, {})
    row = RowCapabilities.from_row(loaded_row.row["capabilities"])
    assert row.for_model("vision-2") == StatedCapabilities({"tools": False, "images": True}, 4096)


@pytest.mark.parametrize(
    ("family", "model"),
    [
        ("chat", "openai/gpt-oss-120b"),
        ("chat", "accounts/fireworks/models/gpt-oss-120b"),
        ("chat", "deepseek-v4-flash"),
        ("cohere", "command-r7b-12-2024"),
    ],
)
def test_text_only_models_lack_images_and_files(family: str, model: str) -> None:
    assert model_facts(family, model).lacks == {"images", "files"}


def test_capability_table_lists_every_shipped_row() -> None:
    table = capability_table()
    assert [line.provider for line in table] == list(PROVIDER_SCHEMA)
    for line in table:
        assert line.model == PROVIDER_SCHEMA[line.provider]["default_model"]
        assert line.names[0] == "text"
        assert set(line.names) <= set(CAPABILITIES)
    by_name = {line.provider: line for line in table}
    assert by_name["openai"].capabilities.context_window == 922_000
    assert "images" not in by_name["groq"].names


def test_row_without_capabilities_states_none() -> None:
    spec = spec_from_row("openai", dict(PROVIDER_SCHEMA["openai"]), "test")
    assert spec.capabilities == RowCapabilities()


async def test_row_capabilities_reach_routes_per_model() -> None:
    declared = {"context_window": 9, "max_output": 7, "models": {"small": {"context_window": 5, "stream": False}}}
    row = {
        **PROVIDER_SCHEMA["openai"],
        "capabilities": declared,
        "model_var": "ACME_MODEL",
        "api_key_var": "ACME_API_KEY",
    }
    async with open_container({"ACME_API_KEY": "k"}) as container:
        registry = container.registry()
        registry.register_provider("acme", row)
        route = registry.snapshot().routes["acme"]
    assert (route.context("big"), route.context("small")) == (9, 5)
    assert (route.output("big"), route.output("small")) == (7, 7)
    assert "stream" not in route.features_of("small")
    assert route.features == route.features_of(route.own_model)
    assert route.refusal_for is not None


async def test_third_party_provider_has_no_refusal_check() -> None:
    async with open_container(providers={"fake": FakeProvider()}) as container:
        assert container.registry().snapshot().routes["fake"].refusal_for is None
