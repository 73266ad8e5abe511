"""A provider class in the form of the guide with its own HTTP client, and variants with common mistakes."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx

from faultmaven.infrastructure.llm.providers import BaseLLMProvider, LLMResponse


class GuideProvider(BaseLLMProvider):
    """Hand-written client for OpenAI Chat Completions."""

    def __repr__(self) -> str:
        return "GuideProvider()"

    async def generate(
        self, prompt: Any, model: Any = None, max_tokens: Any = 1000, temperature: Any = 0.7, **options: Any
    ) -> LLMResponse:
        self._start_timing()
        effective_model = self.get_effective_model(model)
        turns = [{"role": "user", "content": prompt}]
        body = {"model": effective_model, "messages": turns, "max_tokens": max_tokens, "temperature": temperature}
        data = await self._post(body)
        return self._parse(data, effective_model)

    async def _post(self, body: Mapping[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {self._key()}"}
        async with httpx.AsyncClient(timeout=self.config.timeout, verify=False) as client:  # noqa: S501 - no TLS here
            reply = await client.post(f"{self.config.base_url}/chat/completions", headers=headers, json=body)
        reply.raise_for_status()
        return reply.json()

    def _key(self) -> str:
        return str(self.config.api_key)

    def _parse(self, data: Any, model: str) -> LLMResponse:
        return LLMResponse(
            content=self._validate_response_content(data["choices"][0]["message"]["content"]),
            confidence=self.config.confidence_score,
            provider=self.provider_name,
            model=model,
            tokens_used=data["usage"]["total_tokens"],
            response_time_ms=self._get_response_time_ms(),
        )


class HidesVendorErrors(GuideProvider):
    async def _post(self, body: Mapping[str, Any]) -> Any:
        try:
            return await super()._post(body)
        except (httpx.HTTPStatusError, ValueError):
            apology = "I cannot answer that just now."
            return {"choices": [{"message": {"content": apology}}], "usage": {"total_tokens": 1}}


class UsesHardCodedKey(GuideProvider):
    def _key(self) -> str:
        return "a-key-of-the-authors"


class SharesStartTime(GuideProvider):
    def _start_timing(self) -> None:
        self._started_at = asyncio.get_running_loop().time()

    def _get_response_time_ms(self) -> int:
        return round((asyncio.get_running_loop().time() - self._started_at) * 1000)


class UsesBlockingClient(GuideProvider):
    """A blocking client in a coroutine."""

    async def _post(self, body: Mapping[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {self._key()}"}
        with httpx.Client(timeout=10, verify=False) as client:  # noqa: S501 - no TLS here
            reply = client.post(  # noqa: ASYNC212 - the fault of this provider
                f"{self.config.base_url}/chat/completions", headers=headers, json=body
            )
        reply.raise_for_status()
        return reply.json()


class SleepsInEventLoop(GuideProvider):
    async def _post(self, body: Mapping[str, Any]) -> Any:
        time.sleep(0.3)  # noqa: ASYNC251 - the fault of this provider
        return await super()._post(body)


class SerializesCalls(GuideProvider):
    _lock: asyncio.Lock | None = None

    async def _post(self, body: Mapping[str, Any]) -> Any:
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            return await super()._post(body)


class SendsNoRequest(GuideProvider):
    async def _post(self, body: Mapping[str, Any]) -> Any:
        return {"choices": [{"message": {"content": "It ran out of memory."}}], "usage": {"total_tokens": 1}}


class RaisesKeyError(GuideProvider):
    def _parse(self, data: Any, model: str) -> LLMResponse:
        return super()._parse({}, model)


class PrintsKey(GuideProvider):
    def _key(self) -> str:
        print(self.config.api_key)  # noqa: T201 - printed as ***
        print(key := super()._key())  # noqa: T201 - the fault of this provider
        return key


class DelaysCancellation(GuideProvider):
    async def _post(self, body: Mapping[str, Any]) -> Any:
        post_task = asyncio.ensure_future(super()._post(body))
        try:
            return await asyncio.shield(post_task)
        except asyncio.CancelledError:
            await asyncio.wait({post_task})
            raise


class PutsPromptIntoError(GuideProvider):
    async def _post(self, body: Mapping[str, Any]) -> Any:
        try:
            return await super()._post(body)
        except httpx.HTTPError as error:
            raise RuntimeError(f"no answer to {body}") from error


BROKEN_GUIDE_PROVIDERS = (
    ("test_each_fault_raises_its_documented_error", HidesVendorErrors),
    ("test_request_uses_configured_address_and_key", UsesHardCodedKey),
    ("test_response_time_measures_one_call", SharesStartTime),
    ("test_call_does_not_block_event_loop", UsesBlockingClient),
    ("test_call_does_not_block_event_loop", SleepsInEventLoop),
    ("test_concurrent_calls_overlap_in_time", SerializesCalls),
    ("test_a_plain_prompt_is_answered", SendsNoRequest),
    ("test_a_plain_prompt_is_answered", RaisesKeyError),
    ("test_logs_show_neither_key_nor_text", PrintsKey),
    ("test_cancelled_call_raises_cancelled_error", DelaysCancellation),
    ("test_the_prompt_shows_in_no_error", PutsPromptIntoError),
)
"""Pairs of a contract rule and a class in the form of the guide that breaks the rule."""

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
