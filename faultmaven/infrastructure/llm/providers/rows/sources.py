"""Rows from a TOML file and from installed packages."""

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
    """A row that is not yet validated, with the source that it was read from."""

    name: str
    row: Any
    source: str


def read_file_rows(path: str, directory: Path, classes: Mapping[str, type[Any]]) -> Iterator[RowWithSource]:
    """Yield the rows of a TOML file: one table `[providers.<name>]` per row, with the class as a name.

    Args:
        path: The value of the setting; a relative path starts at `directory`.
        classes: Classes that `provider_class` may name without a module; others are written `package.module:Class`.

    Raises:
        ConfigurationError: the file cannot be read, is not TOML, or has other tables.
    """
    source = f"LLM_PROVIDERS_FILE {path}"
    try:
        data = tomllib.loads((directory / path).read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not TOML: {error}") from None
    except (OSError, ValueError, RecursionError) as error:  # NUL in the path, not UTF-8, nested too deeply
        raise ConfigurationError(f"{source} cannot be read: {type(error).__name__}") from None
    for name in data:
        if name != "providers":
            raise ConfigurationError(f"{source}: unknown table {name!r}{did_you_mean(name, ['providers'])}")
    rows = data.get("providers", {})
    if not isinstance(rows, dict):
        raise ConfigurationError(f"{source}: 'providers' is not a table", advice="Write [providers.<name>].")
    for name, row in rows.items():
        yield RowWithSource(name, resolve_provider_class(row, classes), source)


def resolve_provider_class(row: Any, classes: Mapping[str, type[Any]]) -> Any:
    """Return `row` with the class in place of its name, or with an `Unresolved` where the class cannot be loaded."""
    if not isinstance(row, dict) or not isinstance(row.get("provider_class"), str):
        return row
    return {**row, "provider_class": _load_class(row["provider_class"], classes)}


def _load_class(name: str, classes: Mapping[str, type[Any]]) -> Any:
    module, colon, attribute = name.partition(":")
    if not colon:
        unknown = f"the name of a provider class or package.module:Class, not {name!r}{did_you_mean(name, classes)}"
        return classes.get(name, Unresolved(unknown))
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # noqa: BLE001 - third-party code may raise anything; a fault reports it
        return Unresolved(f"a class that can be imported; {name} cannot ({type(error).__name__})")


def read_package_rows() -> Iterator[RowWithSource]:
    """Yield the rows that installed packages provide in the entry point group `faultmaven.providers`."""
    for entry in _entry_points(tuple(file_state(Path(directory)) for directory in sys.path)):
        try:
            row = entry.load()
        except Exception as error:  # noqa: BLE001 - third-party code may raise anything; a fault reports it
            row = Unresolved(f"one that loads; {entry.value} does not ({type(error).__name__})")
        package = entry.dist.name if entry.dist else "an installed package"
        yield RowWithSource(entry.name, row, f"entry point of {package}")


@lru_cache(maxsize=1)
def _entry_points(_import_path: tuple[FileState | None, ...]) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Return the entry points of installed packages, cached until a directory of the import path changes.

    The cache pays: a search reads a file of every installed package, 1.2 of the 2.8 ms of an opening among 66 packages
    (2026-11-25). Installing or removing a package changes the directory that contains it.
    """
    return tuple(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))
