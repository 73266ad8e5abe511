"""Tests for the dated model facts: the fact that applies to a model id, and the source of every fact."""

import re

import pytest

from faultmaven.infrastructure.llm.dialects.openai_chat.vendors import VENDORS
from faultmaven.infrastructure.llm.dialects.registry import DIALECTS, model_family
from faultmaven.infrastructure.llm.models import (
    DEFAULT_MAX_TOKENS,
    MODEL_FACTS,
    UNKNOWN_MODEL,
    ModelFacts,
    model_facts,
    output_limit,
)

# wire/README.md, table of models: family, model, context window and maximum output in tokens.
LIMITS = [
    ("openai", "gpt-6.2-sol", 922_000, 128_000),
    ("openai", "gpt-6.2-astra", 922_000, 128_000),
    ("openai", "gpt-6-luna", 922_000, 128_000),
    ("openai", "gpt-6.1-sol", 922_000, 128_000),
    ("openai", "gpt-6-sol", 922_000, 128_000),
    ("openai", "gpt-5.6-terra", 922_000, 128_000),
    ("openai", "gpt-5.4-mini", 272_000, 128_000),
    ("anthropic", "claude-sonnet-5-5", 1_000_000, 128_000),
    ("anthropic", "claude-opus-5-5", 1_000_000, 128_000),
    ("anthropic", "claude-haiku-5-5", 1_000_000, 128_000),
    ("anthropic", "claude-haiku-4-5", 200_000, 64_000),
    ("gemini", "gemini-3.8-flash", 1_048_576, 65_536),
    ("gemini", "gemini-4-argon", 1_048_576, 1_048_576),
    ("gemini", "gemini-3.1-pro-preview", 1_048_576, 65_536),
    ("gemini", "gemini-2.5-pro", 1_048_576, 65_536),
    ("cohere", "command-a-plus-05-2026", 128_000, 64_000),
    ("cohere", "command-a-03-2025", 256_000, 8_000),
    ("cohere", "command-r7b-12-2024", 128_000, 4_000),
    ("chat", "mistral-medium-latest", 262_144, None),
    ("chat", "mistral-large-4", 1_048_576, None),
    ("chat", "deepseek-v4-flash", 1_000_000, 393_216),
    ("chat", "deepseek-flash", 1_000_000, 393_216),
    ("chat", "grok-4.7", 500_000, 128_000),
    ("chat", "grok-4.3", 1_000_000, 128_000),
    ("chat", "openai/gpt-oss-20b", 131_072, 65_536),
    ("chat", "gpt-oss-120b", 131_072, 32_768),
]


@pytest.mark.parametrize(("family", "model", "context", "max_output"), LIMITS, ids=lambda value: str(value))
def test_model_limits_match_the_readme_table(family: str, model: str, context: int, max_output: int | None) -> None:
    facts = model_facts(family, model)
    assert (facts.context, facts.max_output) == (context, max_output)


@pytest.mark.parametrize(
    ("family", "model", "refused"),
    [
        # openai-chat.md section 8
        ("openai", "gpt-6.2-sol", True),
        ("openai", "gpt-6-luna", True),
        ("openai", "gpt-5.6-luna", True),
        ("openai", "gpt-5-nano", True),
        ("openai", "gpt-5.4", True),
        ("openai", "o3", True),
        ("openai", "o1-preview", True),
        ("openai", "gpt-4o", False),
        ("openai", "gpt-4.1-mini", False),
        # anthropic-messages.md section 1: accepted up to 4.6; refused by Opus 4.7 and later, 5, 5.5, Fable, Mythos
        ("anthropic", "claude-haiku-4-5", False),
        ("anthropic", "claude-haiku-4-5-20251001", False),
        ("anthropic", "claude-sonnet-4-6", False),
        ("anthropic", "claude-opus-4-6", False),
        ("anthropic", "claude-opus-4-1-20250805", False),
        ("anthropic", "claude-sonnet-4-20250514", False),
        ("anthropic", "claude-3-opus", False),
        ("anthropic", "claude-3-5-sonnet-latest", False),
        ("anthropic", "claude-2.1", False),
        ("anthropic", "claude-opus-4-7", True),
        ("anthropic", "claude-opus-4-8", True),
        ("anthropic", "claude-opus-5", True),
        ("anthropic", "claude-sonnet-5", True),
        ("anthropic", "claude-sonnet-5-5", True),
        ("anthropic", "claude-haiku-5-5", True),
        ("anthropic", "claude-fable-5-1", True),
        ("anthropic", "claude-mythos-5", True),
    ],
)
def test_documented_models_refuse_temperature(family: str, model: str, refused: bool) -> None:
    """The lists of the vendors' documents, with dated ids of the same models."""
    assert model_facts(family, model).refuses_temperature is refused


@pytest.mark.parametrize(
    ("family", "model", "refused"),
    [
        ("openai", "o3", True),
        ("openai", "o3-pro", True),
        ("openai", "o4-mini", True),
        ("openai", "o1", False),
        ("openai", "gpt-6.2-sol", False),
        ("chat", "grok-4.7", True),
        ("chat", "openai/gpt-oss-120b", False),
    ],
)
def test_documented_models_refuse_stop_sequences(family: str, model: str, refused: bool) -> None:
    """openai-chat.md section 8 (o3, o4-mini) and 9.2 (xAI's reasoning models)."""
    assert model_facts(family, model).refuses_stop is refused


@pytest.mark.parametrize(
    ("model", "features"),
    [
        ("gpt-6.2-sol", {"tools"}),
        ("gpt-6.2-astra", {"tools"}),
        ("gpt-6.1-sol", {"tools"}),
        ("gpt-6-astra", {"tools"}),
        ("gpt-6-sol", {"tools"}),
        ("gpt-6-luna", {"tools"}),
        ("gpt-4o", set()),
    ],
)
def test_tools_require_the_responses_route(model: str, features: set[str]) -> None:
    """openai-chat.md section 8; text goes through Chat Completions for every model."""
    assert model_facts("openai", model).responses_for == features


@pytest.mark.parametrize(
    ("family", "model"),
    [
        ("openai", "gpt-4o"),
        ("openai", "ft:gpt-6-sol:org::1"),
        ("openai", "my-deployment"),
        ("anthropic", "some-other-model"),
        ("gemini", "gemma-3-27b"),
        ("cohere", "c4ai-aya"),
        ("chat", "deepseek-ai/DeepSeek-V3"),
        ("chat", "mistral-7b-instruct"),
        ("chat", "gpt-6.2-sol"),
        ("", "gpt-6.2-sol"),
        ("chat", ""),
        ("openai", "GPT-6.2-SOL"),
    ],
)
def test_unknown_model_id_has_no_facts(family: str, model: str) -> None:
    """A similar name is no match, and the rule of one vendor does not apply to the same name at another vendor."""
    assert model_facts(family, model) is UNKNOWN_MODEL


def test_unknown_claude_refuses_temperature_without_limits() -> None:
    """Every Claude model since Opus 4.7 refuses sampling parameters; the limits of future models are unknown."""
    facts = model_facts("anthropic", "claude-opus-7")
    assert facts.refuses_temperature
    assert (facts.context, facts.max_output) == (None, None)


def test_unknown_model_refuses_no_option() -> None:
    """A request to an unknown model is sent as the caller wrote it."""
    assert ModelFacts("", "*", UNKNOWN_MODEL.source) == UNKNOWN_MODEL


@pytest.mark.parametrize("model", ["gemini-3.8-flash", "models/gemini-3.8-flash"])
def test_resource_name_prefix_is_ignored(model: str) -> None:
    """Gemini's model ids are written with and without the prefix."""
    assert model_facts("gemini", model).max_output == 65_536


@pytest.mark.parametrize("facts", MODEL_FACTS, ids=lambda facts: f"{facts.family}:{facts.pattern}")
def test_each_fact_names_dated_source(facts: ModelFacts) -> None:
    """The source includes a year."""
    assert re.search(r"20\d\d", facts.source)


@pytest.mark.parametrize("facts", MODEL_FACTS, ids=lambda facts: f"{facts.family}:{facts.pattern}")
def test_no_fact_is_shadowed_by_another(facts: ModelFacts) -> None:
    """The first match wins, so special patterns come first: an id made from a pattern must match that pattern."""
    example = re.sub(r"\[(.)[^]]*\]", r"\1", facts.pattern).replace("*", "")
    candidates = [
        example,
        facts.pattern.replace("*", "zz"),
        re.sub(r"\[.-?(.)\]", r"\1", facts.pattern).replace("*", ""),
    ]
    assert any(model_facts(facts.family, candidate) is facts for candidate in candidates)


def test_fact_families_are_known_to_dialects() -> None:
    """The facts of a misspelt family would be unreachable."""
    known = {model_family(dialect) for dialect in DIALECTS} | {vendor.facts for vendor in VENDORS.values()}
    assert {facts.family for facts in MODEL_FACTS} <= known


@pytest.mark.parametrize(
    ("configured", "model", "limit"),
    [(None, "claude-sonnet-5-5", 8192), (100, "claude-sonnet-5-5", 100), (None, "claude-of-tomorrow", 8192)],
)
def test_output_limit_is_configured_or_8192(configured: int | None, model: str, limit: int) -> None:
    """DESIGN section 6, LLM_MAX_TOKENS."""
    assert output_limit(configured, model_facts("anthropic", model)) == limit


def test_model_limit_below_default_wins() -> None:
    """command-r7b writes at most 4,000 tokens."""
    assert output_limit(None, model_facts("cohere", "command-r7b-12-2024")) == 4_000 < DEFAULT_MAX_TOKENS
