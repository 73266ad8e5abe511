"""Capabilities of a model: the features of its dialect, less the known gaps of the model, overridden by the row."""

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ...domain.capabilities import CAPABILITIES, Capabilities
from .models import ModelFacts

ROW_CAPABILITIES = tuple(name for name in CAPABILITIES if name != "image addresses")
"""The features that a row may name. "image addresses" follows from "images"."""

TOKEN_LIMITS = ("context_window", "max_output")
CAPABILITY_NAMES = (*ROW_CAPABILITIES, *TOKEN_LIMITS)


@dataclass(frozen=True, slots=True)
class StatedCapabilities:
    """Capabilities that a row states for its models, or for some of them. None and absent names state nothing.

    Attributes:
        features: Feature names mapped to true (present) or false (absent).
        context_window: Tokens of prompt.
        max_output: Tokens of answer.
    """

    features: Mapping[str, bool] = field(default_factory=dict)
    context_window: int | None = None
    max_output: int | None = None

    @classmethod
    def from_mapping(cls, entries: Mapping[str, Any]) -> Self:
        """Return the capabilities of a validated mapping."""
        features = {name: entries[name] for name in ROW_CAPABILITIES if name in entries}
        return cls(features, *(entries.get(name) for name in TOKEN_LIMITS))

    def merged_over(self, general: "StatedCapabilities") -> "StatedCapabilities":
        """Return these capabilities, completed by those of `general`."""
        context_window = general.context_window if self.context_window is None else self.context_window
        max_output = general.max_output if self.max_output is None else self.max_output
        return StatedCapabilities({**general.features, **self.features}, context_window, max_output)


@dataclass(frozen=True, slots=True)
class RowCapabilities:
    """The `capabilities` of a row.

    Attributes:
        general: Capabilities of all models of the row.
        models: Pairs of a shell-style pattern over model names and the capabilities of the models that match it.
    """

    general: StatedCapabilities = StatedCapabilities()
    models: tuple[tuple[str, StatedCapabilities], ...] = ()

    @classmethod
    def from_row(cls, value: Iterable[str] | Mapping[str, Any]) -> Self:
        """Return the capabilities of a validated row.

        Args:
            value: A list of exactly the present features, or a mapping of the differences only.
        """
        if not isinstance(value, Mapping):
            present = frozenset(value)
            return cls(StatedCapabilities({name: name in present for name in ROW_CAPABILITIES}))
        models = tuple(
            (pattern, StatedCapabilities.from_mapping(entries)) for pattern, entries in value.get("models", {}).items()
        )
        return cls(StatedCapabilities.from_mapping(value), models)

    def for_model(self, model: str) -> StatedCapabilities:
        """Return the stated capabilities of `model`; the first pattern that matches applies."""
        for pattern, stated in self.models:
            if fnmatch.fnmatchcase(model, pattern):
                return stated.merged_over(self.general)
        return self.general


def resolve_capabilities(
    dialect_features: Iterable[str], stated: StatedCapabilities, facts: ModelFacts
) -> Capabilities:
    """Return the capabilities of a model.

    Args:
        dialect_features: Features of the dialect, or of a custom class. A row cannot add to them.
        stated: Capabilities that the row states for the model. They override `facts`.
        facts: Known facts about the model. Without a fact the model has every feature of its dialect.
    """
    features = frozenset(name for name in dialect_features if stated.features.get(name, name not in facts.lacks))
    if "images" not in features and "files" not in features:
        features -= {"image addresses"}
    context_window = facts.context if stated.context_window is None else stated.context_window
    max_output = facts.max_output if stated.max_output is None else stated.max_output
    return Capabilities(features, context_window, max_output)
