"""Probes of providers: a request for the list of models, which costs nothing, shows whether a provider is reachable."""

from dataclasses import dataclass, field
from typing import Any

from ...domain.errors import LLMError, ProviderError, ProviderTimeoutError, RateLimitError, RejectedRequestError
from ...ports.clock import Clock

PROBE_SECONDS = 8.0
PROBE_GRACE = 1.25
"""Factor on the timeout of a probe. Built-in providers keep the timeout and raise a more precise error; the longer
timeout is for third-party providers."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of requesting a provider's list of models.

    Attributes:
        seconds: Duration of the request.
        models: The listed models, None after an error.
        error: The error of the request, None after a list.
    """

    seconds: float
    models: tuple[str, ...] | None = None
    error: LLMError | None = field(default=None, repr=False)

    @property
    def is_reachable(self) -> bool:
        """Whether the provider responded with a list, a rate limit, or a rejection of the request."""
        return self.error is None or isinstance(self.error, RateLimitError | RejectedRequestError)


async def probe_provider(name: str, provider: Any, clock: Clock, seconds: float = PROBE_SECONDS) -> Probe | None:
    """Request the list of models of `provider` and return the result; None for a provider without `list_models`.

    Args:
        seconds: Timeout of the request.
    """
    list_models = getattr(provider, "list_models", None)
    if list_models is None:
        return None
    started = clock.monotonic()
    try:
        async with clock.timeout(seconds * PROBE_GRACE):
            models = tuple(await list_models(seconds))
    except LLMError as error:
        return Probe(clock.monotonic() - started, error=error)
    except TimeoutError:
        late = ProviderTimeoutError(f"no list of models within {seconds * PROBE_GRACE:.3g} s", provider=name)
        return Probe(clock.monotonic() - started, error=late)
    except Exception as error:  # noqa: BLE001 - a third-party class may raise anything; its type is reported
        wrapped = ProviderError(f"the provider's class raised {type(error).__name__}", provider=name)
        return Probe(clock.monotonic() - started, error=wrapped)
    return Probe(clock.monotonic() - started, models)
