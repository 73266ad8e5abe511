"""From configured providers to what the router runs on: a route for each, and the chains over them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from faultmaven.application.breaker import BreakerPolicy
from faultmaven.application.generation import Generation, Route, chain
from faultmaven.application.policies import Policies
from faultmaven.infrastructure.llm.capabilities import Capabilities, capabilities_of
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import REASONING_SECONDS, model_facts
from faultmaven.infrastructure.llm.providers.adapted import backend_of, has_answer
from faultmaven.infrastructure.llm.providers.base import BaseLLMProvider
from faultmaven.infrastructure.llm.providers.spec import ProviderSpec
from faultmaven.infrastructure.llm.wire.catalogue import model_family
from faultmaven.infrastructure.settings import Settings
from faultmaven.ports.clock import Clock


def build_route(spec: ProviderSpec, config: ProviderConfig, provider: Any, clock: Clock, settings: Settings) -> Route:
    """Return `provider` as the planner sees it."""
    family = model_family(config.dialect or next(iter(getattr(provider, "dialects", ())), ""))

    def timeout_for(model: str) -> float:
        # A model that thinks first needs its time, unless the operator says otherwise for all.
        if settings.request_timeout is None and model_facts(family, model).reasons:
            return max(config.timeout, REASONING_SECONDS)
        return config.timeout

    def capabilities_for(model: str) -> Capabilities:
        return capabilities_of(features, spec.capabilities, model_facts(family, model), model)

    # A class that is asked through its own `generate` gets a prompt and nothing else, whatever its base can carry.
    models = tuple(provider.get_supported_models())
    if not all(isinstance(model, str) for model in models):
        raise TypeError("a model's name is a string")
    features = frozenset(getattr(provider, "features", ()) if has_answer(provider) else ())
    refusal = getattr(provider, "refusal", None) if isinstance(provider, BaseLLMProvider) else None
    return Route(
        name=config.name,
        backend=backend_of(config.name, provider, clock, config.timeout),
        models=models,
        timeout=config.timeout,
        max_retries=config.max_retries,
        confidence=config.confidence_score,
        features=features,
        streams=spec.capabilities.get("stream") is not False,
        timeout_for=timeout_for,
        features_for=lambda model: capabilities_for(model).features,
        context_for=lambda model: capabilities_for(model).context_window,
        refusal_for=refusal,
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
) -> Generation:
    """Return the configuration in force: the chat chain, and for each role its primary in front of it."""
    strict, threshold = settings.strict_provider_mode, settings.confidence_threshold
    default = chain(
        routes.values(), settings.chat_provider, settings.fallback_chain, strict=strict, threshold=threshold
    )
    chains = {
        role: ((primary,) if strict else tuple(dict.fromkeys((primary, *default)))) if primary else default
        for role, primary in settings.role_providers.items()
    }
    keys = [spec.api_key_var for spec in specs if spec.key == "required" and spec.api_key_var]
    advice = f"Set one of {', '.join(keys)}, or the address of a local server." if keys else "Pass a provider."
    return Generation(routes, missing, chains, settings.deadline, build_policies(settings, policies), strict, advice)


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
