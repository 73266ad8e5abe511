"""How calls are carried out, as values: what errors and answers lead to, and what limits retries and breakers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...domain.requests import NOTHING
from ...ports.schemas import SchemaValidator
from .acceptance import AcceptancePolicy
from .circuit_breaker import BreakerPolicy
from .errors import DEFAULT_ERROR_POLICY, ErrorPolicy


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything of a configuration that is no provider.

    Attributes:
        confidence_threshold: What a custom class's own confidence must reach; 0 is off.
        hedge_after: For each role the seconds after which a second provider is asked beside the first; a role that is
            not there does not hedge.
        deduplicate: Identical calls at the same time share one.
        schemas: Checks answers against JSON schemas; None checks only that they are JSON of the schema's top type.
    """

    errors: ErrorPolicy = field(default_factory=lambda: DEFAULT_ERROR_POLICY)
    acceptance: AcceptancePolicy = field(default_factory=AcceptancePolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    confidence_threshold: float = 0.0
    hedge_after: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    deduplicate: bool = False
    schemas: SchemaValidator | None = None


DEFAULT_POLICIES = Policies()
