"""Builders of the adapters that need an extra. Each library is imported when its adapter is built, and not before."""

import importlib.util
from collections.abc import Mapping
from typing import Any

from ...domain.errors import ConfigurationError
from ...ports.cache import ResponseCache
from ...ports.clock import Clock
from ...ports.limits import RateCounter
from ...ports.schemas import Check, SchemaValidator

_LIMITS_NEED = "requests_per_minute and tokens_per_minute need a package that"


def ratelimit_is_missing() -> str:
    """Return how to install the extra `ratelimit`, which limits per minute need; "" where it is installed."""
    if importlib.util.find_spec("limits") is not None:
        return ""
    return str(_missing_extra(_LIMITS_NEED, "ratelimit"))


def build_rate_counter(clock: Clock) -> RateCounter:
    """Return a counter in this process's memory.

    Raises:
        ConfigurationError: the extra `ratelimit` is not installed.
    """
    try:
        from .rate_counter import MinuteStorage, SlidingMinuteCounter
    except ImportError as error:
        raise _missing_extra(_LIMITS_NEED, "ratelimit") from error
    return SlidingMinuteCounter(MinuteStorage(clock))


def build_response_cache(entries: int, seconds: float, clock: Clock) -> ResponseCache:
    """Return a cache of at most `entries` responses in this process's memory, each for `seconds`.

    Raises:
        ConfigurationError: the extra `cache` is not installed.
    """
    try:
        from .memory_cache import MemoryCache
    except ImportError as error:
        raise _missing_extra("LLM_CACHE_SECONDS needs a package that", "cache") from error
    return MemoryCache(entries, seconds, clock)


class SchemaValidatorOnDemand:
    """A `SchemaValidator` whose library is imported for the first schema."""

    def __init__(self) -> None:
        self._validator: SchemaValidator | None = None

    def check_for(self, schema: Mapping[str, Any]) -> Check:
        """Return the check of `schema`; see `SchemaValidator`.

        Raises:
            ConfigurationError: the extra `schema` is not installed.
        """
        if self._validator is None:
            try:
                from .schema_validator import RustSchemaValidator
            except ImportError as error:
                raise _missing_extra("a JSON schema as response_format needs a package that", "schema") from error
            self._validator = RustSchemaValidator()
        return self._validator.check_for(schema)


def require_watchfiles() -> None:
    """Raise a `ConfigurationError` unless the extra `watch` is installed."""
    if importlib.util.find_spec("watchfiles") is None:
        raise _missing_extra("LLM_WATCH_FILES needs the package watchfiles, which", "watch")


def require_httpx2() -> None:
    """Raise a `ConfigurationError` unless the extra `httpx2` is installed."""
    if importlib.util.find_spec("httpx2") is None:
        raise _missing_extra("LLM_HTTP_CARRIER=httpx2 needs a package that", "httpx2")


def require_http2() -> None:
    """Raise a `ConfigurationError` unless the extra `http2` is installed."""
    if importlib.util.find_spec("httpx2") is None or importlib.util.find_spec("h2") is None:
        raise _missing_extra("LLM_HTTP2=true needs a package that", "http2")


def _missing_extra(subject: str, extra: str) -> ConfigurationError:
    return ConfigurationError(f"{subject} is not installed", advice=f'Run: pip install "faultmaven[{extra}]"')
