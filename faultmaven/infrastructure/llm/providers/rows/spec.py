"""Rows: the guide's plain dicts, validated into frozen specs with every fault reported at once."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from .....domain.names import did_you_mean
from ...capabilities import RowCapabilities
from .fields import FIELDS, PORT_MEMBERS, REQUIRED, Unresolved, capability_faults, is_name


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


def row_faults(name: Any, row: Any, source: str = "") -> list[str]:
    """Return everything that is wrong with a row, each as one sentence; an empty list when nothing is.

    Args:
        source: Where the row was found; every sentence says it.
    """
    where = f"provider {name!r} ({source})" if source else f"provider {name!r}"
    if fault := is_name(name):
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
    for field_name, known in FIELDS.items():
        if field_name in row and (expected := known.rule.check(row[field_name])):
            faults.append(f"{where}: {field_name!r} must be {expected}")
    if isinstance(row.get("capabilities"), Mapping):
        faults += [f"{where}: {fault}" for fault in capability_faults(row["capabilities"])]
    return faults or _contradictions(where, row)


def _nearest_field(name: Any, row: Mapping[str, Any]) -> str:
    absent = [known for known in FIELDS if known not in row]
    close = difflib.get_close_matches(str(name), absent, n=1)
    return f"; did you mean {close[0]!r}?" if close else did_you_mean(str(name), FIELDS)


def _contradictions(where: str, row: Mapping[str, Any]) -> list[str]:
    """Return what does not go together in a row; `row_schema.CONTRADICTIONS` says the same to editors."""
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


def port_faults(name: Any, provider: Any) -> list[str]:
    """Return what keeps a passed-in object from being a provider, as one sentence; an empty list when nothing does."""
    if not isinstance(name, str) or not name.strip():
        return [f"providers has {name!r} for a name, which is no text"]
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
