"""What the shipped rows can do with their default models, for the table in the documents."""

from dataclasses import dataclass

from ....domain.capabilities import CAPABILITIES, Capabilities
from ..capabilities import capabilities
from ..dialects.registry import features_of, model_family
from ..models import model_facts
from .registry import PROVIDER_SCHEMA
from .rows.spec import ProviderSpec, spec_from_row


@dataclass(frozen=True, slots=True)
class CapabilityLine:
    """One row of the table; `model` is "" where the server decides."""

    provider: str
    model: str
    capabilities: Capabilities

    @property
    def names(self) -> tuple[str, ...]:
        """The capabilities, in the order of `CAPABILITIES`."""
        return tuple(name for name in CAPABILITIES if name == "text" or name in self.capabilities.features)


def capability_table() -> list[CapabilityLine]:
    """Return every shipped row with its default model and what that can do."""
    return [_line(spec_from_row(name, dict(row), "PROVIDER_SCHEMA")) for name, row in PROVIDER_SCHEMA.items()]


def _line(spec: ProviderSpec) -> CapabilityLine:
    model = spec.default_model
    dialect = spec.dialect or spec.provider_class.dialects[0]
    facts = model_facts(model_family(dialect), model)
    can = capabilities(features_of(dialect), spec.capabilities.stated(model), facts)
    return CapabilityLine(spec.name, model, can)
