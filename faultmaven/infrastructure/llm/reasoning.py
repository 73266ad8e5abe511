"""Reasoning effort: dated rules that map the caller's `reasoning` option to request fields, by family of models.

The option is "off", "low", "medium", "high" or a budget in tokens. For a model without such a setting the option is
left out, and a note of the attempt says so. The first rule that matches applies; an unknown model of a family gets the
last rule of the family. Source: wire reference, read on 2026-11-23.
"""

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LEVELS = ("off", "low", "medium", "high")
LOW_BUDGET, MEDIUM_BUDGET = 2048, 8192
"""The largest budgets, in tokens, that count as "low" and as "medium" for a model that takes levels only."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReasoningRule:
    """The reasoning settings of the models of `family` that match `pattern`.

    Attributes:
        source: The page or package that documents the rule, with its date.
        levels: Body fields by level; the model has no setting for a level that is missing.
        budget: Builds the body fields for a number of tokens; None sends the nearest level instead.
        budget_range: The smallest and the largest budget that the model takes, in tokens; others are clamped.
        lowest_setting: The setting sent for "off" to a model whose thinking cannot be turned off, "" for other models.
    """

    family: str
    pattern: str
    source: str
    levels: Mapping[str, Fields] = field(default_factory=dict)
    budget: Callable[[int], Fields] | None = None
    budget_range: tuple[int, int] | None = None
    lowest_setting: str = ""


def effort_levels(*allowed: str, off: str = "") -> dict[str, Fields]:
    """Return the levels of a model that takes `reasoning_effort`.

    Args:
        off: The effort that turns thinking off, "" when the model has none.
    """
    levels: dict[str, Fields] = {level: {"reasoning_effort": level} for level in allowed}
    return {"off": {"reasoning_effort": off}, **levels} if off else levels


def adaptive_levels(*, off: Fields | None = None, display: str = "") -> dict[str, Fields]:
    """Return the levels of a Claude model with adaptive thinking.

    Args:
        off: The `thinking` field for the level "off"; None when the model has no such setting.
        display: The value of `thinking.display`, "" to leave the field out.
    """
    thinking: Fields = {"type": "adaptive", "display": display} if display else {"type": "adaptive"}
    levels: dict[str, Fields] = {
        level: {"thinking": thinking, "output_config": {"effort": level}} for level in ("low", "medium", "high")
    }
    return levels if off is None else {"off": {"thinking": off}, **levels}


def thinking_budget(tokens: int) -> Fields:
    """Return the body fields of a Claude model with a thinking budget; 0 sends no field: their default is off."""
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}} if tokens else {}


THINKING_BUDGETS: Mapping[str, Fields] = {
    "off": {},
    "low": thinking_budget(LOW_BUDGET),
    "medium": thinking_budget(MEDIUM_BUDGET),
    "high": thinking_budget(2 * MEDIUM_BUDGET),
}


def _cohere_budget(tokens: int) -> Fields:
    if tokens <= 0:
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled", "token_budget": tokens}}


_GOOGLE = "gemini-generate-content.md 2 (7), ai.google.dev thinking, 2026-11"


def _gemini_budget(tokens: int) -> Fields:
    return {"thinkingConfig": {"thinkingBudget": tokens, **({"includeThoughts": True} if tokens else {})}}


def _gemini_budget_rule(pattern: str, smallest: int, largest: int, *, off: bool) -> ReasoningRule:
    """Return a rule of Gemini 2.5, with the budgets of Google's OpenAI route (ai.google.dev, openai, 2026-11)."""
    levels = {"low": _gemini_budget(1024), "medium": _gemini_budget(8192), "high": _gemini_budget(24_576)}
    levels |= {"off": _gemini_budget(0)} if off else {}
    return ReasoningRule("gemini", pattern, _GOOGLE, levels, _gemini_budget, (smallest, largest))


def _gemini_level_rule(pattern: str, *allowed: str, minimal: bool = False) -> ReasoningRule:
    """Return a rule of Gemini 3 and later, whose thinking cannot be turned off; `minimal` sends MINIMAL for "off"."""
    levels: dict[str, Fields] = {
        level: {"thinkingConfig": {"thinkingLevel": level.upper(), "includeThoughts": True}} for level in allowed
    }
    levels |= {"off": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}} if minimal else {}
    return ReasoningRule("gemini", pattern, _GOOGLE, levels, lowest_setting="MINIMAL" if minimal else "")


_ALL = ("low", "medium", "high")
_CHAT = "openai-chat.md 9.2, vendors' pages and SDKs of 2026"
_NO_THINKING: Fields = {"chat_template_kwargs": {"enable_thinking": False}}

_COHERE = "docs.cohere.com and SDK 7.3.1, 2026"
_COHERE_BUDGETS = {
    "off": _cohere_budget(0),
    "low": _cohere_budget(LOW_BUDGET),
    "medium": _cohere_budget(MEDIUM_BUDGET),
} | {"high": {"thinking": {"type": "enabled"}}}
_OLLAMA = "ollama-native.md 2 (7), 2026-11"
_CLAUDE = "platform.claude.com, models and migration page of 2026-10-21"
REASONING: tuple[ReasoningRule, ...] = (
    # --- OpenAI (family "openai") ---
    ReasoningRule("openai", "gpt-6.2-*", "openai-chat.md 8, developers.openai.com 2026-11", effort_levels(*_ALL)),
    ReasoningRule(
        "openai", "gpt-6*", "openai-chat.md 8, developers.openai.com 2026-11", effort_levels(*_ALL, off="none")
    ),
    ReasoningRule("openai", "gpt-5.[4-9]*", "openai-chat.md 8, 2026-11", effort_levels(*_ALL, off="none")),
    ReasoningRule("openai", "gpt-5*", "openai-chat.md 2 (7), 2026-11", effort_levels(*_ALL)),
    ReasoningRule("openai", "o[0-9]*", "openai-chat.md 2 (7), 2026-11", effort_levels(*_ALL)),
    # --- Anthropic (family "anthropic") ---
    # The 5.5 models show their thinking only with a `display`. "between_tools" is the lowest setting of Sonnet 5.5.
    ReasoningRule("anthropic", "claude-opus-5-5*", _CLAUDE, adaptive_levels(display="summarized")),
    ReasoningRule(
        "anthropic",
        "claude-sonnet-5-5*",
        _CLAUDE,
        adaptive_levels(off={"type": "between_tools"}, display="summarized"),
        lowest_setting="between_tools",
    ),
    ReasoningRule("anthropic", "claude-haiku-5-5*", _CLAUDE, adaptive_levels(display="summarized")),
    ReasoningRule("anthropic", "claude-opus-5*", _CLAUDE, adaptive_levels(off={"type": "disabled"})),
    ReasoningRule("anthropic", "claude-fable-5*", _CLAUDE, adaptive_levels()),
    ReasoningRule("anthropic", "claude-*-4-6*", _CLAUDE, adaptive_levels(off={"type": "disabled"}), thinking_budget),
    ReasoningRule("anthropic", "claude-*-4-[0-5]*", _CLAUDE, THINKING_BUDGETS, thinking_budget),
    ReasoningRule("anthropic", "claude-*-4", _CLAUDE, THINKING_BUDGETS, thinking_budget),
    ReasoningRule("anthropic", "claude-3-7*", _CLAUDE, THINKING_BUDGETS, thinking_budget),
    ReasoningRule("anthropic", "claude-[0-3]*", "models before extended thinking, UNVERIFIED", {"off": {}}),
    ReasoningRule("anthropic", "claude-instant*", "models before extended thinking, UNVERIFIED", {"off": {}}),
    # Opus 4.7 and 4.8 are missing in the vendor's table; treated as the newer models. "off" is documented for none.
    ReasoningRule("anthropic", "claude-*", _CLAUDE, adaptive_levels()),
    # --- Gemini (family "gemini"): fields of generationConfig ---
    ReasoningRule("gemini", "*-image*", _GOOGLE),
    _gemini_level_rule("gemini-3.6-flash*", *_ALL, minimal=True),
    _gemini_level_rule("gemini-3.5-flash-lite*", *_ALL, minimal=True),
    _gemini_level_rule("gemini-3-flash*", *_ALL, minimal=True),
    _gemini_level_rule("gemini-3-pro*", "low", "high"),
    _gemini_budget_rule("gemini-2.5-pro*", 128, 32_768, off=False),
    _gemini_budget_rule("gemini-2.5-flash-lite*", 512, 24_576, off=True),
    _gemini_budget_rule("gemini-2.5-*", 1, 24_576, off=True),
    ReasoningRule("gemini", "gemini-[12]*", _GOOGLE),
    _gemini_level_rule("gemini-*", *_ALL),
    # --- Cohere (family "cohere") ---
    ReasoningRule("cohere", "command-a-plus-*", _COHERE, _COHERE_BUDGETS, _cohere_budget),
    ReasoningRule("cohere", "*reasoning*", _COHERE, _COHERE_BUDGETS, _cohere_budget),
    # --- Ollama (family "ollama") ---
    ReasoningRule("ollama", "*gpt-oss*", _OLLAMA, {level: {"think": level} for level in _ALL}),
    ReasoningRule(
        "ollama",
        "*",
        "ollama-native.md 2 (7), 2026-11",
        {"off": {"think": False}, **{level: {"think": level} for level in _ALL}},
    ),
    # --- OpenAI Chat of other vendors (family "chat/<vendor>") ---
    ReasoningRule(
        "chat/fireworks",
        "*",
        _CHAT,
        effort_levels(*_ALL, off="none"),
        lambda tokens: {"reasoning_effort": tokens or "none"},
    ),
    ReasoningRule("chat/groq", "*gpt-oss*", _CHAT, effort_levels(*_ALL)),
    ReasoningRule("chat/groq", "*", _CHAT, effort_levels(*_ALL, off="none")),
    # `enabled` and `max_tokens` come from older pages of OpenRouter.
    ReasoningRule(
        "chat/openrouter",
        "*",
        _CHAT,
        {"off": {"reasoning": {"enabled": False}}, **{level: {"reasoning": {"effort": level}} for level in _ALL}},
        lambda tokens: {"reasoning": {"max_tokens": tokens} if tokens else {"enabled": False}},
    ),
    ReasoningRule("chat/together", "*gpt-oss*", _CHAT, effort_levels(*_ALL)),
    ReasoningRule("chat/together", "*", _CHAT, {"off": {"reasoning": {"enabled": False}}, **effort_levels(*_ALL)}),
    ReasoningRule("chat/mistral", "*", _CHAT, effort_levels(*_ALL)),
    ReasoningRule(
        "chat/deepseek",
        "*",
        _CHAT,
        {
            "off": {"thinking": {"type": "disabled"}},
            **{level: {"thinking": {"type": "enabled"}, "reasoning_effort": level} for level in _ALL},
        },
    ),
    ReasoningRule("chat/xai", "grok-4.3*", _CHAT, effort_levels(*_ALL, off="none")),
    ReasoningRule("chat/xai", "*", _CHAT, effort_levels(*_ALL)),
    ReasoningRule("chat/cerebras", "*gpt-oss*", _CHAT, effort_levels(*_ALL)),
    ReasoningRule("chat/cerebras", "*", _CHAT, effort_levels(*_ALL, off="none")),
    ReasoningRule("chat/deepinfra", "*", _CHAT, effort_levels(*_ALL)),
    ReasoningRule("chat/huggingface", "*", "openai-chat.md 9.2: passed to the provider", effort_levels(*_ALL)),
    ReasoningRule(
        "chat/vllm",
        "*",
        _CHAT,
        {"off": _NO_THINKING, **effort_levels(*_ALL)},
        lambda tokens: {"thinking_token_budget": tokens} if tokens else _NO_THINKING,
    ),
    ReasoningRule("chat/llamacpp", "*", _CHAT, {"off": _NO_THINKING, **effort_levels(*_ALL)}),
    ReasoningRule("chat/ollama", "*gpt-oss*", _CHAT, effort_levels(*_ALL)),
    ReasoningRule("chat/ollama", "*", _CHAT, effort_levels(*_ALL, off="none")),
)


def reasoning_fields(family: str, model: str, intent: str | int | None) -> tuple[Fields, tuple[str, ...]]:
    """Return the body fields for `intent`, and a note when the model takes it only in another form, or not at all.

    Args:
        intent: One of `LEVELS`, a budget in tokens, or None for the vendor's default.
    """
    if intent is None:
        return {}, ()
    rule = _find_rule(family, model)
    if rule is None:
        return {}, (f"reasoning={intent!r} left out: no reasoning setting of {model or 'this model'} is known",)
    if isinstance(intent, int) and rule.budget is not None:
        return _budget_fields(rule, rule.budget, intent, model)
    level = _nearest_level(intent) if isinstance(intent, int) else intent
    if level not in rule.levels:
        return {}, (f"reasoning={intent!r} left out: {model} has no such setting ({rule.source})",)
    if level == "off" and rule.lowest_setting:
        note = f"reasoning={intent!r} sent as {rule.lowest_setting!r}, the lowest that {model} supports"
        return rule.levels[level], (note,)
    note = f"reasoning={intent} sent as {level!r}: {model} supports levels ({rule.source})"
    return rule.levels[level], () if level == intent else (note,)


def _budget_fields(
    rule: ReasoningRule, build_fields: Callable[[int], Fields], budget: int, model: str
) -> tuple[Fields, tuple[str, ...]]:
    if budget == 0 and "off" in rule.levels:
        return rule.levels["off"], ()
    smallest, largest = rule.budget_range or (budget, budget)
    clamped = min(max(budget, smallest), largest)
    note = f"reasoning={budget} sent as {clamped}, the nearest that {model} supports ({rule.source})"
    return build_fields(clamped), () if clamped == budget else (note,)


def _nearest_level(budget: int) -> str:
    limits = {"off": 0, "low": LOW_BUDGET, "medium": MEDIUM_BUDGET}
    return next((level for level, limit in limits.items() if budget <= limit), "high")


def _find_rule(family: str, model: str) -> ReasoningRule | None:
    model_id = model.removeprefix("models/")
    matches = (rule for rule in REASONING if rule.family == family and fnmatch.fnmatchcase(model_id, rule.pattern))
    return next(matches, None)
