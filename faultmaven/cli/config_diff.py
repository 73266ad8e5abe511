"""`faultmaven config --diff`: prints the differences of two environments, as a table and sentences or as JSON."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ..infrastructure.configuration.config_sources import ConfigEntry
from ..infrastructure.configuration.settings import PROCESS
from . import exit_codes
from .environment_diff import EnvironmentDiff, EnvironmentReport, ValueDifference, compare_reports
from .environments import examine_environment
from .output import open_console, print_json, style_text

Pair = tuple[tuple[str, ...], tuple[str, ...]]


def print_environment_diff(first: str, second: str, *, files_only: bool, as_json: bool) -> int:
    """Print the differences of two environments, and return the exit code: 1 for faults, 0 for differences alone."""
    reports = [examine_environment(name, files_only=files_only) for name in (first, second)]
    diff = compare_reports(*reports)
    if as_json:
        print_json(_as_object(diff))
    else:
        _print_text(diff)
        if any(_has_process_values(report) for report in reports):
            note = "The process environment applies to both environments; --files-only ignores the process environment."
            open_console(stderr=True).print(style_text(note, "dim"), soft_wrap=True)
    return exit_codes.CONFIGURATION if any(diff.faults) else exit_codes.OK


def _has_process_values(report: EnvironmentReport) -> bool:
    return any(PROCESS in entry.source for entry in report.entries)


def _as_object(diff: EnvironmentDiff) -> dict[str, Any]:
    """Return the JSON object of `diff`, which docs/configuration.md describes."""
    return {
        "first": diff.names[0],
        "second": diff.names[1],
        "equal": diff.equal,
        "values": [_value_object(difference) for difference in diff.values],
        "chains": diff.chains and {role: _pair_object(pair) for role, pair in diff.chains.items()},
        "configured": diff.configured and _pair_object(diff.configured),
        "warnings": _pair_object(diff.warnings),
        "faults": _pair_object(diff.faults),
    }


def _pair_object(pair: Pair) -> dict[str, list[str]]:
    return {"first": list(pair[0]), "second": list(pair[1])}


def _value_object(difference: ValueDifference) -> dict[str, Any]:
    sides = {"first": difference.first, "second": difference.second}
    values = {side: entry and {"value": entry.value, "source": entry.source} for side, entry in sides.items()}
    provider = next(entry.provider for entry in sides.values() if entry)
    return {"variable": difference.variable, "provider": provider, **values, "hidden": difference.hidden}


def _print_text(diff: EnvironmentDiff) -> None:
    console = open_console()
    if diff.values:
        console.print(_build_table(diff))
    for sentence in _build_sentences(diff):
        console.print(sentence, soft_wrap=True)
    if diff.equal:
        console.print(style_text(f"{' and '.join(diff.names)} do not differ.", "green"), soft_wrap=True)


def _build_table(diff: EnvironmentDiff) -> Table:
    first, second = diff.names
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("variable", first, "from", second, "from"):
        table.add_column(style_text(heading), overflow="fold")
    for difference in diff.values:
        cells = [difference.variable]
        for entry in (difference.first, difference.second):
            cells += _build_cells(entry, hidden=difference.hidden)
        table.add_row(*map(style_text, cells))
    return table


def _build_cells(entry: ConfigEntry | None, *, hidden: bool) -> tuple[str, str]:
    if entry is None:
        return "-", "no row reads the variable"
    return f"{entry.value or '-'}{' (differs)' if hidden else ''}", entry.source or "-"


def _build_sentences(diff: EnvironmentDiff) -> Iterator[Text]:
    for chains, roles in _group_roles_by_chains(diff).items():
        first, second = (", ".join(chain) or "no provider" for chain in chains)
        yield style_text(f"chain for {', '.join(roles)}: {first} in {diff.names[0]}; {second} in {diff.names[1]}")
    yield from _build_one_sided_sentences(
        diff, "configured in {} only: ", diff.configured or ((), ()), on_one_line=True
    )
    yield from _build_one_sided_sentences(diff, "warning in {} only: ", diff.warnings, "yellow")
    yield from _build_one_sided_sentences(diff, "fault in {}: ", diff.faults, "red")
    if diff.chains is None:
        yield style_text("The chains are not compared: an environment with faults has no chain.")


def _group_roles_by_chains(diff: EnvironmentDiff) -> dict[Pair, list[str]]:
    """Return the roles that have the same two chains; one sentence is printed for all of them."""
    roles: dict[Pair, list[str]] = {}
    for role, pair in (diff.chains or {}).items():
        roles.setdefault(pair, []).append(role)
    return roles


def _build_one_sided_sentences(
    diff: EnvironmentDiff, heading: str, pair: Pair, style: str = "", *, on_one_line: bool = False
) -> Iterator[Text]:
    for name, items in zip(diff.names, pair, strict=True):
        for text in [", ".join(items)] if on_one_line and items else items:
            yield style_text(heading.format(name) + text, style)
