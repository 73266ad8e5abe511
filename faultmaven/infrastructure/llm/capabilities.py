"""What a model can: what its wire carries, less what is known to be missing, with the row's own word above both."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from faultmaven.domain.names import did_you_mean
from faultmaven.infrastructure.llm.models import ModelFacts

DECLARABLE = ("text", "stream", "tools", "schema", "images", "reasoning", "files")
LIMITS = ("context_window", "max_output")
MODELS = "models"

Declared: TypeAlias = Mapping[str, Any]
"""A row's `capabilities` as a mapping: names to True or False, limits to tokens, and the same for models by pattern."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one model can.

    Attributes:
        features: What of a request it takes beyond text.
        context_window, max_output: In tokens, None where it is not known.
    """

    features: frozenset[str]
    context_window: int | None = None
    max_output: int | None = None


def capabilities_of(carried: Iterable[str], declared: Declared, facts: ModelFacts, model: str) -> Capabilities:
    """Return what `model` can. A model of which nothing is known gets what its wire carries.

    Args:
        carried: The features of the wire.
        declared: The row's own word.
    """
    told = dict(declared)
    for pattern, more in told.pop(MODELS, {}).items():
        if fnmatch.fnmatchcase(model, pattern):
            told |= more
    features = set(carried) - facts.lacks
    for name in DECLARABLE:
        if told.get(name) is False:
            features.discard(name)
        elif told.get(name) is True and name in set(carried):
            features.add(name)
    window, output = told.get("context_window", facts.context), told.get("max_output", facts.max_output)
    return Capabilities(frozenset(features), window, output)


def declared(value: Any) -> Declared:
    """Return a row's `capabilities` as a mapping; a list means these and no others."""
    if isinstance(value, Mapping):
        return value
    return {name: name in value for name in DECLARABLE} if value else {}


def declared_faults(value: Any) -> str:
    """Return what a row's `capabilities` should have been, "" when it is sound."""
    if isinstance(value, Mapping):
        return next(_faults(value, top=True), "")
    if not isinstance(value, list | tuple | set | frozenset):
        return f"a list from {', '.join(DECLARABLE)}, or a mapping"
    wrong = [item for item in value if item not in DECLARABLE]
    return f"a list of capabilities{did_you_mean(str(wrong[0]), DECLARABLE)}" if wrong else ""


def _faults(value: Mapping[Any, Any], *, top: bool) -> Iterator[str]:
    known = (*DECLARABLE, *LIMITS, *((MODELS,) if top else ()))
    for name, entry in value.items():
        if name not in known:
            yield f"a mapping of capabilities{did_you_mean(str(name), known)}"
        elif name in LIMITS and (isinstance(entry, bool) or not isinstance(entry, int) or entry < 1):
            yield f"a mapping whose {name} is a whole number of tokens"
        elif name in DECLARABLE and not isinstance(entry, bool):
            yield f"a mapping whose {name} is true or false"
        elif name == MODELS and not isinstance(entry, Mapping):
            yield "a mapping whose models is a mapping from patterns of model ids to capabilities"
        elif name == MODELS:
            for more in entry.values():
                yield from _faults(more, top=False) if isinstance(more, Mapping) else ["a mapping for each model"]
