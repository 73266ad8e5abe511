"""Answers that need not be asked for: shared with an identical call under way, or kept from an earlier one."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from ...domain.attempts import Attempt
from ...domain.errors import DeadlineExceededError, InvalidRequestError, LLMError
from ...domain.events import CacheAnswered, CallShared
from ...domain.requests import ChatRequest
from ...domain.responses import LLMResponse, StopReason
from ...ports.cache import ResponseCache
from ..answers.acceptance import parsed
from ..configuration import ConfigurationSnapshot
from ..emitting import report
from ..execution.call_log import CallLog
from ..planning.plan import Plan
from ..policies.policies import Policies
from .request_key import request_key
from .single_flight import SingleFlight

RunCall: TypeAlias = Callable[[], Coroutine[Any, Any, LLMResponse]]
Result = TypeVar("Result")

KEPT_REASONS = (StopReason.STOP, StopReason.TOOL_CALLS)
"""A cut answer, a refused one and one whose end is not known are never kept: asking again may bring a better one."""


class ResponseReuse:
    """Spares calls where the caller or the configuration allows it; without either, it only passes on."""

    def __init__(self, cache: ResponseCache | None) -> None:
        """Args:
        cache: Keeps answers; None keeps none.
        """
        self._cache = cache
        self._shared = SingleFlight()

    def is_wanted(self, request: ChatRequest, policies: Policies) -> bool:
        """Return whether there is anything to spare for `request`.

        Raises:
            InvalidRequestError: the caller wants the cache, and there is none.
        """
        if request.cache and self._cache is None:
            raise InvalidRequestError("cache=True, but no cache is configured", advice="Set LLM_CACHE_SECONDS.")
        return self._cache_for(request) is not None or _shares(request, policies)

    async def answer(
        self, request: ChatRequest, planned: Plan, generation: ConfigurationSnapshot, ledger: CallLog, call: RunCall
    ) -> LLMResponse:
        """Return a kept answer, that of an identical call under way, or that of `call`.

        Whoever may answer is part of what makes two requests the same; how they stand at the moment is not, so that a
        kept answer is there while its provider is down.

        Raises:
            LLMError: as `call`.
        """
        key = request_key(request, planned.who)
        if key is None:
            return await call()
        cache = self._cache_for(request)
        kept = None if cache is None else await _guarded(cache.get(key), "get")
        if kept is not None:
            return _from_cache(kept, request, ledger)
        if _shares(request, generation.policies):
            # A reload begins anew: a rotated key counts from the next call on.
            flight = f"{key}/{request.deadline}/{request.hedge_after}/{id(generation)}"
            response = await self._join(flight, request, planned.deadline, ledger, call)
        else:
            response = await call()
        if cache is not None and _may_be_kept(response):
            await _guarded(cache.put(key, replace(response, raw=None, parsed=None)), "put")
        return response

    def _cache_for(self, request: ChatRequest) -> ResponseCache | None:
        return self._cache if request.cache is not False else None

    async def _join(
        self, key: str, request: ChatRequest, deadline: float, ledger: CallLog, call: RunCall
    ) -> LLMResponse:
        if not self._shared.is_under_way(key):
            return await self._shared.join(key, call)
        ledger.tell(CallShared(ledger.call))
        try:
            response = await self._shared.join(key, call)
        except DeadlineExceededError as error:
            if ledger.elapsed < deadline:  # it came late to that call, and has time left
                return await self._join(key, request, deadline, ledger, call)
            ledger.failed(type(error).__name__)
            raise
        except LLMError as error:
            ledger.failed(type(error).__name__)
            raise
        except asyncio.CancelledError:
            ledger.failed("cancelled")
            raise
        ledger.answered(response)
        return replace(response, raw=copy.deepcopy(response.raw), parsed=_parsed_anew(response, request))


def _shares(request: ChatRequest, policies: Policies) -> bool:
    return policies.deduplicate if request.deduplicate is None else request.deduplicate


async def _guarded(work: Awaitable[Result], name: str) -> Result | None:
    """Return what a cache finds; one that raises is the host's to mend, and costs nobody an answer."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - a cache is the host's code; what it raises is reported
        report(error, f"faultmaven: the response cache raised on {name}")
        return None


def _may_be_kept(response: LLMResponse) -> bool:
    kept = next((line for line in response.attempts if line.kept), None)
    return response.stop_reason in KEPT_REASONS and kept is not None and not kept.error


def _from_cache(kept: LLMResponse, request: ChatRequest, ledger: CallLog) -> LLMResponse:
    """Return a kept answer as this call's own: nobody was asked, and no tokens were used."""
    ledger.tell(CacheAnswered(ledger.call, kept.provider, kept.model))
    line = Attempt(kept.provider, kept.model, "cached", duration=ledger.elapsed, kept=True)
    milliseconds = round(ledger.elapsed * 1000, 3)
    found = _parsed_anew(kept, request)
    return replace(kept, cached=True, attempts=(line,), response_time_ms=milliseconds, parsed=found)


def _parsed_anew(response: LLMResponse, request: ChatRequest) -> Any:
    """Return the validated object anew: what one caller does to its own changes nobody else's."""
    if request.response_format is None or response.tool_calls:
        return None
    return parsed(replace(response, parsed=None), request.response_format)[0]
