"""Dated facts about models: limits, refused parameters, required routes.

Each fact names its source. Model ids age fast: an unknown model gets the defaults of the row and is never refused.
Patterns are matched against the bare model id, and the first match applies. `family` restricts a fact to one vendor,
since other vendors serve models of the same name. Sources read on 2026-11-23.
"""

import fnmatch
import functools
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Known facts about the models that match a pattern. Limits are in tokens; None is unknown.

    Attributes:
        family: The dialect group that the fact is about: "openai", "anthropic", "gemini", "cohere" or "chat".
        pattern: A shell-style pattern over model ids.
        source: The page or package that documents the fact, with its date.
        context: Input limit.
        max_output: Output limit.
        limit_parameter: The vendor's name of the output limit for this model, "" for the dialect's usual name.
        refuses_temperature: The vendor answers 400 to a temperature.
        refuses_stop: The vendor answers 400 to stop words.
        reasons: The model thinks before it answers, so an attempt gets at least 120 s.
        responses_for: Features for which OpenAI requires the Responses route: "tools", or "text" for every request.
        refuses_forced_tools: The vendor answers 400 to a `tool_choice` that forces a call.
        refuses_prefill: The vendor answers 400 to a conversation that ends with an assistant message.
        binds_thinking: The vendor takes the model's thinking back only in the conversation that it came from, with no
            earlier message edited.
        demands_signatures: The vendor answers 400 to a tool call of the history without a thought signature.
        lacks: Features of the dialect that the model does not have, such as "images".
    """

    family: str
    pattern: str
    source: str
    context: int | None = None
    max_output: int | None = None
    limit_parameter: str = ""
    refuses_temperature: bool = False
    refuses_stop: bool = False
    reasons: bool = False
    responses_for: frozenset[str] = frozenset()
    refuses_forced_tools: bool = False
    refuses_prefill: bool = False
    binds_thinking: bool = False
    demands_signatures: bool = False
    lacks: frozenset[str] = frozenset()


TOOLS = frozenset({"tools"})
TEXT_ONLY = frozenset({"images", "files"})
UNKNOWN_MODEL = ModelFacts("", "*", "no fact known")

_DOCS = "developers.openai.com models and errors, 2026-11"
_OPENAI_SDK = "openai SDK 3.54.0, and third-party reports of refused temperatures, 2026"
_PLATFORM = "platform.claude.com models and migration page of 2026-10-21"
_GEMINI = "ai.google.dev models, 2026-11"
_LITELLM = "litellm model map 1.109.1, 2026-11"

MODEL_FACTS: tuple[ModelFacts, ...] = (
    # OpenAI: GPT-6 refuses sampling parameters with any effort but "none"; the o-series and later refuse max_tokens.
    ModelFacts("openai", "gpt-6.2-*", _DOCS, 922_000, 128_000, "max_completion_tokens", True, False, True, TOOLS),
    ModelFacts("openai", "gpt-6.1-sol*", _DOCS, 922_000, 128_000, "max_completion_tokens", True, False, True, TOOLS),
    ModelFacts("openai", "gpt-6-astra*", _DOCS, 922_000, 128_000, "max_completion_tokens", True, False, True, TOOLS),
    ModelFacts("openai", "gpt-6*", _DOCS, 922_000, 128_000, "max_completion_tokens", True, False, True, TOOLS),
    ModelFacts("openai", "gpt-5.4-mini*", _DOCS, 272_000, 128_000, "max_completion_tokens", True, False, True),
    ModelFacts("openai", "gpt-5.6*", _DOCS, 922_000, 128_000, "max_completion_tokens", True, False, True, TOOLS),
    ModelFacts("openai", "gpt-5*", _OPENAI_SDK, None, None, "max_completion_tokens", True, False, True),
    ModelFacts("openai", "o3*", _OPENAI_SDK, None, None, "max_completion_tokens", True, True, True),
    ModelFacts("openai", "o4-mini*", _OPENAI_SDK, None, None, "max_completion_tokens", True, True, True),
    ModelFacts("openai", "o[0-9]*", _OPENAI_SDK, None, None, "max_completion_tokens", True, False, True),
    # Anthropic, under anthropic-version 2023-06-01: sampling works on 4.6 and older, not on 4.7, 5.x, Fable, Mythos.
    ModelFacts("anthropic", "claude-haiku-4-5*", _PLATFORM, 200_000, 64_000),
    # UNVERIFIED whether Haiku 5.5 takes a forced tool: an instruction never fails, a forced tool may.
    ModelFacts(
        "anthropic",
        "claude-*-5-5*",
        _PLATFORM,
        1_000_000,
        128_000,
        "",
        True,
        False,
        True,
        refuses_forced_tools=True,
        refuses_prefill=True,
        binds_thinking=True,
    ),
    ModelFacts(
        "anthropic",
        "claude-fable-5-1*",
        _PLATFORM,
        refuses_temperature=True,
        reasons=True,
        refuses_forced_tools=True,
        refuses_prefill=True,
        binds_thinking=True,
    ),
    ModelFacts("anthropic", "claude-*-4-6*", _PLATFORM, refuses_prefill=True),
    ModelFacts("anthropic", "claude-*-4-[0-5]*", _PLATFORM),
    ModelFacts("anthropic", "claude-*-4", _PLATFORM),
    ModelFacts("anthropic", "claude-[0-3]*", _PLATFORM),
    ModelFacts("anthropic", "claude-instant*", _PLATFORM),
    ModelFacts("anthropic", "claude-*", _PLATFORM, None, None, "", True, False, True, refuses_prefill=True),
    # Gemini
    ModelFacts("gemini", "gemini-4-argon*", _GEMINI, 1_048_576, 1_048_576, reasons=True, demands_signatures=True),
    ModelFacts("gemini", "gemini-3*", _GEMINI, 1_048_576, 65_536, reasons=True, demands_signatures=True),
    ModelFacts("gemini", "gemini-2.5-*", _GEMINI, 1_048_576, 65_536, reasons=True),
    ModelFacts("gemini", "gemini-[12]*", _GEMINI),
    ModelFacts("gemini", "gemini-*", _GEMINI, demands_signatures=True),
    # Cohere
    ModelFacts("cohere", "command-a-plus-*", "docs.cohere.com, 2026", 128_000, 64_000, reasons=True),
    ModelFacts("cohere", "command-a-03-2025", "docs.cohere.com, 2026", 256_000, 8_000, lacks=TEXT_ONLY),
    ModelFacts("cohere", "command-r7b-*", "docs.cohere.com, 2026", 128_000, 4_000, lacks=TEXT_ONLY),
    # Other vendors with the OpenAI Chat dialect
    ModelFacts("chat", "grok-4.3*", _LITELLM, 1_000_000, 128_000, refuses_stop=True, reasons=True),
    ModelFacts("chat", "grok-4*", "docs.x.ai, 2026-11", 500_000, 128_000, refuses_stop=True, reasons=True),
    ModelFacts("chat", "deepseek-flash", _LITELLM, 1_000_000, 393_216, reasons=True, lacks=TEXT_ONLY),
    ModelFacts("chat", "deepseek-v4-*", _LITELLM, 1_000_000, 393_216, reasons=True, lacks=TEXT_ONLY),
    ModelFacts("chat", "mistral-large-4*", _LITELLM, 1_048_576),
    ModelFacts("chat", "mistral-*-latest", _LITELLM, 262_144),
    # The smallest limits among the vendors that serve the gpt-oss models.
    ModelFacts("chat", "*gpt-oss-120b*", _LITELLM, 131_072, 32_768, reasons=True, lacks=TEXT_ONLY),
    ModelFacts("chat", "*gpt-oss-20b*", _LITELLM, 131_072, 65_536, reasons=True, lacks=TEXT_ONLY),
)

DEFAULT_MAX_TOKENS = 8192
MIN_REASONING_TIMEOUT_SECONDS = 120.0


@functools.lru_cache(maxsize=512)
def model_facts(family: str, model: str) -> ModelFacts:
    """Return the facts about `model` in `family`, `UNKNOWN_MODEL` when no pattern matches."""
    model_id = model.removeprefix("models/")
    for facts in MODEL_FACTS:
        if facts.family == family and fnmatch.fnmatchcase(model_id, facts.pattern):
            return facts
    return UNKNOWN_MODEL


def output_limit(configured: int | None, facts: ModelFacts) -> int:
    """Return the output limit in tokens for a vendor that requires one when the caller set none."""
    return configured if configured is not None else min(DEFAULT_MAX_TOKENS, facts.max_output or DEFAULT_MAX_TOKENS)
