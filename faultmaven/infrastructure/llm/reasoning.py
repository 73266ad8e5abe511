"""How each family of models is told how much to think: dated data, in one place (wire/*.md, read on 2026-11-23).

An intent, "off", "low", "medium", "high" or a budget in tokens, becomes fields of the request's body. Where a model has
no way to say it, the intent is left out and the ledger says so; first match wins, and an unknown model of a family gets
the family's last row.
"""

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LEVELS = ("off", "low", "medium", "high")
LOW_BUDGET, MEDIUM_BUDGET = 2048, 8192
"""Tokens up to which a budget is "low", and "medium", where a model takes levels only."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReasoningRule:
    """How models of `family` that match `pattern` are told.

    Attributes:
        levels: The body's fields for each intent; one that is missing cannot be said.
        budget: The body's fields for a number of tokens; None takes the nearest level.
        range: The least and the most tokens that the model takes; others are moved into it.
        least: What "off" is for a model that cannot be turned off, "" where it can.
        source: Where it was read.
    """

    family: str
    pattern: str
    source: str
    levels: Mapping[str, Fields] = field(default_factory=dict)
    budget: Callable[[int], Fields] | None = None
    range: tuple[int, int] | None = None
    least: str = ""


def efforts(*allowed: str, off: str = "") -> dict[str, Fields]:
    """Return the levels of a model that takes `reasoning_effort`; `off` is how it calls none at all, "" for no way."""
    levels: dict[str, Fields] = {level: {"reasoning_effort": level} for level in allowed}
    return {"off": {"reasoning_effort": off}, **levels} if off else levels


def adaptive(*, off: Fields | None = None, display: str = "") -> dict[str, Fields]:
    """Return the levels of a Claude that thinks as much as it needs; `off` is its `thinking` for none at all."""
    shown: Fields = {"type": "adaptive", "display": display} if display else {"type": "adaptive"}
    levels: dict[str, Fields] = {
        level: {"thinking": shown, "output_config": {"effort": level}} for level in ("low", "medium", "high")
    }
    return levels if off is None else {"off": {"thinking": off}, **levels}


def thinking_budget(tokens: int) -> Fields:
    """Return the fields of a Claude that takes a budget; 0 is none at all, the default of these models."""
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


def _gemini_budgets(pattern: str, least: int, most: int, *, off: bool) -> ReasoningRule:
    """Gemini 2.5. The levels' budgets are those of Google's own OpenAI route (ai.google.dev, openai, 2026-11)."""
    levels = {"low": _gemini_budget(1024), "medium": _gemini_budget(8192), "high": _gemini_budget(24_576)}
    levels |= {"off": _gemini_budget(0)} if off else {}
    return ReasoningRule("gemini", pattern, _GOOGLE, levels, _gemini_budget, (least, most))


def _gemini_levels(pattern: str, *allowed: str, minimal: bool = False) -> ReasoningRule:
    """Gemini 3 and later: nothing turns thinking off, and MINIMAL comes nearest, where the model has it."""
    levels: dict[str, Fields] = {
        level: {"thinkingConfig": {"thinkingLevel": level.upper(), "includeThoughts": True}} for level in allowed
    }
    levels |= {"off": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}} if minimal else {}
    return ReasoningRule("gemini", pattern, _GOOGLE, levels, least="MINIMAL" if minimal else "")


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
    ReasoningRule("openai", "gpt-6.2-*", "openai-chat.md 8, developers.openai.com 2026-11", efforts(*_ALL)),
    ReasoningRule("openai", "gpt-6*", "openai-chat.md 8, developers.openai.com 2026-11", efforts(*_ALL, off="none")),
    ReasoningRule("openai", "gpt-5.[4-9]*", "openai-chat.md 8, 2026-11", efforts(*_ALL, off="none")),
    ReasoningRule("openai", "gpt-5*", "openai-chat.md 2 (7), 2026-11", efforts(*_ALL)),
    ReasoningRule("openai", "o[0-9]*", "openai-chat.md 2 (7), 2026-11", efforts(*_ALL)),
    # --- Anthropic (family "anthropic") ---
    # The 5.5 models show their thinking only where it is asked for. "between_tools" is the least that Sonnet 5.5 takes.
    ReasoningRule("anthropic", "claude-opus-5-5*", _CLAUDE, adaptive(display="summarized")),
    ReasoningRule(
        "anthropic",
        "claude-sonnet-5-5*",
        _CLAUDE,
        adaptive(off={"type": "between_tools"}, display="summarized"),
        least="between_tools",
    ),
    ReasoningRule("anthropic", "claude-haiku-5-5*", _CLAUDE, adaptive(display="summarized")),
    ReasoningRule("anthropic", "claude-opus-5*", _CLAUDE, adaptive(off={"type": "disabled"})),
    ReasoningRule("anthropic", "claude-fable-5*", _CLAUDE, adaptive()),
    ReasoningRule("anthropic", "claude-*-4-6*", _CLAUDE, adaptive(off={"type": "disabled"}), thinking_budget),
    ReasoningRule("anthropic", "claude-*-4-[0-5]*", _CLAUDE, THINKING_BUDGETS, thinking_budget),
    ReasoningRule("anthropic", "claude-*-4", _CLAUDE, THINKING_BUDGETS, thinking_budget),
    ReasoningRule("anthropic", "claude-3-7*", _CLAUDE, THINKING_BUDGETS, thinking_budget),
    ReasoningRule("anthropic", "claude-[0-3]*", "models before extended thinking, UNVERIFIED", {"off": {}}),
    ReasoningRule("anthropic", "claude-instant*", "models before extended thinking, UNVERIFIED", {"off": {}}),
    # Opus 4.7 and 4.8 stand in no row of the table: as the other newer models. "off" is documented for none of them.
    ReasoningRule("anthropic", "claude-*", _CLAUDE, adaptive()),
    # --- Gemini (family "gemini"): fields of generationConfig ---
    ReasoningRule("gemini", "*-image*", _GOOGLE),
    _gemini_levels("gemini-3.6-flash*", *_ALL, minimal=True),
    _gemini_levels("gemini-3.5-flash-lite*", *_ALL, minimal=True),
    _gemini_levels("gemini-3-flash*", *_ALL, minimal=True),
    _gemini_levels("gemini-3-pro*", "low", "high"),
    _gemini_budgets("gemini-2.5-pro*", 128, 32_768, off=False),
    _gemini_budgets("gemini-2.5-flash-lite*", 512, 24_576, off=True),
    _gemini_budgets("gemini-2.5-*", 1, 24_576, off=True),
    ReasoningRule("gemini", "gemini-[12]*", _GOOGLE),
    _gemini_levels("gemini-*", *_ALL),
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
        "chat/fireworks", "*", _CHAT, efforts(*_ALL, off="none"), lambda tokens: {"reasoning_effort": tokens or "none"}
    ),
    ReasoningRule("chat/groq", "*gpt-oss*", _CHAT, efforts(*_ALL)),
    ReasoningRule("chat/groq", "*", _CHAT, efforts(*_ALL, off="none")),
    # `enabled` and `max_tokens` stand in its older pages.
    ReasoningRule(
        "chat/openrouter",
        "*",
        _CHAT,
        {"off": {"reasoning": {"enabled": False}}, **{level: {"reasoning": {"effort": level}} for level in _ALL}},
        lambda tokens: {"reasoning": {"max_tokens": tokens} if tokens else {"enabled": False}},
    ),
    ReasoningRule("chat/together", "*gpt-oss*", _CHAT, efforts(*_ALL)),
    ReasoningRule("chat/together", "*", _CHAT, {"off": {"reasoning": {"enabled": False}}, **efforts(*_ALL)}),
    ReasoningRule("chat/mistral", "*", _CHAT, efforts(*_ALL)),
    ReasoningRule(
        "chat/deepseek",
        "*",
        _CHAT,
        {
            "off": {"thinking": {"type": "disabled"}},
            **{level: {"thinking": {"type": "enabled"}, "reasoning_effort": level} for level in _ALL},
        },
    ),
    ReasoningRule("chat/xai", "grok-4.3*", _CHAT, efforts(*_ALL, off="none")),
    ReasoningRule("chat/xai", "*", _CHAT, efforts(*_ALL)),
    ReasoningRule("chat/cerebras", "*gpt-oss*", _CHAT, efforts(*_ALL)),
    ReasoningRule("chat/cerebras", "*", _CHAT, efforts(*_ALL, off="none")),
    ReasoningRule("chat/deepinfra", "*", _CHAT, efforts(*_ALL)),
    ReasoningRule("chat/huggingface", "*", "openai-chat.md 9.2: passed to the provider", efforts(*_ALL)),
    ReasoningRule(
        "chat/vllm",
        "*",
        _CHAT,
        {"off": _NO_THINKING, **efforts(*_ALL)},
        lambda tokens: {"thinking_token_budget": tokens} if tokens else _NO_THINKING,
    ),
    ReasoningRule("chat/llamacpp", "*", _CHAT, {"off": _NO_THINKING, **efforts(*_ALL)}),
    ReasoningRule("chat/ollama", "*gpt-oss*", _CHAT, efforts(*_ALL)),
    ReasoningRule("chat/ollama", "*", _CHAT, efforts(*_ALL, off="none")),
)


def reasoning_fields(family: str, model: str, intent: str | int | None) -> tuple[Fields, tuple[str, ...]]:
    """Return the body's fields for `intent`, and a note where it cannot be honoured as it is.

    Args:
        intent: One of `LEVELS`, a budget in tokens, or None for the vendor's default.
    """
    if intent is None:
        return {}, ()
    rule = _rule(family, model)
    if rule is None:
        return {}, (f"reasoning={intent!r} left out: no way to say it to {model or 'this model'} is known",)
    if isinstance(intent, int) and rule.budget is not None:
        return _budgeted(rule, rule.budget, intent, model)
    level = _nearest(intent) if isinstance(intent, int) else intent
    if level not in rule.levels:
        return {}, (f"reasoning={intent!r} left out: {model} has no such setting ({rule.source})",)
    if level == "off" and rule.least:
        return rule.levels[level], (f"reasoning={intent!r} sent as {rule.least!r}, the least that {model} takes",)
    told = f"reasoning={intent} sent as {level!r}: {model} takes levels ({rule.source})"
    return rule.levels[level], () if level == intent else (told,)


def _budgeted(
    rule: ReasoningRule, budget: Callable[[int], Fields], asked: int, model: str
) -> tuple[Fields, tuple[str, ...]]:
    if asked == 0 and "off" in rule.levels:
        return rule.levels["off"], ()
    least, most = rule.range or (asked, asked)
    taken = min(max(asked, least), most)
    told = f"reasoning={asked} sent as {taken}, the nearest that {model} takes ({rule.source})"
    return budget(taken), () if taken == asked else (told,)


def _nearest(budget: int) -> str:
    limits = {"off": 0, "low": LOW_BUDGET, "medium": MEDIUM_BUDGET}
    return next((level for level, limit in limits.items() if budget <= limit), "high")


def _rule(family: str, model: str) -> ReasoningRule | None:
    bare = model.removeprefix("models/")
    return next((r for r in REASONING if r.family == family and fnmatch.fnmatchcase(bare, r.pattern)), None)
