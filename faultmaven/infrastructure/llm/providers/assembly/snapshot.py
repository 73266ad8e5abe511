"""From configured providers to what the router runs on: a route for each, and the chains over them."""

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
from ...capabilities import capabilities
from ...config import ProviderConfig
from ...dialects.registry import model_family
from ...models import REASONING_SECONDS, model_facts
from ..adapter import backend_of, has_answer
from ..dialect_provider import DialectProvider
from ..rows.spec import ProviderSpec


def build_route(spec: ProviderSpec, config: ProviderConfig, provider: Any, clock: Clock, settings: Settings) -> Route:
    """Return `provider` as the planner sees it."""
    family = model_family(config.dialect or next(iter(getattr(provider, "dialects", ())), ""))

    def timeout_for(model: str) -> float:
        # A model that thinks first needs its time, unless the operator says otherwise for all.
        if settings.request_timeout is None and model_facts(family, model).reasons:
            return max(config.timeout, REASONING_SECONDS)
        return config.timeout

    # A class that is asked through its own `generate` gets a prompt and nothing else, whatever its base can carry.
    models = tuple(provider.get_supported_models())
    if not all(isinstance(model, str) for model in models):
        raise TypeError("a model's name is a string")
    carried = frozenset(getattr(provider, "features", ()) if has_answer(provider) else ())

    @functools.lru_cache(maxsize=512)
    def capabilities_of(model: str) -> Capabilities:
        return capabilities(carried, spec.capabilities.stated(model), model_facts(family, model))

    own = capabilities_of(next(iter(models), "")).features
    return Route(
        name=config.name,
        backend=backend_of(config.name, provider, clock, config.timeout),
        models=models,
        timeout=config.timeout,
        max_retries=config.max_retries,
        confidence=config.confidence_score,
        features=own,
        streams="stream" in own or "stream" not in carried,
        timeout_for=timeout_for,
        capabilities_for=capabilities_of,
        refusal_for=provider.refusal if isinstance(provider, DialectProvider) and has_answer(provider) else None,
        keeps_time=isinstance(provider, DialectProvider) and provider.keeps_time,
        origin=f"{config.dialect} {config.base_url}".strip(),
        max_concurrency=spec.max_concurrency,
        requests_per_minute=spec.requests_per_minute,
        tokens_per_minute=spec.tokens_per_minute,
    )


def build_generation(
    routes: Mapping[str, Route],
    missing: Mapping[str, str],
    specs: Iterable[ProviderSpec],
    settings: Settings,
    policies: Policies,
) -> ConfigurationSnapshot:
    """Return the configuration in force: the chat chain, and for each role its primary in front of it."""
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
        routes, missing, chains, settings.deadline, build_policies(settings, policies), strict, advice
    )


def build_policies(settings: Settings, given: Policies) -> Policies:
    """Return the policies of `settings`, with the host's own error table and acceptance."""
    breaker = BreakerPolicy(
        settings.breaker_window, settings.breaker_min_calls, settings.breaker_rate, settings.breaker_open_seconds
    )
    return replace(
        given,
        breaker=breaker,
        confidence_threshold=settings.confidence_threshold,
        hedge_after=settings.hedge_after,
        deduplicate=settings.deduplicate,
    )
