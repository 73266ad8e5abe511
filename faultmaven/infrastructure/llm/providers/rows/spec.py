"""ProviderSpec: a validated row. Validation reports every fault of a row at once."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from .....domain.names import did_you_mean
from ...capabilities import RowCapabilities
from .fields import FIELDS, PORT_MEMBERS, REQUIRED, Unresolved, capability_faults, expect_name


class _RequiredFields(TypedDict):
    model_var: str
    default_base_url: str
    default_model: str
    provider_class: type[Any]
    max_retries: int
    timeout: float
    confidence_score: float


class SchemaRow(_RequiredFields, total=False):
    """A row of `PROVIDER_SCHEMA`: the nine fields of the provider guide, and optional fields.

    `timeout` is in seconds for one attempt, `max_retries` counts calls after the first. With an empty
    `default_base_url` the variable must be set; with an empty `default_model` the first model that a local server lists
    is used. `capabilities` is a list of exactly the present features, or a mapping of the differences from the dialect
    and the known facts: feature names to true or false, `context_window` and `max_output` in tokens, and `models`,
    which maps patterns of model names to such a mapping.
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
    """A validated row.

    Attributes:
        source: The place that the row was read from.
        api_key_var, model_var, base_url_var: Names of environment variables, "" for none.
    """

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
        """Whether the provider is a local server, which needs no key."""
        return self.key == "optional"

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables of this row, in the order key, model, base URL."""
        return tuple(name for name in (self.api_key_var, self.model_var, self.base_url_var) if name)


def row_faults(name: Any, row: Any, source: str = "") -> list[str]:
    """Return a message for each fault of a row, an empty list for a valid row.

    Args:
        source: The place that the row was read from; every message contains it.
    """
    where = f"provider {name!r} ({source})" if source else f"provider {name!r}"
    fault = _name_fault(name) or _type_fault(row)
    if fault:
        return [f"{where}: {fault}"]
    faults = [*_field_name_faults(row), *_field_value_faults(row)] or _contradictions(row)
    return [f"{where}: {fault}" for fault in faults]


def _name_fault(name: Any) -> str:
    if expected := expect_name(name):
        return f"its name must be {expected}"
    if name != name.strip() or "," in name:
        return "its name must have no comma and no white space around it"
    return ""


def _type_fault(row: Any) -> str:
    if isinstance(row, Unresolved):
        return f"its row must be {row.expected}"
    if not isinstance(row, Mapping):
        return f"its row is a {type(row).__name__}, not a mapping"
    return ""


def _field_name_faults(row: Mapping[str, Any]) -> Iterator[str]:
    for name in row:
        if name not in FIELDS:
            yield f"unknown field {name!r}{_suggest_field(name, row)}"
    for name in REQUIRED:
        if name not in row:
            yield f"{name!r} is missing"


def _field_value_faults(row: Mapping[str, Any]) -> Iterator[str]:
    for name, known_field in FIELDS.items():
        if name in row and (expected := known_field.rule.check(row[name])):
            yield f"{name!r} must be {expected}"
    if isinstance(row.get("capabilities"), Mapping):
        yield from capability_faults(row["capabilities"])


def _suggest_field(name: Any, row: Mapping[str, Any]) -> str:
    absent = [known for known in FIELDS if known not in row]
    close = difflib.get_close_matches(str(name), absent, n=1)
    return f"; did you mean {close[0]!r}?" if close else did_you_mean(str(name), FIELDS)


def _contradictions(row: Mapping[str, Any]) -> list[str]:
    """Return the faults of a row that span several fields; `cli.row_schema.CONTRADICTIONS` has the same rules."""
    faults = []
    if not row["default_base_url"] and "base_url_var" not in row:
        faults.append("an empty 'default_base_url' needs a 'base_url_var'")
    if not row["default_model"] and row.get("key") != "optional" and "api_key_var" in row:
        faults.append("'default_model' is empty; only a local server (key = \"optional\") can list its models")
    if row.get("key") == "required" and "api_key_var" not in row:
        faults.append("'key' is \"required\", but there is no 'api_key_var'")
    dialects = getattr(row["provider_class"], "dialects", ())
    dialect = row.get("dialect")
    if dialect and dialect.partition("/")[0] not in dialects:
        class_name = row["provider_class"].__name__
        faults.append(
            f"{class_name} does not support the dialect {dialect!r}; supported: {', '.join(dialects) or 'none'}"
        )
    return faults


def spec_from_row(name: str, row: Mapping[str, Any], source: str) -> ProviderSpec:
    """Return the spec of a valid row. In a row without a key variable, the key is optional."""
    values = dict(row)
    values.setdefault("key", "required" if "api_key_var" in row else "optional")
    values["models"] = tuple(row.get("models", ()))
    values["capabilities"] = RowCapabilities.from_row(row.get("capabilities", {}))
    values["headers"] = dict(row.get("headers", {}))
    return ProviderSpec(name=name, source=source, **values)


def provider_object_faults(name: Any, provider: Any) -> list[str]:
    """Return the fault of a passed-in provider object as a list of one message, an empty list for a valid object."""
    if not isinstance(name, str) or not name.strip():
        return [f"providers has the name {name!r}, which is not a string"]
    absent = [member for member in PORT_MEMBERS if not hasattr(provider, member)]
    if isinstance(provider, type):
        return [f"providers[{name!r}] is the class {provider.__name__}; pass an instance"]
    message = f"providers[{name!r}] is a {type(provider).__name__}, not an LLMProvider: missing {', '.join(absent)}"
    return [message] if absent else []


def spec_from_object(name: str, provider: Any) -> ProviderSpec:
    """Return the spec of a passed-in provider object without a row."""
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
