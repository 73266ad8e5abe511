"""Schemas as each vendor takes them; see DEPENDENCIES.md: strict modes do not take pydantic's schema as it is.

Every function returns a new schema and leaves the one it was given as it is. What a vendor cannot take is refused by
name with `SchemaRefusedError`, which `refusal` of a dialect turns into its clause.
"""

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .....domain.messages import Message
from .....domain.requests import ChatRequest
from ....http.types import Json

ANY_JSON = "json"
"""`response_format` of a caller that wants any JSON object."""


class SchemaRefusedError(Exception):
    """A vendor has no form for this schema; `str()` is the reason, as one clause."""


def json_schema_of(response_format: Any) -> Json | None:
    """Return the JSON schema that is asked for; None when nothing is, or any JSON will do."""
    if response_format is None or response_format == ANY_JSON:
        return None
    made = getattr(response_format, "model_json_schema", None)
    return made() if made is not None else copy.deepcopy(dict(response_format))


def json_instruction(request: ChatRequest, read: Iterable[Message]) -> str:
    """Return what a prompt still has to say for a JSON mode, which demands the word; "" where nothing is missing.

    Args:
        read: The turns in which the vendor looks for the word.
    """
    if request.response_format != ANY_JSON or any("json" in message.text.lower() for message in read):
        return ""
    return "Answer with a JSON object."


def schema_name(response_format: Any) -> str:
    """Return a name for the schema, as OpenAI's form demands one: letters, digits, `_` and `-`, at most 64."""
    told = getattr(response_format, "__name__", None) or (
        response_format.get("title") if isinstance(response_format, Mapping) else ""
    )
    return re.sub(r"[^A-Za-z0-9_-]+", "_", str(told or "answer"))[:64] or "answer"


def close_objects(schema: Json) -> Json:
    """Return the schema with every object closed by `additionalProperties: false`.

    Raises:
        SchemaRefusedError: an object takes any names; the place is named.
    """
    return _walked(copy.deepcopy(schema), _close, "$")


def to_strict_schema(schema: Json) -> Json:
    """Return the schema in OpenAI's strict form: objects closed, every property required, optional ones nullable.

    Raises:
        SchemaRefusedError: an object takes any names; the place is named.
    """
    return _walked(copy.deepcopy(schema), _make_strict, "$")


def inline_references(schema: Json) -> Json:
    """Return the schema without `$ref` and `$defs`: each reference is replaced by what it names.

    Raises:
        SchemaRefusedError: a definition holds itself, or a reference leads out of the schema.
    """
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    rest = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    inlined_schema: Json = _inline(rest, definitions, ())
    return inlined_schema


def drop_keywords(schema: Json, *keywords: str) -> Json:
    """Return the schema without `keywords`, wherever a schema may have them."""

    def drop(node: Json, _: str) -> None:
        for keyword in keywords:
            node.pop(keyword, None)

    return _walked(copy.deepcopy(schema), drop, "$")


def _close(node: Json, place: str) -> None:
    if node.get("type") != "object" and "properties" not in node:
        return
    if node.get("additionalProperties", False) is not False:
        raise SchemaRefusedError(f"the object at {place} takes any names (additionalProperties)")
    if "properties" not in node and not node.get("additionalProperties") and "additionalProperties" not in node:
        raise SchemaRefusedError(f"the object at {place} names no properties")
    node["additionalProperties"] = False


def _make_strict(node: Json, place: str) -> None:
    _close(node, place)
    node.pop("default", None)
    properties = node.get("properties")
    if not isinstance(properties, dict):
        return
    required = node.get("required", [])
    for name, inner in properties.items():
        if name not in required and isinstance(inner, dict):
            properties[name] = _nullable(inner)
    node["required"] = list(properties)


def _nullable(schema: Json) -> Json:
    kind = schema.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind):
        return schema
    options = schema.get("anyOf")
    if isinstance(options, list):
        has_null = any(isinstance(option, dict) and option.get("type") == "null" for option in options)
        return schema if has_null else {**schema, "anyOf": [*options, {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


# Where a schema holds schemas: by name, in a list, or alone.
_NAMED = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")


def _walked(node: Json, change: Callable[[Json, str], None], place: str) -> Json:
    change(node, place)
    for key in _NAMED:
        named = node.get(key)
        if isinstance(named, dict):
            for name, inner in named.items():
                if isinstance(inner, dict):
                    named[name] = _walked(inner, change, f"{place}.{name}")
    for key in _LISTED:
        listed = node.get(key)
        if isinstance(listed, list):
            node[key] = [_walked(inner, change, place) if isinstance(inner, dict) else inner for inner in listed]
    for key in _SINGLE:
        inner = node.get(key)
        if isinstance(inner, dict):
            node[key] = _walked(inner, change, f"{place}[]" if key == "items" else place)
    return node


def _inline(node: Any, definitions: Mapping[str, Any], open_names: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions, open_names) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return {key: _inline(value, definitions, open_names) for key, value in node.items()}
    name = reference.rpartition("/")[2]
    if name in open_names:
        raise SchemaRefusedError(f"the definition {name!r} holds itself")
    if not reference.startswith("#/") or name not in definitions:
        raise SchemaRefusedError(f"the reference {reference!r} leads nowhere in the schema")
    beside = {key: value for key, value in node.items() if key != "$ref"}
    found = _inline(definitions[name], definitions, (*open_names, name))
    return {**found, **_inline(beside, definitions, open_names)}
