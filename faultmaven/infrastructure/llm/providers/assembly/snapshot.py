"""Configuration snapshots: a route for each configured provider, and the chains of the roles."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .....application.configuration import ConfigurationSnapshot, Route, build_chain
from .....application.policies.circuit_breaker import BreakerPolicy
from .....application.policies.policies import Policies
from .....domain.capabilities import Capabilities
from .....ports.clock import Clock
from ....configuration.settings import Settings
from ...capabilities import resolve_capabilities
from ...config import ProviderConfig
from ...dialects.registry import model_family
from ...models import MIN_REASONING_TIMEOUT_SECONDS, model_facts
from ..adapter import is_chat_backend, to_chat_backend
from ..dialect_provider import DialectProvider
from ..rows.spec import ProviderSpec


def build_route(
    spec: ProviderSpec,
    config: ProviderConfig,
    provider: Any,
    clock: Clock,
    settings: Settings,
    *,
    keeps_time: bool = False,
) -> Route:
    """Return the route of `provider` for the planner.

    Raises:
        TypeError: a name in `get_supported_models()` is not a string.
        Exception: any error of a third-party provider.
    """
    family = model_family(config.dialect or next(iter(getattr(provider, "dialects", ())), ""))
    models = _model_names(provider)
    # A class with its own `generate` gets a single prompt, whatever features its base class has.
    provider_features = frozenset(getattr(provider, "features", ()) if is_chat_backend(provider) else ())

    @functools.lru_cache(maxsize=512)
    def capabilities_for(model: str) -> Capabilities:
        return resolve_capabilities(provider_features, spec.capabilities.for_model(model), model_facts(family, model))

    features = capabilities_for(next(iter(models), "")).features
    is_dialect_provider = isinstance(provider, DialectProvider)
    # The router replaces streams by whole responses only where the row or a fact about the model takes streaming away.
    # A provider that never had the feature keeps its own `open_stream`, which also works without streaming.
    streams = "stream" in features or "stream" not in provider_features
    return Route(
        name=config.name,
        backend=to_chat_backend(config.name, provider, clock, config.timeout),
        models=models,
        timeout=config.timeout,
        max_retries=config.max_retries,
        confidence=config.confidence_score,
        features=features,
        streams=streams,
        timeout_for=functools.partial(_timeout_for, family, config.timeout, settings),
        capabilities_for=capabilities_for,
        refusal_for=provider.refusal if is_dialect_provider and is_chat_backend(provider) else None,
        keeps_time=keeps_time,
        origin=f"{config.dialect} {config.base_url}".strip(),
        max_concurrency=spec.max_concurrency,
        requests_per_minute=spec.requests_per_minute,
        tokens_per_minute=spec.tokens_per_minute,
    )


def _model_names(provider: Any) -> tuple[str, ...]:
    models = tuple(provider.get_supported_models())
    if not all(isinstance(model, str) for model in models):
        raise TypeError("a model's name is a string")
    return models


def _timeout_for(family: str, row_timeout: float, settings: Settings, model: str) -> float:
    """Return the seconds of one attempt: a model that thinks first gets more, unless the operator set one for all."""
    if settings.request_timeout is None and model_facts(family, model).reasons:
        return max(row_timeout, MIN_REASONING_TIMEOUT_SECONDS)
    return row_timeout


def build_snapshot(
    routes: Mapping[str, Route],
    missing: Mapping[str, str],
    specs: Iterable[ProviderSpec],
    settings: Settings,
    policies: Policies,
) -> ConfigurationSnapshot:
    """Return the snapshot: the chat chain, and for each role its primary provider in front of that chain."""
    strict, threshold = settings.strict_provider_mode, settings.confidence_threshold
    default = build_chain(
        routes.values(), settings.chat_provider, settings.fallback_chain, strict=strict, threshold=threshold
    )
    chains = {
        role: ((primary,) if strict else tuple(dict.fromkeys((primary, *default)))) if primary else default
        for role, primary in settings.role_providers.items()
    }
    keys = [spec.api_key_var for spec in specs if spec.key == "required" and spec.api_key_var]
    advice = f"Set one of {', '.join(keys)}, or the address of a local server." if keys else "Pass a provider."
    return ConfigurationSnapshot(
        routes, missing, chains, settings.deadline, _apply_settings(policies, settings), strict, advice
    )


def _apply_settings(policies: Policies, settings: Settings) -> Policies:
    """Return `policies` with the values of `settings`; error policy, acceptance and schemas stay the host's own."""
    breaker = BreakerPolicy(
        settings.breaker_window, settings.breaker_min_calls, settings.breaker_rate, settings.breaker_open_seconds
    )
    return replace(
        policies,
        breaker=breaker,
        confidence_threshold=settings.confidence_threshold,
        hedge_after=settings.hedge_after,
        deduplicate=settings.deduplicate,
    )
