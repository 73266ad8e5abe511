"""Two environments side by side: which values differ, and what follows from it. Pure functions over values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..domain.errors import ConfigurationError
from ..domain.hidden import HiddenMapping
from ..infrastructure.configuration.config_sources import FAULTY, ConfigEntry
from ..infrastructure.configuration.settings import Environment


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """What the variables of one environment lead to.

    Attributes:
        name: As in `.env.<name>`; "" for the one that the command was started in.
        entries: Every effective value with its source; none where the files could not be read.
        hidden: The whole value, by variable, of those entries that hide it or a part of it.
        chains: Who is asked in which order, for each role; none where there are faults.
        configured: The configured providers.
        warnings: What looks like a mistake, each as one sentence.
        faults: What keeps a container from opening, each as one sentence.
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
        """Whether there is neither fault nor warning."""
        return not self.faults and not self.warnings


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A variable whose values differ; None on the side where no row reads it.

    `hidden` says that they show alike: they are two keys, or two addresses that differ in their credentials.
    """

    variable: str
    first: ConfigEntry | None
    second: ConfigEntry | None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two environments differ. In each pair the first environment's part comes first.

    Attributes:
        chains: The chains of those roles where they differ; None where one of them has faults, and so has no chain.
        configured: The providers that are configured in one only; None as for `chains`.
        warnings: What warns in one only.
    """

    names: tuple[str, str]
    values: tuple[ValueDifference, ...]
    chains: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] | None
    configured: tuple[tuple[str, ...], tuple[str, ...]] | None
    warnings: tuple[tuple[str, ...], tuple[str, ...]]
    faults: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def equal(self) -> bool:
        """Whether nothing differs and nothing is at fault."""
        return not (self.values or self.chains or any((*(self.configured or ()), *self.warnings, *self.faults)))


def compare(first: EnvironmentReport, second: EnvironmentReport) -> Comparison:
    """Return how two environments differ. What the fault of one of them is about is not compared."""
    sound = not first.faults and not second.faults
    return Comparison(
        names=(first.name, second.name),
        values=tuple(_values(first, second)) if first.entries and second.entries else (),
        chains=_chains(first.chains, second.chains) if sound else None,
        configured=_in_one_only(first.configured, second.configured) if sound else None,
        warnings=_warnings(first, second),
        faults=(first.faults, second.faults),
    )


def _values(first: EnvironmentReport, second: EnvironmentReport) -> Iterable[ValueDifference]:
    ours, theirs = ({entry.variable: entry for entry in report.entries} for report in (first, second))
    for variable in dict.fromkeys((*ours, *theirs)):
        one, other = ours.get(variable), theirs.get(variable)
        shown = [entry.value if entry else None for entry in (one, other)]
        at_fault = (one is None and first.faults) or (other is None and second.faults) or FAULTY in shown
        if variable == "FAULTMAVEN_ENV" or at_fault:
            continue
        if shown[0] != shown[1]:
            yield ValueDifference(variable, one, other)
        elif first.hidden.get(variable) != second.hidden.get(variable):
            yield ValueDifference(variable, one, other, hidden=True)


def _chains(
    first: Mapping[str, tuple[str, ...]], second: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {role: (first[role], second[role]) for role in first if first[role] != second[role]}


def _in_one_only(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(name for name in first if name not in second), tuple(name for name in second if name not in first)


def _warnings(first: EnvironmentReport, second: EnvironmentReport) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what warns in one only; the same warning in the file of each is in both."""
    ours, theirs = (
        {warning.replace(f".env.{report.name}", ".env.*"): warning for warning in report.warnings}
        for report in (first, second)
    )
    return (
        tuple(warning for told, warning in ours.items() if told not in theirs),
        tuple(warning for told, warning in theirs.items() if told not in ours),
    )


def hidden_values(environment: Environment, entries: Iterable[ConfigEntry]) -> HiddenMapping:
    """Return the whole values of those entries that show "set", or an address without its credentials."""
    hidden = {}
    for entry in entries:
        if entry.value == "set" or "***" in entry.value:
            try:
                found = environment.find_secret(entry.variable)
            except ConfigurationError:  # credentials in an address that no header could carry
                found = environment.find(entry.variable)
            if found:
                hidden[entry.variable] = found.value
    return HiddenMapping(hidden)


def without_faulty(entries: Iterable[ConfigEntry], faults: Iterable[str]) -> tuple[ConfigEntry, ...]:
    """Return entries with `FAULTY` for each value that a fault is about; its sentence begins with the variable."""
    subjects = {fault.partition(" ")[0] for fault in faults}
    return tuple(replace(entry, value=FAULTY) if entry.variable in subjects else entry for entry in entries)
