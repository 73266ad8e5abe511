"""Response reuse: identical concurrent calls share one request, and a cache serves later calls."""

import asyncio
from dataclasses import fields, replace
from typing import Any

import pydantic
import pytest

from faultmaven.application.policies.circuit_breaker import BreakerPolicy
from faultmaven.application.policies.policies import Policies
from faultmaven.application.reuse.request_key import IGNORED, request_key
from faultmaven.domain.attachments import Image
from faultmaven.domain.errors import DeadlineExceededError, InvalidRequestError, ProviderUnavailableError
from faultmaven.domain.events import CacheAnswered, CallFailed, CallShared
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import LLMResponse, StopReason
from faultmaven.domain.tools import Tool
from faultmaven.domain.usage import Usage

from .router_harness import HANGS, SUCCESS, RouterHarness, Step, route
from .test_router import DOWN, generate, generate_error, in_virtual_time


class UnboundedCache:
    """A response cache without a size limit."""

    def __init__(self) -> None:
        self.responses: dict[str, LLMResponse] = {}

    async def get(self, key: str) -> LLMResponse | None:
        return self.responses.get(key)

    async def put(self, key: str, response: LLMResponse) -> None:
        self.responses[key] = response


class Cause(pydantic.BaseModel):
    cause: str


class OtherCause(pydantic.BaseModel):
    cause: int


# A second value for each field. Each value must change or prevent the key, unless the key ignores the field.
OTHER_VALUES: dict[str, Any] = {
    "messages": (Message.user("pong"),),
    "model": "m",
    "max_tokens": 5,
    "temperature": 0.0,
    "stop": ("END",),
    "seed": 7,
    "tools": (Tool("t", "d", {"type": "object"}),),
    "tool_choice": "auto",
    "response_format": Cause,
    "reasoning": "low",
    "cache_prompt": True,
    "min_output_tokens": 5,
    "extra": {"a": {"x": 1}},
    "metadata": {"who": "me"},
    "deadline": 5.0,
    "timeout": 5.0,
    "chunk_timeout": 5.0,
    "commit": "whole",
    "repair": True,
    "hedge_after": 1.0,
    "cache": True,
    "deduplicate": True,
}
PING = ChatRequest((Message.user("ping"),))


def test_request_key_covers_every_relevant_field() -> None:
    assert {field.name for field in fields(ChatRequest)} == set(OTHER_VALUES)
    for name, value in OTHER_VALUES.items():
        differs = request_key(replace(PING, **{name: value})) != request_key(PING)
        assert differs is (name not in IGNORED), name


def test_request_key_depends_on_schema_order() -> None:
    first, second = ({"type": "object", "properties": {name: {} for name in names}} for names in ("ab", "ba"))
    assert request_key(replace(PING, response_format=dict(first))) == request_key(replace(PING, response_format=first))
    assert request_key(replace(PING, response_format=first)) != request_key(replace(PING, response_format=second))


def test_similar_values_have_different_keys() -> None:
    values = [1, 1.0, "1", True, None, b"1", [1], {"1": 1}, [[1]], ["1", ""], ["", "1"]]
    keys = {request_key(replace(PING, extra={"a": {"x": value}})) for value in values}
    assert len(keys) == len(values)
    assert None not in keys
    conversations = [
        (Message.user("a"), Message.user("b")),
        (Message.user("ab"),),
        (Message.user("a", "b"),),
        (Message.system("a"), Message.user("b")),
    ]
    assert len({request_key(ChatRequest(messages)) for messages in conversations}) == len(conversations)
    assert request_key(replace(PING, response_format=Cause)) != request_key(replace(PING, response_format=OtherCause))


def test_request_key_includes_the_candidates() -> None:
    assert request_key(PING, "chat", [("a", "m")]) != request_key(PING, "chat", [("a", "n")])


def test_opaque_content_prevents_a_request_key() -> None:
    assert request_key(ChatRequest((Message.user("see", Image.from_path("dash.png")),))) is None
    assert request_key(replace(PING, extra={"a": {"x": object()}})) is None
    assert request_key(ChatRequest((Message.user("see", Image.from_bytes(b"png", "image/png")),))) is not None


# --- response cache --------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_complete_response_is_cached_and_returned() -> None:
    harness = RouterHarness([route("a", Step(0.5, usage=Usage(input=3, output=2)))], cache=UnboundedCache())
    first, second = await generate(harness), await generate(harness)
    assert (first.cached, second.cached, second.content) == (False, True, first.content)
    assert len(harness.backend("a").requests) == 1
    (attempt,) = second.attempts
    assert (attempt.provider, attempt.outcome, attempt.kept, attempt.usage) == ("a", "cached", True, None)
    assert (second.response_time_ms, second.tokens_used) == (0.0, first.tokens_used)
    assert len(harness.events_of(CacheAnswered)) == 1
    assert (await generate(harness, "another")).cached is False


@in_virtual_time
async def test_cached_response_survives_provider_outage() -> None:
    policies = Policies(breaker=BreakerPolicy(min_calls=2))
    harness = RouterHarness([route("a", SUCCESS, DOWN), route("b")], policies, cache=UnboundedCache())
    await generate(harness)
    for number in range(2):
        await generate(harness, f"another {number}")
    assert harness.router.explain("ping").skipped[0].kind == "breaker"
    assert (await generate(harness)).cached


@pytest.mark.parametrize("stop", [StopReason.MAX_TOKENS, StopReason.UNKNOWN])
@in_virtual_time
async def test_incomplete_response_is_never_cached(stop: StopReason) -> None:
    harness = RouterHarness([route("a", Step(text="half of", stop=stop))], cache=UnboundedCache())
    assert not (await generate(harness)).cached
    assert not (await generate(harness)).cached


@in_virtual_time
async def test_refused_or_unsure_response_is_never_cached() -> None:
    from faultmaven.application.policies.acceptance import AcceptancePolicy

    policies = Policies(acceptance=AcceptancePolicy(refused="accept", unsure="accept"), confidence_threshold=0.5)
    for step in (Step(text="I can't", stop=StopReason.CONTENT_FILTER), Step(text="perhaps", confidence=0.2)):
        harness = RouterHarness([route("a", step)], policies, cache=UnboundedCache())
        await generate(harness)
        assert not (await generate(harness)).cached


@in_virtual_time
async def test_cache_option_skips_or_requires_cache() -> None:
    cache = UnboundedCache()
    harness = RouterHarness([route("a")], cache=cache)
    await generate(harness, cache=False)
    assert cache.responses == {}
    await generate(harness, cache=True)
    assert len(cache.responses) == 1
    assert not (await generate(harness, cache=False)).cached
    error = await generate_error(RouterHarness([route("a")]), cache=True)
    assert isinstance(error, InvalidRequestError)
    assert "LLM_CACHE_SECONDS" in str(error)


# --- deduplication ---------------------------------------------------------------------------------------------------

DEDUPLICATE = Policies(deduplicate=True)


@in_virtual_time
async def test_identical_concurrent_calls_share_one_request() -> None:
    harness = RouterHarness([route("a", Step(1.0))], DEDUPLICATE)
    responses = await asyncio.gather(*(generate(harness) for _ in range(100)), generate(harness, "another"))
    assert len(harness.backend("a").requests) == 2
    assert len({response.attempts for response in responses[:100]}) == 1
    assert len(harness.events_of(CallShared)) == 99
    await generate(harness)
    assert len(harness.backend("a").requests) == 3  # the shared response is not cached


@in_virtual_time
async def test_each_caller_gets_a_separate_error() -> None:
    harness = RouterHarness([route("a", Step(1.0, ProviderUnavailableError("down")))], DEDUPLICATE)
    errors = await asyncio.gather(*(generate_error(harness) for _ in range(10)))
    assert len({id(error) for error in errors}) == 10
    assert all(len(error.attempts) == 1 for error in errors)


@in_virtual_time
async def test_cancelled_leader_does_not_cancel_followers() -> None:
    harness = RouterHarness([route("a", Step(1.0))], DEDUPLICATE)
    leader, *followers = [asyncio.create_task(generate(harness)) for _ in range(3)]
    await asyncio.sleep(0.5)
    leader.cancel()
    assert {response.content for response in await asyncio.gather(*followers)} == {"an answer"}
    assert len(harness.backend("a").requests) == 1


@in_virtual_time
async def test_last_cancelled_caller_ends_shared_call() -> None:
    harness = RouterHarness([route("a", HANGS)], DEDUPLICATE)
    calls = [asyncio.create_task(generate(harness)) for _ in range(3)]
    await asyncio.sleep(0.5)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert harness.backend("a").in_flight == 0
    assert [event.reason for event in harness.events_of(CallFailed)] == ["cancelled"] * 3  # one event for each caller


@in_virtual_time
async def test_deduplicate_option_overrides_the_policy() -> None:
    harness = RouterHarness([route("a", Step(1.0))])
    await asyncio.gather(*(generate(harness, deduplicate=True) for _ in range(5)))
    assert len(harness.backend("a").requests) == 1
    harness = RouterHarness([route("a", Step(1.0))], DEDUPLICATE)
    await asyncio.gather(*(generate(harness, deduplicate=False) for _ in range(5)))
    assert len(harness.backend("a").requests) == 5


@in_virtual_time
async def test_calls_with_different_deadlines_are_separate() -> None:
    harness = RouterHarness([route("a", Step(3.0), timeout=10.0)], DEDUPLICATE)
    longer_call = asyncio.create_task(generate(harness, deadline=10.0))
    error = await generate_error(harness, deadline=1.0)
    assert isinstance(error, DeadlineExceededError)
    assert (await longer_call).content


@in_virtual_time
async def test_late_follower_retries_with_own_deadline() -> None:
    harness = RouterHarness([route("a", HANGS, Step(2.0), timeout=100.0)], DEDUPLICATE)
    early_error = asyncio.create_task(generate_error(harness, deadline=10.0))
    await asyncio.sleep(9.9)
    late_response = await generate(harness, deadline=10.0)
    assert isinstance(await early_error, DeadlineExceededError)
    assert late_response.content
    assert harness.clock.monotonic() == pytest.approx(12.0)


@in_virtual_time
async def test_calls_across_a_reload_are_separate() -> None:
    harness = RouterHarness([route("a", Step(5.0))], DEDUPLICATE)
    earlier_call = asyncio.create_task(generate(harness))
    await asyncio.sleep(1.0)
    harness.configuration = replace(harness.configuration)
    await asyncio.gather(earlier_call, generate(harness))
    assert len(harness.backend("a").requests) == 2


@in_virtual_time
async def test_slow_or_broken_cache_respects_deadline() -> None:
    class SlowCache(UnboundedCache):
        async def get(self, key: str) -> LLMResponse | None:
            await asyncio.sleep(500.0)
            return None

    class BrokenCache(UnboundedCache):
        async def get(self, key: str) -> LLMResponse | None:
            raise ConnectionError("no cache today")

    harness = RouterHarness([route("a")], cache=SlowCache())
    error = await generate_error(harness, deadline=5.0)
    assert isinstance(error, DeadlineExceededError)
    assert 5.0 <= harness.clock.monotonic() <= 5.05
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    assert (await generate(RouterHarness([route("a")], cache=BrokenCache()))).content
    assert [type(error) for error in reported] == [ConnectionError]


@in_virtual_time
async def test_cache_depends_on_provider_order_and_origin() -> None:
    cache = UnboundedCache()
    first = RouterHarness([route("a", Step(text="from a")), route("b", Step(text="from b"))], cache=cache)
    second = RouterHarness([route("b", Step(text="from b")), route("a", Step(text="from a"))], cache=cache)
    assert [(await generate(harness)).content for harness in (first, second)] == ["from a", "from b"]
    moved = RouterHarness([route("a", Step(text="moved"), origin="https://elsewhere.invalid"), route("b")], cache=cache)
    assert (await generate(moved)).content == "moved"


@in_virtual_time
async def test_shared_parsed_objects_are_copied_per_caller() -> None:
    schema = {"type": "object"}
    harness = RouterHarness([route("a", Step(1.0, text='{"cause": []}'))], DEDUPLICATE, cache=UnboundedCache())
    first, second = await asyncio.gather(*(generate(harness, response_format=schema) for _ in range(2)))
    first.parsed["cause"].append("mine")
    third = await generate(harness, response_format=schema)
    assert third.cached
    assert [response.parsed for response in (second, third)] == [{"cause": []}, {"cause": []}]


@in_virtual_time
async def test_deduplication_and_cache_work_together() -> None:
    harness = RouterHarness([route("a", DOWN, SUCCESS, max_retries=1)], DEDUPLICATE, cache=UnboundedCache())
    await asyncio.gather(*(generate(harness) for _ in range(10)))
    assert (await generate(harness)).cached
    assert len(harness.backend("a").requests) == 2
