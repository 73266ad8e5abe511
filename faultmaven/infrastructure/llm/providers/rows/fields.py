"""The fields of a row: meaning and validation rule of each.

A rule validates a value in two ways: with a check, whose message completes the sentence "must be ...", and with JSON
Schema, for editors. tests/unit/test_row_schema.py compares the two.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .....domain.addresses import names_a_server
from .....domain.names import did_you_mean
from ...capabilities import CAPABILITY_NAMES, ROW_CAPABILITIES, TOKEN_LIMITS
from ...dialects.registry import DIALECTS
from ..base import BaseLLMProvider

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldRule:
    """The validation rule of a value.

    Attributes:
        check: Returns "" for a valid value, else the expected kind of value, such as "a string".
        schema: The same rule as JSON Schema.
    """

    check: Callable[[Any], str]
    schema: Schema


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row.

    Attributes:
        meaning: A sentence without its full stop, as in docs/adding-a-provider.md.
    """

    meaning: str
    rule: FieldRule
    required: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The field as JSON Schema."""
        return {"description": self.meaning, **self.rule.schema}


PORT_MEMBERS = ("provider_name", "is_available", "get_supported_models", "generate")
"""The members of `LLMProvider` that a third-party class or object must have."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Placeholder for a row or a class that could not be loaded.

    Attributes:
        expected: Completes the sentence "must be ...".
    """

    expected: str


# Each function returns "" for a valid value, else the expected kind of value.


def _expect_text(value: Any) -> str:
    return "" if isinstance(value, str) else "a string"


def expect_name(value: Any) -> str:
    """Return "" for a string that is not blank, else the expected kind of value."""
    return "" if isinstance(value, str) and value.strip() else "a non-empty string"


def _expect_variable(value: Any) -> str:
    is_variable = isinstance(value, str) and value.isidentifier() and value.isascii()
    return "" if is_variable else "the name of an environment variable"


def is_address(address: str) -> bool:
    """Return whether `address` is a complete http:// or https:// address to which a path can be appended."""
    return names_a_server(address) and not any(character.isspace() or character in "?#" for character in address)


def _expect_base_url(value: Any) -> str:
    fits = isinstance(value, str) and (not value or is_address(value))
    return "" if fits else "an address that begins with http:// or https://, or an empty string"


def _expect_seconds(value: Any) -> str:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    return "" if fits else "a number of seconds above 0"


def _expect_count(value: Any) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number, 0 or more"


def _expect_positive_count(value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return "" if fits else "a whole number above 0"


def _expect_weight(value: Any) -> str:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return "" if fits else "a number from 0 to 1"


KEY_RULES = ("required", "optional")


def _expect_key_rule(value: Any) -> str:
    return "" if value in KEY_RULES else '"required" or "optional"'


def _expect_dialect(value: Any) -> str:
    if not isinstance(value, str):
        return "the name of a dialect"
    return "" if value in DIALECTS else f"a known dialect{did_you_mean(value, DIALECTS)}"


def _expect_names(value: Any) -> str:
    fits = isinstance(value, list | tuple) and all(isinstance(item, str) and item.strip() for item in value)
    return "" if fits else "a list of strings"


def _expect_capabilities(value: Any) -> str:
    if isinstance(value, Mapping):
        return ""  # `capability_faults` validates a mapping entry by entry
    if not isinstance(value, list | tuple | set | frozenset):
        return f"a list from {', '.join(ROW_CAPABILITIES)}, or a mapping of these to true or false"
    unknown = [item for item in value if item not in ROW_CAPABILITIES]
    return f"a list of capabilities{did_you_mean(str(unknown[0]), ROW_CAPABILITIES)}" if unknown else ""


def _expect_boolean(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def capability_faults(entries: Mapping[str, Any], place: str = "capabilities") -> Iterator[str]:
    """Yield a message for each fault of a mapping of capabilities and of its `models`."""
    known = (*CAPABILITY_NAMES, "models") if place == "capabilities" else CAPABILITY_NAMES
    for name, value in entries.items():
        where = f"{place}.{name}"
        if name not in known:
            yield f"unknown capability {where!r}{did_you_mean(str(name), known)}"
        elif name == "models":
            yield from _model_capability_faults(value)
        elif expected := (_expect_positive_count if name in TOKEN_LIMITS else _expect_boolean)(value):
            yield f"{where!r} must be {expected}"


def _model_capability_faults(models: Any) -> Iterator[str]:
    if not isinstance(models, Mapping):
        yield "'capabilities.models' must be a mapping of patterns to capabilities"
        return
    for pattern, entries in models.items():
        if not isinstance(pattern, str) or not isinstance(entries, Mapping):
            yield f"'capabilities.models.{pattern}' must be a mapping of capabilities"
        else:
            yield from capability_faults(entries, f"capabilities.models.{pattern}")


HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
HTTP_CLIENT_HEADERS = ("content-length", "host", "transfer-encoding", "connection")


def _expect_headers(value: Any) -> str:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        return "a mapping of strings to strings"
    for name, text in value.items():
        if not re.fullmatch(HEADER_NAME, name) or not (text.isascii() and text.isprintable()):
            return f"a mapping of HTTP headers; {name!r} is not a valid header"
        if name.lower() in HTTP_CLIENT_HEADERS:
            return f"a mapping of HTTP headers; {name!r} is set by the HTTP client"
    return ""


def _expect_provider_class(value: Any) -> str:
    if isinstance(value, Unresolved):
        return value.expected
    if not isinstance(value, type):
        return "a provider class"
    if issubclass(value, BaseLLMProvider):
        answers = value.generate is not BaseLLMProvider.generate or value.answer is not BaseLLMProvider.answer
        return "" if answers else "a class that overrides generate() or answer()"
    missing = [name for name in PORT_MEMBERS if not hasattr(value, name)]
    return f"a subclass of BaseLLMProvider, or a class with {', '.join(missing)}" if missing else ""


# --- The rules as JSON Schema, with patterns in the part of ECMA-262 that every validator supports --------------------

_PORT = "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)"
_ADDRESS = rf"[Hh][Tt][Tt][Pp][Ss]?://([^\s/?#]*@)?{_HOST}(:({_PORT})?)?(/[^\s?#]*)?"


def _ignoring_case(text: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else letter for letter in text)


def _capabilities_schema(*, with_models: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": "boolean"} for name in ROW_CAPABILITIES}
    properties |= {name: {"type": "integer", "minimum": 1, "description": "tokens"} for name in TOKEN_LIMITS}
    if with_models:
        properties["models"] = {
            "description": "the same for the models whose names match a shell-style pattern",
            "type": "object",
            "additionalProperties": _capabilities_schema(with_models=False),
        }
    return {"type": "object", "properties": properties, "additionalProperties": False}


NAME_SCHEMA: Schema = {"type": "string", "pattern": r"^[^\s,]([^,]*[^\s,])?$"}
"""The rule for provider names: not blank, no comma, no leading or trailing white space."""

_TEXT = FieldRule(_expect_text, {"type": "string"})
_VARIABLE = FieldRule(_expect_variable, {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
_BASE_URL = FieldRule(_expect_base_url, {"type": "string", "pattern": f"^({_ADDRESS})?$"})
_SECONDS = FieldRule(_expect_seconds, {"type": "number", "exclusiveMinimum": 0})
_COUNT = FieldRule(_expect_count, {"type": "integer", "minimum": 0})
_POSITIVE_COUNT = FieldRule(_expect_positive_count, {"type": "integer", "minimum": 1})
_WEIGHT = FieldRule(_expect_weight, {"type": "number", "minimum": 0, "maximum": 1})
_KEY_RULE = FieldRule(_expect_key_rule, {"enum": list(KEY_RULES)})
_DIALECT = FieldRule(_expect_dialect, {"enum": list(DIALECTS)})
_NAMES = FieldRule(_expect_names, {"type": "array", "items": {"type": "string", "pattern": r"\S"}})
_CAPABILITIES = FieldRule(
    _expect_capabilities,
    {"anyOf": [{"type": "array", "items": {"enum": list(ROW_CAPABILITIES)}}, _capabilities_schema(with_models=True)]},
)
_HEADERS = FieldRule(
    _expect_headers,
    {
        "type": "object",
        "propertyNames": {
            "pattern": f"^{HEADER_NAME}$",
            "not": {"pattern": f"^({'|'.join(map(_ignoring_case, HTTP_CLIENT_HEADERS))})$"},
        },
        "additionalProperties": {"type": "string", "pattern": "^[ -~]*$"},
    },
)
# In a file, a class is written as a string; `cli.row_schema` adds the known class names.
CLASS_PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
_PROVIDER_CLASS = FieldRule(_expect_provider_class, {"type": "string", "pattern": CLASS_PATTERN})

FIELDS: dict[str, Field] = {
    "api_key_var": Field(
        "the variable that holds the key; <variable>_FILE may name a file instead. Without this field no key is needed",
        _VARIABLE,
    ),
    "model_var": Field(
        "the variable for the model; may list several models, comma separated, the first is the default",
        _VARIABLE,
        True,
    ),
    "base_url_var": Field("the variable for another address", _VARIABLE),
    "default_base_url": Field(
        "the address, with the version path as the vendor's documentation has it. Empty: the variable must be set",
        _BASE_URL,
        True,
    ),
    "default_model": Field(
        "the model when neither the caller nor the variable names one. Empty, for a local server: the first model"
        " that the server lists",
        _TEXT,
        True,
    ),
    "provider_class": Field("the class that calls the vendor", _PROVIDER_CLASS, True),
    "max_retries": Field("calls after the first", _COUNT, True),
    "timeout": Field("seconds for one attempt", _SECONDS, True),
    "confidence_score": Field(
        "weight from 0 to 1: orders the default chain, and is the response's confidence", _WEIGHT, True
    ),
    "key": Field(
        '"required" (the default with an api_key_var) or "optional", for a server that may run without one', _KEY_RULE
    ),
    "dialect": Field("the dialect where the class supports several, or the vendor's form of a dialect", _DIALECT),
    "models": Field("further models of the vendor; a call that names one of these tries this provider first", _NAMES),
    "capabilities": Field(
        f"features of the models: a list from {', '.join(ROW_CAPABILITIES)} (exactly these), or a mapping of the"
        " differences",
        _CAPABILITIES,
    ),
    "headers": Field("further headers for every request", _HEADERS),
    "max_concurrency": Field("calls in flight at once; enforced by the router", _POSITIVE_COUNT),
    "requests_per_minute": Field(
        "calls in any minute; enforced by the router. Needs the extra ratelimit", _POSITIVE_COUNT
    ),
    "tokens_per_minute": Field(
        "tokens in any minute, of prompts and answers; enforced by the router. Needs the extra ratelimit",
        _POSITIVE_COUNT,
    ),
}
REQUIRED = tuple(name for name, field in FIELDS.items() if field.required)
OPTIONAL = tuple(name for name in FIELDS if name not in REQUIRED)
