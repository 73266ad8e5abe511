"""Conversion of JSON schemas to the subsets that vendors support. Strict modes do not accept pydantic's own schema.

Every function returns a new schema and never changes its argument. An unsupported schema raises `SchemaRefusedError`,
which `refusal` of a dialect turns into the reason.
"""

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .....domain.messages import Message
from .....domain.requests import ChatRequest
from ....http.types import Json

ANY_JSON = "json"
"""The `response_format` for any JSON object."""


class SchemaRefusedError(Exception):
    """The vendor does not support this schema; `str()` is the reason, as one clause."""


def json_schema_of(response_format: Any) -> Json | None:
    """Return the requested JSON schema; None without a response format, or when any JSON object is acceptable."""
    if response_format is None or response_format == ANY_JSON:
        return None
    build_schema = getattr(response_format, "model_json_schema", None)
    return build_schema() if build_schema is not None else copy.deepcopy(dict(response_format))


def json_instruction(request: ChatRequest, messages: Iterable[Message]) -> str:
    """Return the instruction that a JSON mode needs in the prompt, "" when a message already contains the word "JSON".

    Args:
        messages: The messages in which the vendor looks for the word.
    """
    if request.response_format != ANY_JSON or any("json" in message.text.lower() for message in messages):
        return ""
    return "Answer with a JSON object."


def schema_name(response_format: Any) -> str:
    """Return a name for the schema, which OpenAI requires: letters, digits, `_` and `-`, at most 64 characters."""
    title = getattr(response_format, "__name__", None) or (
        response_format.get("title") if isinstance(response_format, Mapping) else ""
    )
    return re.sub(r"[^A-Za-z0-9_-]+", "_", str(title or "answer"))[:64] or "answer"


def close_objects(schema: Json) -> Json:
    """Return the schema with every object closed by `additionalProperties: false`.

    Raises:
        SchemaRefusedError: an object allows any property names. The message has the path of the object.
    """
    return _transform(copy.deepcopy(schema), _close_object, "$")


def to_strict_schema(schema: Json) -> Json:
    """Return the schema for OpenAI's strict mode: objects closed, all properties required, optional ones nullable.

    Raises:
        SchemaRefusedError: an object allows any property names. The message has the path of the object.
    """
    return _transform(copy.deepcopy(schema), _make_object_strict, "$")


def inline_references(schema: Json) -> Json:
    """Return the schema without `$ref` and `$defs`: each reference is replaced by the definition.

    Raises:
        SchemaRefusedError: a definition is recursive, or a reference points outside the schema.
    """
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    without_definitions = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    inlined_schema: Json = _inline(without_definitions, definitions, ())
    return inlined_schema


def drop_keywords(schema: Json, *keywords: str) -> Json:
    """Return the schema without `keywords`, at every level."""

    def drop(node: Json, _: str) -> None:
        for keyword in keywords:
            node.pop(keyword, None)

    return _transform(copy.deepcopy(schema), drop, "$")


def _close_object(node: Json, path: str) -> None:
    if node.get("type") != "object" and "properties" not in node:
        return
    if node.get("additionalProperties", False) is not False:
        raise SchemaRefusedError(f"the object at {path} allows any names (additionalProperties)")
    if "properties" not in node and not node.get("additionalProperties") and "additionalProperties" not in node:
        raise SchemaRefusedError(f"the object at {path} names no properties")
    node["additionalProperties"] = False


def _make_object_strict(node: Json, path: str) -> None:
    _close_object(node, path)
    node.pop("default", None)
    properties = node.get("properties")
    if not isinstance(properties, dict):
        return
    required = node.get("required", [])
    for name, subschema in properties.items():
        if name not in required and isinstance(subschema, dict):
            properties[name] = _make_nullable(subschema)
    node["required"] = list(properties)


def _make_nullable(schema: Json) -> Json:
    schema_type = schema.get("type")
    if schema_type == "null" or (isinstance(schema_type, list) and "null" in schema_type):
        return schema
    options = schema.get("anyOf")
    if isinstance(options, list):
        has_null = any(isinstance(option, dict) and option.get("type") == "null" for option in options)
        return schema if has_null else {**schema, "anyOf": [*options, {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


# Keywords that hold further schemas: by name, in a list, or a single one.
_KEYWORDS_BY_NAME = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_KEYWORDS_WITH_LIST = ("anyOf", "oneOf", "allOf", "prefixItems")
_KEYWORDS_WITH_SCHEMA = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")


def _transform(node: Json, transform_node: Callable[[Json, str], None], path: str) -> Json:
    """Call `transform_node` for the schema and all schemas inside, and return the schema, which has been changed."""
    transform_node(node, path)
    for key in _KEYWORDS_BY_NAME:
        by_name = node.get(key)
        if isinstance(by_name, dict):
            for name, subschema in by_name.items():
                if isinstance(subschema, dict):
                    by_name[name] = _transform(subschema, transform_node, f"{path}.{name}")
    for key in _KEYWORDS_WITH_LIST:
        in_list = node.get(key)
        if isinstance(in_list, list):
            node[key] = [_transform(item, transform_node, path) if isinstance(item, dict) else item for item in in_list]
    for key in _KEYWORDS_WITH_SCHEMA:
        subschema = node.get(key)
        if isinstance(subschema, dict):
            node[key] = _transform(subschema, transform_node, f"{path}[]" if key == "items" else path)
    return node


def _inline(node: Any, definitions: Mapping[str, Any], enclosing_names: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions, enclosing_names) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return {key: _inline(value, definitions, enclosing_names) for key, value in node.items()}
    name = reference.rpartition("/")[2]
    if name in enclosing_names:
        raise SchemaRefusedError(f"the definition {name!r} contains itself")
    if not reference.startswith("#/") or name not in definitions:
        raise SchemaRefusedError(f"the reference {reference!r} has no target in the schema")
    siblings = {key: value for key, value in node.items() if key != "$ref"}
    definition = _inline(definitions[name], definitions, (*enclosing_names, name))
    return {**definition, **_inline(siblings, definitions, enclosing_names)}
