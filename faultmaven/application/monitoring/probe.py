"""Asking a provider whether it is there, over its list of models, which costs nothing."""

from dataclasses import dataclass, field
from typing import Any

from ...domain.errors import LLMError, ProviderError, ProviderTimeoutError, RateLimitError, RejectedRequestError
from ...ports.clock import Clock

PROBE_SECONDS = 8.0
FENCE = 1.25
"""A provider of ours keeps the time itself, and says more about it; the fence is for foreign classes."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of asking a provider for its models.

    Attributes:
        seconds: How long it took.
        models: What it listed; None where an error came.
        error: What came instead of a list.
    """

    seconds: float
    models: tuple[str, ...] | None = None
    error: LLMError | None = field(default=None, repr=False)

    @property
    def is_reachable(self) -> bool:
        """Whether something that speaks for the provider answered: a list, or an error that says no more than that it
        has none, or takes no more questions for now."""
        return self.error is None or isinstance(self.error, RateLimitError | RejectedRequestError)


async def probe(name: str, provider: Any, clock: Clock, seconds: float = PROBE_SECONDS) -> Probe | None:
    """Return what `provider` says when it is asked for its models, within `seconds`; None for one without a list."""
    list_models = getattr(provider, "list_models", None)
    if list_models is None:
        return None
    started = clock.monotonic()
    try:
        async with clock.timeout(seconds * FENCE):
            models = tuple(await list_models(seconds))
    except LLMError as error:
        return Probe(clock.monotonic() - started, error=error)
    except TimeoutError:
        late = ProviderTimeoutError(f"no list of models within {seconds * FENCE:.3g} s", provider=name)
        return Probe(clock.monotonic() - started, error=late)
    except Exception as error:  # noqa: BLE001 - a foreign class may raise anything; its type is reported
        wrapped = ProviderError(f"its class raised {type(error).__name__}", provider=name)
        return Probe(clock.monotonic() - started, error=wrapped)
    return Probe(clock.monotonic() - started, models)
