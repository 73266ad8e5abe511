"""The source of every effective value, for `faultmaven config`. Keys show as set or unset."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .settings import DEFAULT, VARIABLES, Environment, Settings

FAULTY = "faulty"
"""Placeholder for a faulty value: a key may have been pasted into the wrong line."""


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """One line of `faultmaven config`: effective value, source, overridden sources. Keys show as set or unset."""

    variable: str
    value: str
    source: str
    overrode: tuple[str, ...] = ()
    provider: str = ""


def settings_entries(environment: Environment, settings: Settings) -> list[ConfigEntry]:
    """Return an entry for every setting, defaults included."""
    entries = []
    for variable, name in VARIABLES.items():
        match = environment.find(variable)
        value = getattr(settings, name)
        entries.append(
            ConfigEntry(variable, show(value), match.source if match else DEFAULT, match.overrode if match else ())
        )
    return entries


def show(value: Any) -> str:
    """Return a value as `config` prints it: "" for unset, lists with commas, no credentials inside addresses."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={show(part)}" for name, part in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    return without_credentials(str(value))


def without_credentials(address: str) -> str:
    """Return an address without user, password and query."""
    return re.sub(r"\?.*", "?***", re.sub(r"(^|(?<=//))[^/\s]+@", "***@", address))
