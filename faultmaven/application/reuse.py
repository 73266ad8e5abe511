"""Answers that need not be asked for: shared with an identical call under way, or kept from an earlier one."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from faultmaven.application.ledger import Ledger
from faultmaven.application.planned import Plan
from faultmaven.application.policies import Policies
from faultmaven.application.request_key import request_key
from faultmaven.application.sharing import SharedCalls
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse, StopReason
from faultmaven.domain.errors import InvalidRequestError
from faultmaven.domain.events import CacheAnswered, CallShared
from faultmaven.ports.cache import ResponseCache

KEPT_REASONS = (StopReason.STOP, StopReason.TOOL_CALLS)
"""A cut answer, a refused one and one whose end is not known are never kept: asking again may bring a better one."""


class AnswerReuse:
    """Spares calls where the caller or the configuration allows it; without either, it only passes on."""

    def __init__(self, cache: ResponseCache | None) -> None:
        """Args:
        cache: Keeps answers; None keeps none.
        """
        self._cache = cache
        self._shared = SharedCalls()

    async def answer(
        self,
        request: ChatRequest,
        planned: Plan,
        policies: Policies,
        ledger: Ledger,
        call: Callable[[], Coroutine[Any, Any, LLMResponse]],
    ) -> LLMResponse:
        """Return a kept answer, that of an identical call under way, or that of `call`.

        Whoever may answer is part of what makes two requests the same; how they stand at the moment is not, so that a
        kept answer is there while its provider is down.

        Raises:
            InvalidRequestError: the caller wants the cache, and there is none.
            LLMError: as `call`.
        """
        if request.cache and self._cache is None:
            raise InvalidRequestError("cache=True, but no cache is configured", advice="Set LLM_CACHE_SECONDS.")
        cache = self._cache if request.cache is not False else None
        shares = policies.deduplicate if request.deduplicate is None else request.deduplicate
        if cache is None and not shares:
            return await call()
        key = request_key(request, planned.who)
        if key is None:
            return await call()
        if cache is not None and (kept := await cache.get(key)) is not None:
            return _from_cache(kept, ledger)
        if shares:
            response = await self._join(f"{key}/{request.deadline}/{request.hedge_after}", ledger, call)
        else:
            response = await call()
        if cache is not None and _may_be_kept(response):
            await cache.put(key, response)
        return response

    async def _join(
        self, key: str, ledger: Ledger, call: Callable[[], Coroutine[Any, Any, LLMResponse]]
    ) -> LLMResponse:
        if self._shared.is_under_way(key):
            ledger.tell(CallShared(ledger.call))
        return await self._shared.join(key, call)


def _may_be_kept(response: LLMResponse) -> bool:
    kept = next((line for line in response.attempts if line.kept), None)
    return response.stop_reason in KEPT_REASONS and kept is not None and not kept.error


def _from_cache(kept: LLMResponse, ledger: Ledger) -> LLMResponse:
    """Return a kept answer as this call's own: nobody was asked, and no tokens were used."""
    ledger.tell(CacheAnswered(ledger.call, kept.provider, kept.model))
    line = Attempt(kept.provider, kept.model, "cached", duration=ledger.elapsed, kept=True)
    return replace(kept, cached=True, attempts=(line,), response_time_ms=round(ledger.elapsed * 1000, 3))
