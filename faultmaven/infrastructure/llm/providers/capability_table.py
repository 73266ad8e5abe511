"""Capabilities of the shipped rows with their default models, for the table in the documentation."""

from dataclasses import dataclass

from ....domain.capabilities import CAPABILITIES, Capabilities
from ..capabilities import resolve_capabilities
from ..dialects.registry import features_of, model_family
from ..models import model_facts
from .registry import PROVIDER_SCHEMA
from .rows.spec import ProviderSpec, spec_from_row


@dataclass(frozen=True, slots=True)
class CapabilityLine:
    """A line of the table; `model` is "" where the server chooses."""

    provider: str
    model: str
    capabilities: Capabilities

    @property
    def names(self) -> tuple[str, ...]:
        """The capabilities, in the order of `CAPABILITIES`."""
        return tuple(name for name in CAPABILITIES if name == "text" or name in self.capabilities.features)


def capability_table() -> list[CapabilityLine]:
    """Return a line for every shipped row: the provider, its default model and the capabilities of that model."""
    return [_build_line(spec_from_row(name, dict(row), "PROVIDER_SCHEMA")) for name, row in PROVIDER_SCHEMA.items()]


def _build_line(spec: ProviderSpec) -> CapabilityLine:
    model = spec.default_model
    dialect = spec.dialect or spec.provider_class.dialects[0]
    facts = model_facts(model_family(dialect), model)
    capabilities = resolve_capabilities(features_of(dialect), spec.capabilities.for_model(model), facts)
    return CapabilityLine(spec.name, model, capabilities)
