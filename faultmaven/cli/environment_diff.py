"""Differences of two environments: values, chains, providers and warnings. Pure functions over values."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..domain.errors import ConfigurationError
from ..domain.hidden import HiddenMapping
from ..infrastructure.configuration.config_sources import FAULTY, ConfigEntry
from ..infrastructure.configuration.settings import Environment


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """The configuration of one environment.

    Attributes:
        name: The name as in `.env.<name>`; "" for the environment of the process.
        entries: Every effective value with its source; empty if the files could not be read.
        hidden: The whole value, by variable, of each entry that hides its value or a part of it.
        chains: The providers in order, by role; empty if there are faults.
        configured: The configured providers.
        warnings: Probable mistakes, each as one sentence.
        faults: Mistakes that keep a container from opening, each as one sentence.
    """

    name: str
    entries: tuple[ConfigEntry, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict, repr=False)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    configured: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the report has neither faults nor warnings."""
        return not self.faults and not self.warnings


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A variable whose two values differ.

    Attributes:
        first: The entry of the first environment; None if no row reads the variable there.
        second: The entry of the second environment, as `first`.
        hidden: Whether the printed values are equal: two API keys, or two addresses with different credentials.
    """

    variable: str
    first: ConfigEntry | None
    second: ConfigEntry | None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class EnvironmentDiff:
    """The differences of two environments. In each pair the part of the first environment comes first.

    Attributes:
        chains: The two chains of each role whose chains differ; None if an environment has faults, and so no chains.
        configured: The providers that are configured in one environment only; None as for `chains`.
        warnings: The warnings of one environment only.
        faults: All faults of each environment.
    """

    names: tuple[str, str]
    values: tuple[ValueDifference, ...]
    chains: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] | None
    configured: tuple[tuple[str, ...], tuple[str, ...]] | None
    warnings: tuple[tuple[str, ...], tuple[str, ...]]
    faults: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def equal(self) -> bool:
        """Whether there are neither differences nor faults."""
        return not (self.values or self.chains or any((*(self.configured or ()), *self.warnings, *self.faults)))


def compare_reports(first: EnvironmentReport, second: EnvironmentReport) -> EnvironmentDiff:
    """Return the differences of two environments. A value with a fault in one environment is not compared."""
    has_no_faults = not first.faults and not second.faults
    return EnvironmentDiff(
        names=(first.name, second.name),
        values=tuple(_diff_values(first, second)) if first.entries and second.entries else (),
        chains=_diff_chains(first.chains, second.chains) if has_no_faults else None,
        configured=_diff_names(first.configured, second.configured) if has_no_faults else None,
        warnings=_diff_warnings(first, second),
        faults=(first.faults, second.faults),
    )


def _diff_values(first: EnvironmentReport, second: EnvironmentReport) -> Iterator[ValueDifference]:
    first_entries, second_entries = ({entry.variable: entry for entry in report.entries} for report in (first, second))
    for variable in dict.fromkeys((*first_entries, *second_entries)):
        one, other = first_entries.get(variable), second_entries.get(variable)
        if variable == "FAULTMAVEN_ENV" or _is_faulty(one, first) or _is_faulty(other, second):
            continue
        if _printed_value(one) != _printed_value(other):
            yield ValueDifference(variable, one, other)
        elif first.hidden.get(variable) != second.hidden.get(variable):
            yield ValueDifference(variable, one, other, hidden=True)


def _is_faulty(entry: ConfigEntry | None, report: EnvironmentReport) -> bool:
    """Return whether a fault of `report` affects the entry, or may be the reason why the entry is missing."""
    return bool(report.faults) if entry is None else entry.value == FAULTY


def _printed_value(entry: ConfigEntry | None) -> str | None:
    return None if entry is None else entry.value


def _diff_chains(
    first: Mapping[str, tuple[str, ...]], second: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {role: (first[role], second[role]) for role in first if first[role] != second[role]}


def _diff_names(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(name for name in first if name not in second), tuple(name for name in second if name not in first)


def _diff_warnings(first: EnvironmentReport, second: EnvironmentReport) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the warnings of one environment only. Warnings that differ in the name of the file only are equal."""
    first_warnings, second_warnings = (
        {warning.replace(f".env.{report.name}", ".env.*"): warning for warning in report.warnings}
        for report in (first, second)
    )
    return (
        tuple(warning for key, warning in first_warnings.items() if key not in second_warnings),
        tuple(warning for key, warning in second_warnings.items() if key not in first_warnings),
    )


def read_hidden_values(environment: Environment, entries: Iterable[ConfigEntry]) -> HiddenMapping:
    """Return the whole value, by variable, of each entry that prints "set" or an address without credentials."""
    hidden = {}
    for entry in entries:
        if entry.value == "set" or "***" in entry.value:
            try:
                value = environment.find_secret(entry.variable)
            except ConfigurationError:  # credentials in an address that are not valid in an HTTP header
                value = environment.find(entry.variable)
            if value:
                hidden[entry.variable] = value.value
    return HiddenMapping(hidden)


def mask_faulty_values(entries: Iterable[ConfigEntry], faults: Iterable[str]) -> tuple[ConfigEntry, ...]:
    """Replace the value of each variable with a fault by `FAULTY`. The sentence of a fault begins with the variable."""
    subjects = {fault.partition(" ")[0] for fault in faults}
    return tuple(replace(entry, value=FAULTY) if entry.variable in subjects else entry for entry in entries)
