"""What a model can do: what its dialect carries, less what is known to be lacking, and the row's last word."""

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ...domain.capabilities import CAPABILITIES, Capabilities
from .models import ModelFacts

ROW_CAPABILITIES = tuple(name for name in CAPABILITIES if name != "image addresses")
"""What a row may say; addresses follow its images."""

LIMITS = ("context_window", "max_output")
ENTRIES = (*ROW_CAPABILITIES, *LIMITS)


@dataclass(frozen=True, slots=True)
class Stated:
    """What a row says of its models, or of some; None and absent names say nothing."""

    features: Mapping[str, bool] = field(default_factory=dict)
    context_window: int | None = None
    max_output: int | None = None

    @classmethod
    def of(cls, entries: Mapping[str, Any]) -> Self:
        """Return a mapping without faults as a value."""
        features = {name: entries[name] for name in ROW_CAPABILITIES if name in entries}
        return cls(features, *(entries.get(name) for name in LIMITS))

    def over(self, general: "Stated") -> "Stated":
        """Return what is said here, and for the rest what `general` says."""
        context = general.context_window if self.context_window is None else self.context_window
        output = general.max_output if self.max_output is None else self.max_output
        return Stated({**general.features, **self.features}, context, output)


@dataclass(frozen=True, slots=True)
class RowCapabilities:
    """A row's `capabilities`: of all its models, and of those whose names match a shell-style pattern."""

    general: Stated = Stated()
    models: tuple[tuple[str, Stated], ...] = ()

    @classmethod
    def of(cls, value: Iterable[str] | Mapping[str, Any]) -> Self:
        """Return what a row says. A list names exactly what there is, a mapping only what differs."""
        if not isinstance(value, Mapping):
            named = frozenset(value)
            return cls(Stated({name: name in named for name in ROW_CAPABILITIES}))
        models = tuple((pattern, Stated.of(entries)) for pattern, entries in value.get("models", {}).items())
        return cls(Stated.of(value), models)

    def stated(self, model: str) -> Stated:
        """Return what is said of `model`; the first pattern that matches it counts."""
        for pattern, stated in self.models:
            if fnmatch.fnmatchcase(model, pattern):
                return stated.over(self.general)
        return self.general


def capabilities(carried: Iterable[str], stated: Stated, facts: ModelFacts) -> Capabilities:
    """Return what a model can do.

    Args:
        carried: What the dialect, or a class of one's own, can carry; no row adds to that.
        stated: What the row says of the model; it may know better than `facts`.
        facts: What is known of the model; without a fact it lacks nothing.
    """
    features = frozenset(name for name in carried if stated.features.get(name, name not in facts.lacks))
    if "images" not in features and "files" not in features:
        features -= {"image addresses"}
    context = facts.context if stated.context_window is None else stated.context_window
    output = facts.max_output if stated.max_output is None else stated.max_output
    return Capabilities(features, context, output)
