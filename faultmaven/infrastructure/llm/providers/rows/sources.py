"""Where rows come from: the schema, a TOML file, installed packages, `register_provider`."""

import importlib
import importlib.metadata
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .....domain.errors import ConfigurationError
from .....domain.names import did_you_mean
from ....configuration.file_state import FileState, file_state
from .fields import Unresolved

ENTRY_POINT_GROUP = "faultmaven.providers"


@dataclass(frozen=True, slots=True)
class RowWithSource:
    """A row as it was found, with the place where it was found."""

    name: str
    row: Any
    source: str


def rows_of_file(path: str, directory: Path, classes: Mapping[str, type[Any]]) -> Iterator[RowWithSource]:
    """Give the rows of a TOML file: one table `[providers.<name>]` a row, `provider_class` as a name.

    Args:
        path: As the setting has it; a relative one begins in `directory`.
        classes: The classes that `provider_class` may name; others are written `package.module:Class`.

    Raises:
        ConfigurationError: the file cannot be read, is no TOML, or has another shape.
    """
    source = f"LLM_PROVIDERS_FILE {path}"
    try:
        data = tomllib.loads((directory / path).read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is no TOML: {error}") from None
    except (OSError, ValueError, RecursionError) as error:  # a NUL in the path, no UTF-8; nested too deeply
        raise ConfigurationError(f"{source} cannot be read: {type(error).__name__}") from None
    for name in data:
        if name != "providers":
            raise ConfigurationError(f"{source}: unknown table {name!r}{did_you_mean(name, ['providers'])}")
    rows = data.get("providers", {})
    if not isinstance(rows, dict):
        raise ConfigurationError(f"{source}: 'providers' is no table", advice="Write [providers.<name>].")
    for name, row in rows.items():
        yield RowWithSource(name, with_class(row, classes), source)


def with_class(row: Any, classes: Mapping[str, type[Any]]) -> Any:
    """Return a row whose `provider_class` is a name with the class of that name, or with an `Unresolved`."""
    if not isinstance(row, dict) or not isinstance(row.get("provider_class"), str):
        return row
    return {**row, "provider_class": _class_named(row["provider_class"], classes)}


def _class_named(name: str, classes: Mapping[str, type[Any]]) -> Any:
    module, colon, attribute = name.partition(":")
    if not colon:
        unknown = f"the name of a provider class or package.module:Class, not {name!r}{did_you_mean(name, classes)}"
        return classes.get(name, Unresolved(unknown))
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # noqa: BLE001 - foreign code may raise anything at import; it is reported
        return Unresolved(f"a class that can be imported; {name} cannot ({type(error).__name__})")


def rows_of_packages() -> Iterator[RowWithSource]:
    """Give the rows that installed packages offer under the entry point group `faultmaven.providers`."""
    for entry in _entry_points(tuple(file_state(Path(place)) for place in sys.path)):
        try:
            row = entry.load()
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything at import; it is reported
            row = Unresolved(f"one that loads; {entry.value} does not ({type(error).__name__})")
        package = entry.dist.name if entry.dist else "an installed package"
        yield RowWithSource(entry.name, row, f"entry point of {package}")


@lru_cache(maxsize=1)
def _entry_points(_import_path: tuple[FileState | None, ...]) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Return what installed packages offer us, searched for anew when a directory of the import path has changed.

    The search reads a file of every package there is: 1.2 of the 2.8 ms of an opening among 66 packages (2026-11-25).
    Whatever installs or removes one changes the directory that it lies in.
    """
    return tuple(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))
