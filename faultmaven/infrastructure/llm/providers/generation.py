"""From configured providers to what the router runs on: a route for each, and the chains over them."""

from collections.abc import Iterable, Mapping
from typing import Any

from faultmaven.application.plan import Generation, Route, chain
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import REASONING_SECONDS, model_facts
from faultmaven.infrastructure.llm.providers.adapted import backend_of, has_answer
from faultmaven.infrastructure.llm.providers.spec import ProviderSpec
from faultmaven.infrastructure.llm.wire.catalogue import model_family
from faultmaven.infrastructure.settings import Settings
from faultmaven.ports.clock import Clock


def build_route(config: ProviderConfig, provider: Any, clock: Clock, settings: Settings) -> Route:
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
    features = getattr(provider, "features", ()) if has_answer(provider) else ()
    return Route(
        name=config.name,
        backend=backend_of(config.name, provider, clock, config.timeout),
        models=models,
        timeout=config.timeout,
        max_retries=config.max_retries,
        confidence=config.confidence_score,
        features=frozenset(features),
        timeout_for=timeout_for,
    )


def build_generation(
    routes: Mapping[str, Route], missing: Mapping[str, str], specs: Iterable[ProviderSpec], settings: Settings
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
    return Generation(routes, missing, chains, settings.deadline, threshold, advice)
