"""The reaction to an error: the class of the error decides, unless the host's error policy overrides it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from ...domain.errors import LLMError


@dataclass(frozen=True, slots=True)
class Reaction:
    """The reaction to one class of errors.

    Attributes:
        retry: The same provider may be tried again.
        move_on: The next candidate is tried; otherwise the error is raised at once.
        trip: The error counts against the provider in its circuit breaker.
        retry_limit: The most retries after such an error, None for no limit of its own. The smallest limit applies, see
            `LLMError.max_retries`.
    """

    retry: bool = False
    move_on: bool = False
    trip: bool = False
    retry_limit: int | None = None


ErrorPolicy: TypeAlias = Mapping[type[LLMError], Reaction]
"""Overrides of reactions by error class. A class without an entry has its nearest ancestor's reaction."""

NO_OVERRIDES: ErrorPolicy = MappingProxyType({})
_CLASS_FACTS = frozenset({"retryable", "elsewhere", "counts_against_provider", "max_retries"})


def reaction(overrides: ErrorPolicy, error: LLMError) -> Reaction:
    """Return the reaction to `error`: the override of its nearest ancestor, or else the reaction of its own class.

    An override of a class does not reach a subclass that states a fact of its own, such as `retryable`. An error that
    the vendor marked as not to be retried is never retried.
    """
    result = _reaction_to_class(overrides, type(error))
    if result.retry and error.__dict__.get("retryable") is False:
        return Reaction(False, result.move_on, result.trip)
    return result


def _reaction_to_class(overrides: ErrorPolicy, kind: type[LLMError]) -> Reaction:
    for ancestor in kind.__mro__:
        if ancestor in overrides:
            return overrides[ancestor]
        if _states_facts(ancestor):
            break
    return _own_reaction(kind)


def _own_reaction(kind: type[LLMError]) -> Reaction:
    """Return the reaction that an error class states; see the attributes of `LLMError`."""
    if not kind.retryable:
        return Reaction(move_on=kind.elsewhere)
    return Reaction(True, kind.elsewhere, kind.counts_against_provider, kind.max_retries)


def _states_facts(kind: type) -> bool:
    return not _CLASS_FACTS.isdisjoint(vars(kind))


def _built_in_classes(root: type[LLMError] = LLMError) -> Iterator[type[LLMError]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == LLMError.__module__:
            yield from _built_in_classes(kind)


DEFAULT_ERROR_POLICY: ErrorPolicy = MappingProxyType(
    {kind: _own_reaction(kind) for kind in _built_in_classes() if _states_facts(kind)}
)
"""The reactions of the built-in error classes that state facts of their own, for hosts to read or to build on."""
