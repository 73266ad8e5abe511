"""Tools, schemas and thinking as Anthropic Messages takes them. Source: wire/anthropic-messages.md 2 (4), (6), (7)."""

from dataclasses import dataclass

from .....domain.requests import ChatRequest
from .....domain.tools import Tool
from ....http.types import Json
from ...models import ModelFacts
from ...reasoning import reasoning_fields
from ..shared.schemas import ANY_JSON, close_objects, drop_keywords, inline_references, json_schema_of

MIN_BUDGET_TOKENS = 1024

# Refused by structured outputs; platform.claude.com, "JSON Schema limitations", in 2026. The answer is validated by us.
UNSUPPORTED = (
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
    """What one option becomes: fields of the body, a sentence of the system text, and notes."""

    fields: Json
    instruction: str = ""
    notes: tuple[str, ...] = ()


NOTHING_SET = Setting({})


def tool_setting(request: ChatRequest, facts: ModelFacts, model: str) -> Setting:
    """Return the tools and the choice among them; a model that refuses a forced one is told to call it instead."""
    if not request.tools:
        lost = () if request.tool_choice in (None, "none") else ("tool_choice left out: there are no tools",)
        return Setting({}, notes=lost)
    fields: Json = {"tools": [_tool(tool) for tool in request.tools]}
    choice = request.tool_choice
    if choice is None:
        return Setting(fields)
    if is_forced(request) and facts.refuses_forced_tools:
        told = "Call at least one of the tools now." if choice == "required" else f"Call the tool {choice!r} now."
        note = f"tool_choice={choice!r} sent as 'auto' with an instruction: {model} refuses it ({facts.source})"
        return Setting({**fields, "tool_choice": {"type": "auto"}}, told, (note,))
    kinds = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}
    return Setting({**fields, "tool_choice": kinds.get(choice, {"type": "tool", "name": choice})})


def is_forced(request: ChatRequest) -> bool:
    """Return whether a tool must be called."""
    return bool(request.tools) and request.tool_choice not in (None, "auto", "none")


def _tool(tool: Tool) -> Json:
    written: Json = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    return {**written, "input_schema": {"type": "object", "properties": {}, **tool.parameters}}


def format_setting(request: ChatRequest) -> Setting:
    """Return the form that the answer must have.

    Raises:
        SchemaRefusedError: the vendor does not take the schema.
    """
    if request.response_format == ANY_JSON:
        note = "response_format='json' sent as an instruction: this vendor has no such mode"
        return Setting({}, "Answer with one JSON object and nothing else.", (note,))
    schema = json_schema_of(request.response_format)
    if schema is None:
        return NOTHING_SET
    inline_references(schema)  # definitions may stay, but one that holds itself is refused
    full = close_objects(schema)
    sent = drop_keywords(full, *UNSUPPORTED)
    notes = () if sent == full else ("limits in the schema, such as minimum or maxLength, left out: they are refused",)
    return Setting({"output_config": {"format": {"type": "json_schema", "schema": sent}}}, notes=notes)


def thinking_setting(request: ChatRequest, facts: ModelFacts, model: str, limit: int) -> Setting:
    """Return how much to think, and `max_tokens` where a budget needs a larger one.

    Args:
        limit: The `max_tokens` that is sent otherwise.
    """
    told, notes = reasoning_fields("anthropic", model, request.reasoning)
    fields = dict(told)
    kind = fields.get("thinking", {}).get("type")
    if is_forced(request) and not facts.refuses_forced_tools and kind in ("enabled", "adaptive"):
        del fields["thinking"]
        return Setting(fields, notes=(*notes, f"thinking left out: {model} does not take it with a forced tool"))
    if kind == "enabled":
        return _fitted(request, facts, fields, limit, notes)
    return Setting(fields, notes=notes)


def _fitted(request: ChatRequest, facts: ModelFacts, fields: Json, limit: int, notes: tuple[str, ...]) -> Setting:
    """A budget is at least 1024 and below `max_tokens`, which counts thinking and answer together."""
    asked = fields["thinking"]["budget_tokens"]
    budget = max(asked, MIN_BUDGET_TOKENS)
    if budget >= limit and request.max_tokens is None:
        limit = min(limit + budget, facts.max_output or limit + budget)
        fields = {**fields, "max_tokens": limit}
        notes = (*notes, f"max_tokens raised to {limit}: thinking counts into it")
    if budget >= limit:
        budget = max(limit - (request.min_output_tokens or limit // 4), MIN_BUDGET_TOKENS)
    if budget >= limit:
        return Setting({}, notes=(*notes, f"thinking left out: max_tokens={limit} leaves no room for it"))
    if budget != asked:
        notes = (*notes, f"a thinking budget of {asked} tokens sent as {budget}")
    return Setting({**fields, "thinking": {"type": "enabled", "budget_tokens": budget}}, notes=notes)
