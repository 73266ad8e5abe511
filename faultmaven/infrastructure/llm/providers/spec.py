"""Rows: the guide's plain dicts, validated into frozen specs with every fault reported at once."""

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from faultmaven.domain.addresses import names_a_server
from faultmaven.domain.names import did_you_mean
from faultmaven.infrastructure.llm.capabilities import ENTRIES, LIMITS, ROW_CAPABILITIES, RowCapabilities
from faultmaven.infrastructure.llm.providers.base import BaseLLMProvider
from faultmaven.infrastructure.llm.wire.catalogue import DIALECTS


class _RequiredFields(TypedDict):
    model_var: str
    default_base_url: str
    default_model: str
    provider_class: type[Any]
    max_retries: int
    timeout: float
    confidence_score: float


class SchemaRow(_RequiredFields, total=False):
    """A row of `PROVIDER_SCHEMA`: the guide's nine fields, and the optional ones.

    `timeout` is in seconds for one attempt, `max_retries` counts calls after the first. `default_base_url: ""` means
    that the variable must be set; `default_model: ""` that a local server is asked for its list.
    `capabilities` is a list of exactly what there is, or a mapping of what differs from the dialect and the known
    facts: names to true or false, `context_window` and `max_output` in tokens, and `models`, which maps patterns of
    model names to the same.
    """

    api_key_var: str
    base_url_var: str
    key: Literal["required", "optional"]
    dialect: str
    models: list[str]
    capabilities: list[str] | dict[str, Any]
    headers: dict[str, str]
    max_concurrency: int
    requests_per_minute: int
    tokens_per_minute: int


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """A validated row. `source` says where the row came from; "" in a variable's name means that there is none."""

    name: str
    source: str
    provider_class: type[Any]
    model_var: str
    default_base_url: str
    default_model: str
    max_retries: int
    timeout: float
    confidence_score: float
    api_key_var: str = ""
    base_url_var: str = ""
    key: Literal["required", "optional"] = "required"
    dialect: str = ""
    models: tuple[str, ...] = ()
    capabilities: RowCapabilities = field(default_factory=RowCapabilities)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it needs no key: a server of one's own."""
        return self.key == "optional"

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables of this row, in the order key, model, base URL."""
        return tuple(name for name in (self.api_key_var, self.model_var, self.base_url_var) if name)


# What a class or an object of somebody else's must have to be asked.
PORT_MEMBERS = ("provider_name", "is_available", "get_supported_models", "generate")


def _is_text(value: Any) -> str:
    return "" if isinstance(value, str) else "a string"


def _is_name(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else "a non-empty string"


def _is_variable(value: Any) -> str:
    plain = isinstance(value, str) and value.isidentifier() and value.isascii()
    return "" if plain else "the name of an environment variable"


def is_address(address: str) -> bool:
    """Return whether `address` is a whole http:// or https:// address that routes can be appended to."""
    return names_a_server(address) and not any(character.isspace() or character in "?#" for character in address)


def _is_base_url(value: Any) -> str:
    fits = isinstance(value, str) and (not value or is_address(value))
    return "" if fits else "an address that begins with http:// or https://, or an empty string"


def _is_seconds(value: Any) -> str:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    return "" if fits else "a number of seconds above 0"


def _is_count(value: Any) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number, 0 or more"


def _is_positive_count(value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return "" if fits else "a whole number above 0"


def _is_weight(value: Any) -> str:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return "" if fits else "a number from 0 to 1"


def _is_key_rule(value: Any) -> str:
    return "" if value in ("required", "optional") else '"required" or "optional"'


def _is_dialect(value: Any) -> str:
    if not isinstance(value, str):
        return "the name of a dialect"
    return "" if value in DIALECTS else f"a known dialect{did_you_mean(value, DIALECTS)}"


def _are_names(value: Any) -> str:
    fits = isinstance(value, list | tuple) and all(isinstance(item, str) and item.strip() for item in value)
    return "" if fits else "a list of strings"


def _are_capabilities(value: Any) -> str:
    if isinstance(value, Mapping):
        return ""  # told entry by entry, see `_capability_faults`
    if not isinstance(value, list | tuple | set | frozenset):
        return f"a list from {', '.join(ROW_CAPABILITIES)}, or a mapping of them to true or false"
    wrong = [item for item in value if item not in ROW_CAPABILITIES]
    return f"a list of capabilities{did_you_mean(str(wrong[0]), ROW_CAPABILITIES)}" if wrong else ""


def _is_truth(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _capability_faults(entries: Mapping[str, Any], place: str) -> Iterator[str]:
    """Give what is wrong in a mapping of capabilities, and in its `models`."""
    known = (*ENTRIES, "models") if place == "capabilities" else ENTRIES
    for name, value in entries.items():
        where = f"{place}.{name}"
        if name not in known:
            yield f"unknown capability {where!r}{did_you_mean(str(name), known)}"
        elif name == "models":
            yield from _model_capability_faults(value)
        elif expected := (_is_positive_count if name in LIMITS else _is_truth)(value):
            yield f"{where!r} must be {expected}"


def _model_capability_faults(models: Any) -> Iterator[str]:
    if not isinstance(models, Mapping):
        yield "'capabilities.models' must be a mapping of patterns to capabilities"
        return
    for pattern, entries in models.items():
        if not isinstance(pattern, str) or not isinstance(entries, Mapping):
            yield f"'capabilities.models.{pattern}' must be a mapping of capabilities"
        else:
            yield from _capability_faults(entries, f"capabilities.models.{pattern}")


def _are_headers(value: Any) -> str:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        return "a mapping of strings to strings"
    for name, text in value.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not (text.isascii() and text.isprintable()):
            return f"a mapping of HTTP headers; {name!r} cannot travel as one"
        if name.lower() in ("content-length", "host", "transfer-encoding", "connection"):
            return f"a mapping of HTTP headers; {name!r} is the HTTP client's own"
    return ""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Stands in for a row or a class that its name did not lead to; `expected` ends the sentence "must be ..."."""

    expected: str


def _is_provider_class(value: Any) -> str:
    if isinstance(value, Unresolved):
        return value.expected
    if not isinstance(value, type):
        return "a provider class"
    if issubclass(value, BaseLLMProvider):
        answers = value.generate is not BaseLLMProvider.generate or value.answer is not BaseLLMProvider.answer
        return "" if answers else "a class that overrides generate() or answer()"
    missing = [name for name in PORT_MEMBERS if not hasattr(value, name)]
    return f"a subclass of BaseLLMProvider, or a class with {', '.join(missing)}" if missing else ""


# What each field must be; a check returns "" or what was expected instead.
REQUIRED: dict[str, Callable[[Any], str]] = {
    "model_var": _is_variable,
    "default_base_url": _is_base_url,
    "default_model": _is_text,
    "provider_class": _is_provider_class,
    "max_retries": _is_count,
    "timeout": _is_seconds,
    "confidence_score": _is_weight,
}
OPTIONAL: dict[str, Callable[[Any], str]] = {
    "api_key_var": _is_variable,
    "base_url_var": _is_variable,
    "key": _is_key_rule,
    "dialect": _is_dialect,
    "models": _are_names,
    "capabilities": _are_capabilities,
    "headers": _are_headers,
    "max_concurrency": _is_positive_count,
    "requests_per_minute": _is_positive_count,
    "tokens_per_minute": _is_positive_count,
}
FIELDS = REQUIRED | OPTIONAL


def row_faults(name: Any, row: Any, source: str = "") -> list[str]:
    """Return everything that is wrong with a row, each as one sentence; an empty list when nothing is.

    Args:
        source: Where the row was found; every sentence says it.
    """
    where = f"provider {name!r} ({source})" if source else f"provider {name!r}"
    if fault := _is_name(name):
        return [f"{where}: its name must be {fault}"]
    if name != name.strip() or "," in name:
        return [f"{where}: its name must have no comma and no white space around it"]
    if isinstance(row, Unresolved):
        return [f"{where}: its row must be {row.expected}"]
    if not isinstance(row, Mapping):
        return [f"{where}: its row is a {type(row).__name__}, not a mapping"]
    unknown = [field_name for field_name in row if field_name not in FIELDS]
    faults = [f"{where}: unknown field {field_name!r}{_nearest_field(field_name, row)}" for field_name in unknown]
    faults += [f"{where}: {required!r} is missing" for required in REQUIRED if required not in row]
    for field_name, check in FIELDS.items():
        if field_name in row and (expected := check(row[field_name])):
            faults.append(f"{where}: {field_name!r} must be {expected}")
    if isinstance(row.get("capabilities"), Mapping):
        faults += [f"{where}: {fault}" for fault in _capability_faults(row["capabilities"], "capabilities")]
    return faults or _contradictions(where, row)


def _nearest_field(name: Any, row: Mapping[str, Any]) -> str:
    absent = [known for known in FIELDS if known not in row]
    close = difflib.get_close_matches(str(name), absent, n=1)
    return f"; did you mean {close[0]!r}?" if close else did_you_mean(str(name), FIELDS)


def _contradictions(where: str, row: Mapping[str, Any]) -> list[str]:
    faults = []
    if not row["default_base_url"] and "base_url_var" not in row:
        faults.append(f"{where}: with an empty 'default_base_url' it needs a 'base_url_var'")
    if not row["default_model"] and row.get("key") != "optional" and "api_key_var" in row:
        faults.append(
            f"{where}: 'default_model' is empty; only a local server (key = \"optional\") can be asked for one"
        )
    if row.get("key") == "required" and "api_key_var" not in row:
        faults.append(f"{where}: 'key' is \"required\", but there is no 'api_key_var'")
    spoken = getattr(row["provider_class"], "dialects", ())
    dialect = row.get("dialect")
    if dialect and dialect.partition("/")[0] not in spoken:
        named = row["provider_class"].__name__
        faults.append(f"{where}: {named} does not speak {dialect!r}; it speaks {', '.join(spoken) or 'its own'}")
    return faults


def spec_from_row(name: str, row: Mapping[str, Any], source: str) -> ProviderSpec:
    """Return the spec of a row without faults. Where there is no key variable, the key is optional."""
    values = dict(row)
    values.setdefault("key", "required" if "api_key_var" in row else "optional")
    values["models"] = tuple(row.get("models", ()))
    values["capabilities"] = RowCapabilities.of(row.get("capabilities", {}))
    values["headers"] = dict(row.get("headers", {}))
    return ProviderSpec(name=name, source=source, **values)


def port_faults(name: str, provider: Any) -> list[str]:
    """Return what keeps a passed-in object from being a provider, as one sentence; an empty list when nothing does."""
    absent = [member for member in PORT_MEMBERS if not hasattr(provider, member)]
    if isinstance(provider, type):
        return [f"providers[{name!r}] is the class {provider.__name__}; pass an object of it"]
    told = f"providers[{name!r}] is a {type(provider).__name__}, not an LLMProvider: it has no {', '.join(absent)}"
    return [told] if absent else []


def spec_of_given(name: str, provider: Any) -> ProviderSpec:
    """Return the spec of a passed-in object that has no row."""
    return ProviderSpec(
        name=name,
        source="argument",
        provider_class=type(provider),
        model_var="",
        default_base_url="",
        default_model="",
        max_retries=0,
        timeout=30.0,
        confidence_score=1.0,
        key="optional",
    )
