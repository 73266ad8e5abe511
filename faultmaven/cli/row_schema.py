"""JSON Schema of the providers file, for editors and builds; `faultmaven config --schema` prints it.

The schema has the rules of `fields.FIELDS`, which `row_faults` checks, too. JSON Schema cannot express two of them:
that `package.module:Class` can be imported, and that a whole number is written without a point (`3.0`).
"""

from collections.abc import Mapping
from typing import Any

from ..infrastructure.llm.dialects.registry import DIALECTS
from ..infrastructure.llm.providers.rows.fields import CLASS_PATTERN, FIELDS, NAME_SCHEMA, REQUIRED

CONTRADICTIONS: tuple[Mapping[str, Any], ...] = (
    {
        "if": {"properties": {"default_base_url": {"const": ""}}},
        "then": {"required": ["base_url_var"]},
    },
    {
        "if": {"properties": {"default_model": {"const": ""}}, "required": ["api_key_var"]},
        "then": {"properties": {"key": {"const": "optional"}}, "required": ["key"]},
    },
    {
        "if": {"properties": {"key": {"const": "required"}}, "required": ["key"]},
        "then": {"required": ["api_key_var"]},
    },
)
"""Rules that span several fields, as in `spec._contradictions`."""


def file_schema(classes: Mapping[str, type[Any]]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file that `LLM_PROVIDERS_FILE` names.

    Args:
        classes: The classes that a row may name without a module.
    """
    usable = {name: kind for name, kind in classes.items() if not FIELDS["provider_class"].rule.check(kind)}
    providers = {
        "description": "one table [providers.<name>] a provider",
        "type": "object",
        "propertyNames": NAME_SCHEMA,
        "additionalProperties": _row_schema(usable),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "faultmaven: the file of LLM_PROVIDERS_FILE",
        "type": "object",
        "properties": {"providers": providers},
        "additionalProperties": False,
    }


def _row_schema(classes: Mapping[str, type[Any]]) -> dict[str, Any]:
    properties = {name: field.schema for name, field in FIELDS.items()}
    properties["provider_class"] = {
        "description": f"{FIELDS['provider_class'].meaning}: its name, or package.module:Class for one of your own",
        "type": "string",
        "anyOf": [{"enum": list(classes)}, {"pattern": CLASS_PATTERN}],
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(REQUIRED),
        "additionalProperties": False,
        "allOf": [*CONTRADICTIONS, *(_dialect_rule(name, kind) for name, kind in classes.items())],
    }


def _dialect_rule(name: str, kind: type[Any]) -> dict[str, Any]:
    """Return the rule that a row of this class names one of the dialects of the class."""
    dialects = [dialect for dialect in DIALECTS if dialect.partition("/")[0] in getattr(kind, "dialects", ())]
    return {
        "if": {"properties": {"provider_class": {"const": name}}, "required": ["provider_class"]},
        "then": {"properties": {"dialect": {"enum": dialects}}},
    }
