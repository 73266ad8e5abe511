"""The policies of a configuration: error handling, acceptance, circuit breakers, hedging and deduplication."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...domain.requests import EMPTY_MAPPING
from ...ports.schemas import SchemaValidator
from .acceptance import AcceptancePolicy
from .circuit_breaker import BreakerPolicy
from .errors import NO_OVERRIDES, ErrorPolicy


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies that apply to every call of a configuration.

    Attributes:
        errors: Reactions to errors of providers.
        acceptance: Actions for defective responses.
        breaker: Conditions under which circuit breakers open.
        confidence_threshold: The lowest acceptable confidence of a custom class's response; 0 turns the check off.
        hedge_after: Seconds by role after which a second provider is tried in parallel; roles without an entry do not
            hedge.
        deduplicate: Whether identical calls at the same time share one request.
        schemas: Validator of responses against JSON schemas; with None, responses are only checked to be JSON of the
            schema's top-level type.
    """

    errors: ErrorPolicy = field(default_factory=lambda: NO_OVERRIDES)
    acceptance: AcceptancePolicy = field(default_factory=AcceptancePolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    confidence_threshold: float = 0.0
    hedge_after: Mapping[str, float] = field(default_factory=lambda: EMPTY_MAPPING)
    deduplicate: bool = False
    schemas: SchemaValidator | None = None


DEFAULT_POLICIES = Policies()
