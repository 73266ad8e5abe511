"""How every provider stands and has fared, as values that a health route gives out; nothing here asks anybody."""

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
    """Seconds within which a half, 95 and 99 of a hundred of the newest answers came; `answers` says of how many."""

    answers: int
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Latency | None":
        """Return the nearest ranks among `seconds`, None when there are none."""
        ranked = sorted(seconds)
        if not ranked:
            return None
        ranks = (ranked[math.ceil(len(ranked) * share) - 1] for share in (0.5, 0.95, 0.99))
        return cls(len(ranked), *(round(rank, 6) for rank in ranks))


@dataclass(frozen=True, slots=True)
class BreakerHealth:
    """The circuit breaker of one model: its phase, and the seconds for which an open one lets nothing through."""

    phase: BreakerPhase
    open_for: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitsLeft:
    """What the row's own limits still allow now; None where the row has no such limit.

    Attributes:
        requests: Of `requests_per_minute`.
        tokens: Of `tokens_per_minute`.
        places: Of `max_concurrency`.
        announced_pause: Seconds for which the vendor said that it takes nothing more.
    """

    requests: int | None = None
    tokens: int | None = None
    places: int | None = None
    announced_pause: float = 0.0


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """One configured provider. What it says of calls is of those through `container.llm()`, in this process.

    Attributes:
        model: The model it uses when none is asked for, "" when the server decides.
        obstacle: Why it is left alone now while another one can be asked, "" when it is not.
        breaker: The worst phase of its breakers.
        breakers: By model, for those that were asked.
        last_success: Seconds since its last answer, None when there was none.
        last_error: The class of its last error, "" when there was none.
        last_error_ago: Seconds since then.
        latency: From asking to the whole answer.
        time_to_first_token: From asking to the first piece, for streams.
        probe: What it said when it was asked for its models; None where nobody asked, or it has no such list.
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
        """Whether nothing keeps it from being asked, and a probe, where there was one, reached it."""
        return not self.obstacle and (self.probe is None or self.probe.is_reachable)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What is known of all providers.

    Attributes:
        status: "ok" when every role's first provider can be asked; "down" when no role has one that can; else
            "degraded".
        roles: The same for each role.
        providers: The configured ones by name.
        not_configured: The others, with what they lack.
    """

    status: Status
    roles: Mapping[str, Status]
    providers: Mapping[str, ProviderHealth]
    not_configured: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it, for a health route: seconds as numbers, errors as the names of their classes."""
        return {
            "status": self.status,
            "roles": dict(self.roles),
            "providers": {name: _as_dict(health) for name, health in self.providers.items()},
            "not_configured": dict(self.not_configured),
        }


def health_report(
    generation: ConfigurationSnapshot,
    traffic: AdmissionControl,
    records: Mapping[str, ProviderRecord],
    now: float,
    probes: Mapping[str, Probe | None],
) -> HealthReport:
    """Return the report of the configuration in force."""
    providers = {
        name: _health(route, traffic, records.get(name, _NO_RECORD), now, probes.get(name))
        for name, route in generation.routes.items()
    }
    roles = {
        role: _status([providers[name] for name in chain if name in providers])
        for role, chain in generation.chains.items()
    }
    return HealthReport(_overall(roles.values()), MappingProxyType(roles), providers, generation.missing)


def _health(
    route: Route, traffic: AdmissionControl, record: ProviderRecord, now: float, probe: Probe | None
) -> ProviderHealth:
    standing = traffic.standing(route, route.own_model, 1)
    breakers = {
        model: BreakerHealth(phase, round(open_for, 3)) for model, (phase, open_for) in traffic.breakers(route).items()
    }
    phases = {breaker.phase for breaker in breakers.values()}
    return ProviderHealth(
        name=route.name,
        model=route.own_model,
        obstacle=standing.obstacle,
        breaker=next((phase for phase in _WORST_FIRST if phase in phases), "closed"),
        breakers=breakers,
        last_success=_ago(record.last_success, now),
        last_error=record.last_error,
        last_error_ago=_ago(record.last_error_at, now),
        latency=Latency.of(record.durations.copy()),
        time_to_first_token=Latency.of(record.first_tokens.copy()),
        limits=_limits_left(route, traffic, standing),
        probe=probe,
    )


def _limits_left(route: Route, traffic: AdmissionControl, standing: Availability) -> LimitsLeft:
    left = traffic.limiter.left(route)
    return LimitsLeft(left.get("requests"), left.get("tokens"), left.get("places"), round(standing.limited_for, 3))


def _ago(then: float | None, now: float) -> float | None:
    return None if then is None else round(max(0.0, now - then), 3)


def _status(chain: list[ProviderHealth]) -> Status:
    can_be_asked = [health.can_be_asked for health in chain]
    if not any(can_be_asked):
        return "down"
    return "ok" if can_be_asked[0] else "degraded"


def _overall(roles: Iterable[Status]) -> Status:
    found = set(roles)
    if found <= {"down"}:
        return "down"
    return "ok" if found == {"ok"} else "degraded"


def _as_dict(health: ProviderHealth) -> dict[str, Any]:
    told = {
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
        told["probe"] = {
            "is_reachable": probe.is_reachable,
            "seconds": round(probe.seconds, 3),
            "models": None if probe.models is None else len(probe.models),
            "error": type(error).__name__ if error else "",
        }
    return told
