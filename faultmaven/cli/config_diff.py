"""`faultmaven config --diff`: two environments side by side, as a table and sentences, or as JSON."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ..infrastructure.configuration.config_sources import ConfigEntry
from ..infrastructure.configuration.settings import PROCESS
from . import exit_codes as exits
from .environment_diff import Comparison, EnvironmentReport, ValueDifference, compare
from .environments import examine
from .output import console, print_json, styled

Pair = tuple[tuple[str, ...], tuple[str, ...]]


def compare_environments(first: str, second: str, *, files_only: bool, as_json: bool) -> int:
    """Print how two environments differ, and return the exit code: differing is no fault."""
    reports = [examine(name, files_only=files_only) for name in (first, second)]
    comparison = compare(*reports)
    if as_json:
        print_json(as_object(comparison))
    else:
        _print(comparison)
        if any(_counts_process(report) for report in reports):
            note = "The process environment applies to both; --files-only leaves it out."
            console(stderr=True).print(styled(note, "dim"), soft_wrap=True)
    return exits.CONFIGURATION if any(comparison.faults) else exits.OK


def _counts_process(report: EnvironmentReport) -> bool:
    return any(PROCESS in entry.source for entry in report.entries)


def as_object(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as `--json` shows it."""
    return {
        "first": comparison.names[0],
        "second": comparison.names[1],
        "equal": comparison.equal,
        "values": [_value_object(difference) for difference in comparison.values],
        "chains": comparison.chains and {role: _pair(pair) for role, pair in comparison.chains.items()},
        "configured": comparison.configured and _pair(comparison.configured),
        "warnings": _pair(comparison.warnings),
        "faults": _pair(comparison.faults),
    }


def _pair(pair: Pair) -> dict[str, list[str]]:
    return {"first": list(pair[0]), "second": list(pair[1])}


def _value_object(difference: ValueDifference) -> dict[str, Any]:
    sides = {"first": difference.first, "second": difference.second}
    shown = {side: entry and {"value": entry.value, "source": entry.source} for side, entry in sides.items()}
    provider = next(entry.provider for entry in sides.values() if entry)
    return {"variable": difference.variable, "provider": provider, **shown, "hidden": difference.hidden}


def _print(comparison: Comparison) -> None:
    screen = console()
    if comparison.values:
        screen.print(_table(comparison))
    for line in _lines(comparison):
        screen.print(line, soft_wrap=True)
    if comparison.equal:
        screen.print(styled(f"{' and '.join(comparison.names)} do not differ.", "green"), soft_wrap=True)


def _table(comparison: Comparison) -> Table:
    first, second = comparison.names
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("variable", first, "from", second, "from"):
        table.add_column(styled(heading), overflow="fold")
    for difference in comparison.values:
        cells = [difference.variable]
        for entry in (difference.first, difference.second):
            cells += _cells(entry, hidden=difference.hidden)
        table.add_row(*map(styled, cells))
    return table


def _cells(entry: ConfigEntry | None, *, hidden: bool) -> tuple[str, str]:
    if entry is None:
        return "-", "no row reads it"
    return f"{entry.value or '-'}{' (differs)' if hidden else ''}", entry.source or "-"


def _lines(comparison: Comparison) -> Iterator[Text]:
    for (one, other), roles in _roles_by_chains(comparison).items():
        first, second = (", ".join(chain) or "nobody" for chain in (one, other))
        told = f"asked for {', '.join(roles)}: {first} in {comparison.names[0]}; {second} in {comparison.names[1]}"
        yield styled(told)
    yield from _one_sided(comparison, "configured in {} only: ", comparison.configured or ((), ()), together=True)
    yield from _one_sided(comparison, "warning in {} only: ", comparison.warnings, "yellow")
    yield from _one_sided(comparison, "fault in {}: ", comparison.faults, "red")
    if comparison.chains is None:
        yield styled("Who is asked is not compared: where there are faults, nobody is.")


def _roles_by_chains(comparison: Comparison) -> dict[Pair, list[str]]:
    found: dict[Pair, list[str]] = {}
    for role, pair in (comparison.chains or {}).items():
        found.setdefault(pair, []).append(role)
    return found


def _one_sided(
    comparison: Comparison, heading: str, pair: Pair, style: str = "", *, together: bool = False
) -> Iterator[Text]:
    for name, told in zip(comparison.names, pair, strict=True):
        for line in [", ".join(told)] if together and told else told:
            yield styled(heading.format(name) + line, style)
