"""The health report: availability and recent results of every provider, as values for a health route.

Building a report sends no request.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from ...domain.events import BreakerPhase
from ..configuration import ConfigurationSnapshot, Route
from ..resilience.admission import AdmissionControl
from ..resilience.availability import Availability
from .probe import Probe
from .provider_history import ProviderRecord

Status = Literal["ok", "degraded", "down"]
_WORST_FIRST: tuple[BreakerPhase, ...] = ("open", "half-open", "closed")
_NO_RECORD = ProviderRecord()


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the latencies of the newest responses, in seconds.

    Attributes:
        answers: Number of responses measured.
        p50, p95, p99: Seconds within which 50, 95 and 99 % of the responses came.
    """

    answers: int
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Latency | None":
        """Return the percentiles of `seconds` by nearest rank, None without any values."""
        ranked = sorted(seconds)
        if not ranked:
            return None
        ranks = (ranked[math.ceil(len(ranked) * share) - 1] for share in (0.5, 0.95, 0.99))
        return cls(len(ranked), *(round(rank, 6) for rank in ranks))


@dataclass(frozen=True, slots=True)
class BreakerHealth:
    """State of the circuit breaker of one model.

    Attributes:
        phase: "closed", "open" or "half-open".
        open_for: Seconds for which an open circuit breaker still refuses requests.
    """

    phase: BreakerPhase
    open_for: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitsLeft:
    """Amounts that the row's own limits allow now; None where the row has no such limit.

    Attributes:
        requests: Of `requests_per_minute`.
        tokens: Of `tokens_per_minute`.
        places: Of `max_concurrency`.
        announced_pause: Seconds that remain of a pause that the vendor announced.
    """

    requests: int | None = None
    tokens: int | None = None
    places: int | None = None
    announced_pause: float = 0.0


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """Health of one configured provider. Facts about calls cover calls through `container.llm()` in this process.

    Attributes:
        model: The provider's default model, "" when the server decides.
        obstacle: Why the provider is skipped while another one is available, "" when it is available.
        breaker: The worst phase of the provider's circuit breakers.
        breakers: Circuit breakers by model, for the models that were tried.
        last_success: Seconds since the last response, None when there was none.
        last_error: Class of the last error, "" when there was none.
        last_error_ago: Seconds since the last error, None when there was none.
        latency: From request to whole response.
        time_to_first_token: From request to first chunk, for streams.
        limits: Amounts that the row's own limits allow now.
        probe: Result of a probe, None without one or for a provider without a list of models.
    """

    name: str
    model: str
    obstacle: str = ""
    breaker: BreakerPhase = "closed"
    breakers: Mapping[str, BreakerHealth] = field(default_factory=dict)
    last_success: float | None = None
    last_error: str = ""
    last_error_ago: float | None = None
    latency: Latency | None = None
    time_to_first_token: Latency | None = None
    limits: LimitsLeft = field(default_factory=LimitsLeft)
    probe: Probe | None = None

    @property
    def can_be_asked(self) -> bool:
        """Whether the provider has no obstacle and was reachable by its probe, if there was one."""
        return not self.obstacle and (self.probe is None or self.probe.is_reachable)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Health of all providers and roles.

    Attributes:
        status: "ok" when the first provider of every role can be asked; "down" when no role has a provider that can be
            asked; else "degraded".
        roles: Status of each role.
        providers: Configured providers by name.
        not_configured: Other providers by name, each with its missing settings.
    """

    status: Status
    roles: Mapping[str, Status]
    providers: Mapping[str, ProviderHealth]
    not_configured: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a JSON object for a health route: seconds as numbers, errors as class names."""
        return {
            "status": self.status,
            "roles": dict(self.roles),
            "providers": {name: _as_dict(health) for name, health in self.providers.items()},
            "not_configured": dict(self.not_configured),
        }


def build_health_report(
    configuration: ConfigurationSnapshot,
    admission: AdmissionControl,
    records: Mapping[str, ProviderRecord],
    now: float,
    probes: Mapping[str, Probe | None],
) -> HealthReport:
    """Return the health report of a configuration.

    Args:
        records: Records of earlier attempts by provider.
        now: Reading of the clock that the records were made with, in seconds.
        probes: Results of probes by provider; may be empty.
    """
    providers = {
        name: _provider_health(route, admission, records.get(name, _NO_RECORD), now, probes.get(name))
        for name, route in configuration.routes.items()
    }
    roles = {
        role: _role_status([providers[name] for name in chain if name in providers])
        for role, chain in configuration.chains.items()
    }
    return HealthReport(_overall_status(roles.values()), MappingProxyType(roles), providers, configuration.missing)


def _provider_health(
    route: Route, admission: AdmissionControl, record: ProviderRecord, now: float, probe: Probe | None
) -> ProviderHealth:
    availability = admission.availability(route, route.own_model, 1)
    breakers = {
        model: BreakerHealth(phase, round(open_for, 3))
        for model, (phase, open_for) in admission.breakers(route).items()
    }
    phases = {breaker.phase for breaker in breakers.values()}
    return ProviderHealth(
        name=route.name,
        model=route.own_model,
        obstacle=availability.obstacle,
        breaker=next((phase for phase in _WORST_FIRST if phase in phases), "closed"),
        breakers=breakers,
        last_success=_ago(record.last_success, now),
        last_error=record.last_error,
        last_error_ago=_ago(record.last_error_at, now),
        latency=Latency.of(record.durations.copy()),
        time_to_first_token=Latency.of(record.first_tokens.copy()),
        limits=_limits_left(route, admission, availability),
        probe=probe,
    )


def _limits_left(route: Route, admission: AdmissionControl, availability: Availability) -> LimitsLeft:
    left = admission.limiter.left(route)
    return LimitsLeft(left.get("requests"), left.get("tokens"), left.get("places"), round(availability.limited_for, 3))


def _ago(then: float | None, now: float) -> float | None:
    return None if then is None else round(max(0.0, now - then), 3)


def _role_status(chain: list[ProviderHealth]) -> Status:
    can_be_asked = [health.can_be_asked for health in chain]
    if not any(can_be_asked):
        return "down"
    return "ok" if can_be_asked[0] else "degraded"


def _overall_status(roles: Iterable[Status]) -> Status:
    statuses = set(roles)
    if statuses <= {"down"}:
        return "down"
    return "ok" if statuses == {"ok"} else "degraded"


def _as_dict(health: ProviderHealth) -> dict[str, Any]:
    data = {
        "model": health.model,
        "can_be_asked": health.can_be_asked,
        "obstacle": health.obstacle,
        "breaker": health.breaker,
        "breakers": {model: asdict(breaker) for model, breaker in health.breakers.items()},
        "last_success": health.last_success,
        "last_error": health.last_error,
        "last_error_ago": health.last_error_ago,
        "latency": asdict(health.latency) if health.latency else None,
        "time_to_first_token": asdict(health.time_to_first_token) if health.time_to_first_token else None,
        "limits": asdict(health.limits),
    }
    if health.probe is not None:
        probe, error = health.probe, health.probe.error
        data["probe"] = {
            "is_reachable": probe.is_reachable,
            "seconds": round(probe.seconds, 3),
            "models": None if probe.models is None else len(probe.models),
            "error": type(error).__name__ if error else "",
        }
    return data
