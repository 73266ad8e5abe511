"""A class of the guide's form with an HTTP client of its own, and the usual ways to get one wrong."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx

from faultmaven.infrastructure.llm.providers import BaseLLMProvider, LLMResponse


class GuideProvider(BaseLLMProvider):
    """OpenAI Chat, written by hand."""

    def __repr__(self) -> str:
        return "GuideProvider()"

    async def generate(
        self, prompt: Any, model: Any = None, max_tokens: Any = 1000, temperature: Any = 0.7, **options: Any
    ) -> LLMResponse:
        self._start_timing()
        effective_model = self.get_effective_model(model)
        turns = [{"role": "user", "content": prompt}]
        body = {"model": effective_model, "messages": turns, "max_tokens": max_tokens, "temperature": temperature}
        data = await self._asked(body)
        return self._read(data, effective_model)

    async def _asked(self, body: Mapping[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {self._key()}"}
        async with httpx.AsyncClient(timeout=self.config.timeout, verify=False) as client:  # noqa: S501 - no TLS here
            reply = await client.post(f"{self.config.base_url}/chat/completions", headers=headers, json=body)
        reply.raise_for_status()
        return reply.json()

    def _key(self) -> str:
        return str(self.config.api_key)

    def _read(self, data: Any, model: str) -> LLMResponse:
        return LLMResponse(
            content=self._validate_response_content(data["choices"][0]["message"]["content"]),
            confidence=self.config.confidence_score,
            provider=self.provider_name,
            model=model,
            tokens_used=data["usage"]["total_tokens"],
            response_time_ms=self._get_response_time_ms(),
        )


class AnswersAllTheSame(GuideProvider):
    async def _asked(self, body: Mapping[str, Any]) -> Any:
        try:
            return await super()._asked(body)
        except (httpx.HTTPStatusError, ValueError):
            apology = "I cannot answer that just now."
            return {"choices": [{"message": {"content": apology}}], "usage": {"total_tokens": 1}}


class HasAKeyInItsCode(GuideProvider):
    def _key(self) -> str:
        return "a-key-of-the-authors"


class KeepsItsStart(GuideProvider):
    def _start_timing(self) -> None:
        self._began = asyncio.get_running_loop().time()

    def _get_response_time_ms(self) -> int:
        return round((asyncio.get_running_loop().time() - self._began) * 1000)


class WaitsForItsClient(GuideProvider):
    """A blocking client in a coroutine."""

    async def _asked(self, body: Mapping[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {self._key()}"}
        with httpx.Client(timeout=10, verify=False) as client:  # noqa: S501 - no TLS here
            reply = client.post(  # noqa: ASYNC212 - that is what is wrong with it
                f"{self.config.base_url}/chat/completions", headers=headers, json=body
            )
        reply.raise_for_status()
        return reply.json()


class SleepsInTheLoop(GuideProvider):
    async def _asked(self, body: Mapping[str, Any]) -> Any:
        time.sleep(0.3)  # noqa: ASYNC251 - that is what is wrong with it
        return await super()._asked(body)


class AsksOneAfterAnother(GuideProvider):
    _lock: asyncio.Lock | None = None

    async def _asked(self, body: Mapping[str, Any]) -> Any:
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            return await super()._asked(body)


class AsksNobody(GuideProvider):
    async def _asked(self, body: Mapping[str, Any]) -> Any:
        return {"choices": [{"message": {"content": "It ran out of memory."}}], "usage": {"total_tokens": 1}}


class RaisesAKeyError(GuideProvider):
    def _read(self, data: Any, model: str) -> LLMResponse:
        return super()._read({}, model)


class PrintsItsKey(GuideProvider):
    def _key(self) -> str:
        print(self.config.api_key)  # noqa: T201 - it shows as ***
        print(key := super()._key())  # noqa: T201 - that is what is wrong with it
        return key


class ShieldsItsCall(GuideProvider):
    async def _asked(self, body: Mapping[str, Any]) -> Any:
        asked = asyncio.ensure_future(super()._asked(body))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            await asyncio.wait({asked})
            raise


class QuotesThePrompt(GuideProvider):
    async def _asked(self, body: Mapping[str, Any]) -> Any:
        try:
            return await super()._asked(body)
        except httpx.HTTPError as error:
            raise RuntimeError(f"no answer to {body}") from error


BROKEN_GUIDES = (
    ("test_each_fault_is_its_documented_error_and_the_next_call_is_answered", AnswersAllTheSame),
    ("test_it_asks_its_own_address_with_its_own_key", HasAKeyInItsCode),
    ("test_the_time_it_tells_is_the_calls_own", KeepsItsStart),
    ("test_it_does_not_hold_up_the_event_loop", WaitsForItsClient),
    ("test_it_does_not_hold_up_the_event_loop", SleepsInTheLoop),
    ("test_calls_overlap", AsksOneAfterAnother),
    ("test_a_plain_prompt_is_answered", AsksNobody),
    ("test_a_plain_prompt_is_answered", RaisesAKeyError),
    ("test_logs_show_neither_key_nor_text", PrintsItsKey),
    ("test_a_cancelled_call_ends_as_cancelled", ShieldsItsCall),
    ("test_the_prompt_shows_in_no_error", QuotesThePrompt),
)
"""A rule, and a class that breaks it and still answers."""

GUIDE_ROW: Mapping[str, Any] = {
    "api_key_var": "SAMPLE_API_KEY",
    "model_var": "SAMPLE_MODEL",
    "base_url_var": "SAMPLE_API_BASE",
    "default_base_url": "https://api.sample.example/v1",
    "default_model": "sample-model",
    "provider_class": GuideProvider,
    "max_retries": 3,
    "timeout": 30,
    "confidence_score": 0.85,
}
