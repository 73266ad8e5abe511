"""What a model can do: the dialect, the dated facts, the row, in this order."""

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

CARRIED = frozenset({"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning"})
BLIND = ModelFacts("chat", "*", "a test", 1000, 100, lacks=frozenset({"images", "files"}))


def test_an_unknown_model_gets_what_its_dialect_carries() -> None:
    assert resolve_capabilities(CARRIED, StatedCapabilities(), UNKNOWN_MODEL).features == CARRIED


def test_what_a_model_is_known_to_lack_is_left_out_with_the_addresses_of_images() -> None:
    told = resolve_capabilities(CARRIED, StatedCapabilities(), BLIND)
    assert told.features == CARRIED - {"images", "files", "image addresses"}
    assert (told.context_window, told.max_output) == (1000, 100)


def test_the_row_knows_better_than_the_facts() -> None:
    told = resolve_capabilities(CARRIED, StatedCapabilities({"images": True, "tools": False}, context_window=5), BLIND)
    assert told.features == CARRIED - {"files", "tools"}
    assert (told.context_window, told.max_output) == (5, 100)


def test_no_row_adds_what_the_dialect_cannot_carry() -> None:
    assert resolve_capabilities({"turns"}, StatedCapabilities({"tools": True}), UNKNOWN_MODEL).features == {"turns"}


def test_a_list_is_exactly_what_there_is_beside_turns_and_seed() -> None:
    stated = RowCapabilities.from_row(["text", "tools"]).for_model("any")
    assert resolve_capabilities(CARRIED, stated, BLIND).features == {"turns", "seed", "tools"}


def test_the_first_pattern_that_matches_a_model_stands_over_the_rows_own_words() -> None:
    row = RowCapabilities.from_row(
        {"tools": False, "max_output": 7, "models": {"a-*": {"tools": True}, "a-1": {"tools": False, "max_output": 9}}}
    )
    assert row.for_model("a-1") == StatedCapabilities({"tools": True}, max_output=7)
    assert row.for_model("b") == StatedCapabilities({"tools": False}, max_output=7)


def test_a_mapping_may_stand_in_toml(tmp_path: Path) -> None:
    (tmp_path / "providers.toml").write_text(
        "[providers.acme.capabilities]\ntools = false\ncontext_window = 4096\n"
        '[providers.acme.capabilities.models."vision-*"]\nimages = true\n'
    )
    (found,) = read_file_rows("providers.toml", tmp_path, {})
    row = RowCapabilities.from_row(found.row["capabilities"])
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
def test_models_of_text_only_are_known(family: str, model: str) -> None:
    assert model_facts(family, model).lacks == {"images", "files"}


def test_the_table_has_every_shipped_row_with_its_default_model() -> None:
    table = capability_table()
    assert [line.provider for line in table] == list(PROVIDER_SCHEMA)
    for line in table:
        assert line.model == PROVIDER_SCHEMA[line.provider]["default_model"]
        assert line.names[0] == "text"
        assert set(line.names) <= set(CAPABILITIES)
    by_name = {line.provider: line for line in table}
    assert by_name["openai"].capabilities.context_window == 922_000
    assert "images" not in by_name["groq"].names


def test_a_row_without_capabilities_says_nothing() -> None:
    spec = spec_from_row("openai", dict(PROVIDER_SCHEMA["openai"]), "test")
    assert spec.capabilities == RowCapabilities()


async def test_a_rows_word_reaches_the_plan_for_each_model() -> None:
    said = {"context_window": 9, "max_output": 7, "models": {"small": {"context_window": 5, "stream": False}}}
    row = {**PROVIDER_SCHEMA["openai"], "capabilities": said, "model_var": "ACME_MODEL", "api_key_var": "ACME_API_KEY"}
    async with open_container({"ACME_API_KEY": "k"}) as container:
        registry = container.registry()
        registry.register_provider("acme", row)
        route = registry.snapshot().routes["acme"]
    assert (route.context("big"), route.context("small")) == (9, 5)
    assert (route.output("big"), route.output("small")) == (7, 7)
    assert "stream" not in route.features_of("small")
    assert route.features == route.features_of(route.own_model)
    assert route.refusal_for is not None


async def test_a_provider_of_somebody_elses_refuses_nothing_beforehand() -> None:
    async with open_container(providers={"fake": FakeProvider()}) as container:
        assert container.registry().snapshot().routes["fake"].refusal_for is None
