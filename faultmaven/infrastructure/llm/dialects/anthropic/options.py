"""Tools, schemas and thinking in requests of Anthropic Messages.

Source: wire reference, anthropic-messages.md 2 (4), (6), (7).
"""

from dataclasses import dataclass

from .....domain.requests import ChatRequest
from .....domain.tools import Tool
from ....http.types import Json
from ...models import ModelFacts
from ...reasoning import reasoning_fields
from ..shared.schemas import ANY_JSON, close_objects, drop_keywords, inline_references, json_schema_of

MIN_BUDGET_TOKENS = 1024

# Keywords that structured outputs refuse (platform.claude.com, "JSON Schema limitations", 2026). The router validates
# the answer against the complete schema.
UNSUPPORTED_KEYWORDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """The translation of one option: fields of the body, an instruction for the system text, and notes."""

    fields: Json
    instruction: str = ""
    notes: tuple[str, ...] = ()


NOTHING_SET = Setting({})


def build_tool_setting(request: ChatRequest, facts: ModelFacts, model: str) -> Setting:
    """Return the tools and the tool choice. A model that refuses a forced tool gets an instruction instead."""
    if not request.tools:
        notes = () if request.tool_choice in (None, "none") else ("tool_choice left out: there are no tools",)
        return Setting({}, notes=notes)
    fields: Json = {"tools": [_write_tool(tool) for tool in request.tools]}
    choice = request.tool_choice
    if choice is None:
        return Setting(fields)
    if is_forced(request) and facts.refuses_forced_tools:
        instruction = (
            "Call at least one of the tools now." if choice == "required" else f"Call the tool {choice!r} now."
        )
        note = (
            f"tool_choice={choice!r} sent as 'auto' with an instruction: {model} refuses forced tools ({facts.source})"
        )
        return Setting({**fields, "tool_choice": {"type": "auto"}}, instruction, (note,))
    choices = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}
    return Setting({**fields, "tool_choice": choices.get(choice, {"type": "tool", "name": choice})})


def is_forced(request: ChatRequest) -> bool:
    """Return whether the caller forces a tool call."""
    return bool(request.tools) and request.tool_choice not in (None, "auto", "none")


def _write_tool(tool: Tool) -> Json:
    fields: Json = {"name": tool.name}
    if tool.description:
        fields["description"] = tool.description
    return {**fields, "input_schema": {"type": "object", "properties": {}, **tool.parameters}}


def build_format_setting(request: ChatRequest) -> Setting:
    """Return the schema of the answer, or an instruction for any JSON object.

    Raises:
        SchemaRefusedError: the vendor does not support the schema.
    """
    if request.response_format == ANY_JSON:
        note = "response_format='json' sent as an instruction: the vendor has no JSON mode"
        return Setting({}, "Answer with one JSON object and nothing else.", (note,))
    schema = json_schema_of(request.response_format)
    if schema is None:
        return NOTHING_SET
    inline_references(schema)  # only to refuse recursive definitions; others may stay
    closed = close_objects(schema)
    supported = drop_keywords(closed, *UNSUPPORTED_KEYWORDS)
    note = "limits in the schema, such as minimum or maxLength, left out: the vendor refuses such limits"
    fields: Json = {"output_config": {"format": {"type": "json_schema", "schema": supported}}}
    return Setting(fields, notes=() if supported == closed else (note,))


def build_thinking_setting(request: ChatRequest, facts: ModelFacts, model: str, limit: int) -> Setting:
    """Return the thinking fields, with a larger `max_tokens` where the thinking budget needs it.

    Args:
        limit: The value of `max_tokens` without thinking.
    """
    thinking, notes = reasoning_fields("anthropic", model, request.reasoning)
    fields = dict(thinking)
    thinking_type = fields.get("thinking", {}).get("type")
    if is_forced(request) and not facts.refuses_forced_tools and thinking_type in ("enabled", "adaptive"):
        del fields["thinking"]
        return Setting(fields, notes=(*notes, f"thinking left out: {model} refuses thinking with a forced tool"))
    if thinking_type == "enabled":
        return _fit_budget(request, facts, fields, limit, notes)
    return Setting(fields, notes=notes)


def _fit_budget(request: ChatRequest, facts: ModelFacts, fields: Json, limit: int, notes: tuple[str, ...]) -> Setting:
    """Fit the thinking budget: at least 1024 tokens and less than `max_tokens`, which includes thinking and answer."""
    requested = fields["thinking"]["budget_tokens"]
    budget = max(requested, MIN_BUDGET_TOKENS)
    if budget >= limit and request.max_tokens is None:
        limit = min(limit + budget, facts.max_output or limit + budget)
        fields = {**fields, "max_tokens": limit}
        notes = (*notes, f"max_tokens raised to {limit}: thinking counts towards max_tokens")
    if budget >= limit:
        budget = max(limit - (request.min_output_tokens or limit // 4), MIN_BUDGET_TOKENS)
    if budget >= limit:
        return Setting({}, notes=(*notes, f"thinking left out: max_tokens={limit} leaves no room for thinking"))
    if budget != requested:
        notes = (*notes, f"a thinking budget of {requested} tokens sent as {budget}")
    return Setting({**fields, "thinking": {"type": "enabled", "budget_tokens": budget}}, notes=notes)
