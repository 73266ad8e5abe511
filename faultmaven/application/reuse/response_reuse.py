"""Reuse of responses: the response cache, and one call for identical requests in flight."""

import asyncio
import copy
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, TypeVar

from ...domain.attempts import Attempt
from ...domain.errors import DeadlineExceededError, InvalidRequestError, LLMError
from ...domain.events import CacheAnswered, CallShared
from ...domain.requests import ChatRequest
from ...domain.responses import LLMResponse, StopReason
from ...ports.cache import ResponseCache
from ..answers.structured_output import parse_answer
from ..configuration import ConfigurationSnapshot
from ..emitting import report
from ..execution.call import Call
from ..execution.call_log import CallLog
from ..policies.policies import Policies
from .request_key import request_key
from .single_flight import SingleFlight

Result = TypeVar("Result")

CACHEABLE_REASONS = (StopReason.STOP, StopReason.TOOL_CALLS)
"""The stop reasons of cached responses. After any other one, a repeated request may bring a better response."""


class ResponseReuse:
    """Answers a request from the cache or with an identical call in flight, where the caller or the settings allow."""

    def __init__(self, cache: ResponseCache | None) -> None:
        """Args:
        cache: The response cache, None for none.
        """
        self._cache = cache
        self._single_flight = SingleFlight()

    def is_enabled(self, request: ChatRequest, policies: Policies) -> bool:
        """Return whether a response may be reused for `request`.

        Raises:
            InvalidRequestError: the request demands the cache, and none is configured.
        """
        if request.cache and self._cache is None:
            raise InvalidRequestError("cache=True, but no cache is configured", advice="Set LLM_CACHE_SECONDS.")
        return self._cache_for(request) is not None or _is_shared(request, policies)

    async def answer(self, call: Call, configuration: ConfigurationSnapshot) -> LLMResponse:
        """Return a cached response, the response of an identical call in flight, or the response of `call`.

        The possible answerers are part of the key. Their availability is not, so that a cached response serves while
        its provider is down.

        Raises:
            LLMError: as `call`.
        """
        request = call.context.request
        key = request_key(request, call.plan.possible_answerers)
        if key is None:
            return await _run(call)
        cache = self._cache_for(request)
        cached = None if cache is None else await _guarded(cache.get(key), "get")
        if cached is not None:
            return _from_cache(cached, request, call.log)
        if _is_shared(request, configuration.policies):
            # The configuration is part of the key: after a reload, a rotated key applies from the next call.
            flight = f"{key}/{request.deadline}/{request.hedge_after}/{id(configuration)}"
            response = await self._join(flight, call)
        else:
            response = await _run(call)
        if cache is not None and _is_cacheable(response):
            await _guarded(cache.put(key, replace(response, raw=None, parsed=None)), "put")
        return response

    def _cache_for(self, request: ChatRequest) -> ResponseCache | None:
        return self._cache if request.cache is not False else None

    async def _join(self, key: str, call: Call) -> LLMResponse:
        if not self._single_flight.is_in_flight(key):
            return await self._single_flight.join(key, lambda: _run(call))
        log = call.log
        log.emit(CallShared(log.call))
        try:
            response = await self._single_flight.join(key, lambda: _run(call))
        except DeadlineExceededError as error:
            if log.elapsed < call.plan.deadline:  # this request joined late and has time left
                return await self._join(key, call)
            log.failed(type(error).__name__)
            raise
        except LLMError as error:
            log.failed(type(error).__name__)
            raise
        except asyncio.CancelledError:
            log.failed("cancelled")
            raise
        log.answered(response)
        return replace(response, raw=copy.deepcopy(response.raw), parsed=_parse_again(response, call.context.request))


async def _run(call: Call) -> LLMResponse:
    return call.accept(await call.run())


def _is_shared(request: ChatRequest, policies: Policies) -> bool:
    return policies.deduplicate if request.deduplicate is None else request.deduplicate


async def _guarded(operation: Awaitable[Result], name: str) -> Result | None:
    """Return the result of a cache operation, None where the cache raises: its exception is reported."""
    try:
        return await operation
    except Exception as error:  # noqa: BLE001 - a cache is the host's code; its exception is reported
        report(error, f"faultmaven: the response cache raised on {name}")
        return None


def _is_cacheable(response: LLMResponse) -> bool:
    accepted = next((attempt for attempt in response.attempts if attempt.kept), None)
    return response.stop_reason in CACHEABLE_REASONS and accepted is not None and not accepted.error


def _from_cache(cached: LLMResponse, request: ChatRequest, log: CallLog) -> LLMResponse:
    """Return a cached response as this call's own, with one attempt that used no tokens."""
    log.emit(CacheAnswered(log.call, cached.provider, cached.model))
    attempt = Attempt(cached.provider, cached.model, "cached", duration=log.elapsed, kept=True)
    milliseconds = round(log.elapsed * 1000, 3)
    parsed = _parse_again(cached, request)
    return replace(cached, cached=True, attempts=(attempt,), response_time_ms=milliseconds, parsed=parsed)


def _parse_again(response: LLMResponse, request: ChatRequest) -> Any:
    """Return a new validated object, so that callers which share a response do not share the object."""
    if request.response_format is None or response.tool_calls:
        return None
    return parse_answer(replace(response, parsed=None), request.response_format)[0]
