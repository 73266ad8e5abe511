"""Answers that need not be asked for: shared by identical calls, kept for the next one."""

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

from .house import HANGS, WELL, House, Step, route
from .test_router import DOWN, ask, failing, virtually


class KeepsAll:
    """A cache without bounds."""

    def __init__(self) -> None:
        self.kept: dict[str, LLMResponse] = {}

    async def get(self, key: str) -> LLMResponse | None:
        return self.kept.get(key)

    async def put(self, key: str, response: LLMResponse) -> None:
        self.kept[key] = response


class Cause(pydantic.BaseModel):
    cause: str


class OtherCause(pydantic.BaseModel):
    cause: int


# A second value for every field of a request: each must give another key, or none, or be one that is left out.
OTHER: dict[str, Any] = {
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


def test_every_field_that_changes_the_answer_changes_the_key() -> None:
    assert {field.name for field in fields(ChatRequest)} == set(OTHER)
    for name, value in OTHER.items():
        differs = request_key(replace(PING, **{name: value})) != request_key(PING)
        assert differs is (name not in IGNORED), name


def test_equal_requests_have_equal_keys_and_the_order_of_a_schema_counts() -> None:
    first, second = ({"type": "object", "properties": {name: {} for name in names}} for names in ("ab", "ba"))
    assert request_key(replace(PING, response_format=dict(first))) == request_key(replace(PING, response_format=first))
    assert request_key(replace(PING, response_format=first)) != request_key(replace(PING, response_format=second))


def test_values_that_look_alike_have_different_keys() -> None:
    looks = [1, 1.0, "1", True, None, b"1", [1], {"1": 1}, [[1]], ["1", ""], ["", "1"]]
    keys = {request_key(replace(PING, extra={"a": {"x": value}})) for value in looks}
    assert len(keys) == len(looks)
    assert None not in keys
    turns = [
        (Message.user("a"), Message.user("b")),
        (Message.user("ab"),),
        (Message.user("a", "b"),),
        (Message.system("a"), Message.user("b")),
    ]
    assert len({request_key(ChatRequest(messages)) for messages in turns}) == len(turns)
    assert request_key(replace(PING, response_format=Cause)) != request_key(replace(PING, response_format=OtherCause))


def test_who_is_asked_is_part_of_the_key() -> None:
    assert request_key(PING, "chat", [("a", "m")]) != request_key(PING, "chat", [("a", "n")])


def test_what_cannot_be_told_has_no_key() -> None:
    assert request_key(ChatRequest((Message.user("see", Image.from_path("dash.png")),))) is None
    assert request_key(replace(PING, extra={"a": {"x": object()}})) is None
    assert request_key(ChatRequest((Message.user("see", Image.from_bytes(b"png", "image/png")),))) is not None


# --- the cache -------------------------------------------------------------------------------------------------------


@virtually
async def test_a_whole_answer_is_kept_and_given_again() -> None:
    house = House([route("a", Step(0.5, usage=Usage(input=3, output=2)))], cache=KeepsAll())
    first, second = await ask(house), await ask(house)
    assert (first.cached, second.cached, second.content) == (False, True, first.content)
    assert len(house.backend("a").asked) == 1
    (line,) = second.attempts
    assert (line.provider, line.outcome, line.kept, line.usage) == ("a", "cached", True, None)
    assert (second.response_time_ms, second.tokens_used) == (0.0, first.tokens_used)
    assert len(house.told(CacheAnswered)) == 1
    assert (await ask(house, "another")).cached is False


@virtually
async def test_a_kept_answer_is_there_while_its_provider_is_down() -> None:
    policies = Policies(breaker=BreakerPolicy(min_calls=2))
    house = House([route("a", WELL, DOWN), route("b")], policies, cache=KeepsAll())
    await ask(house)
    for number in range(2):
        await ask(house, f"another {number}")
    assert house.router.explain("ping").skipped[0].kind == "breaker"
    assert (await ask(house)).cached


@pytest.mark.parametrize("stop", [StopReason.MAX_TOKENS, StopReason.UNKNOWN])
@virtually
async def test_a_cut_answer_and_one_whose_end_is_unknown_are_never_kept(stop: StopReason) -> None:
    house = House([route("a", Step(text="half of", stop=stop))], cache=KeepsAll())
    assert not (await ask(house)).cached
    assert not (await ask(house)).cached


@virtually
async def test_a_refused_answer_is_not_kept_even_where_it_is_accepted() -> None:
    from faultmaven.application.policies.acceptance import AcceptancePolicy

    policies = Policies(acceptance=AcceptancePolicy(refused="accept", unsure="accept"), confidence_threshold=0.5)
    for step in (Step(text="I can't", stop=StopReason.CONTENT_FILTER), Step(text="perhaps", confidence=0.2)):
        house = House([route("a", step)], policies, cache=KeepsAll())
        await ask(house)
        assert not (await ask(house)).cached


@virtually
async def test_a_caller_may_leave_the_cache_out_or_demand_one() -> None:
    cache = KeepsAll()
    house = House([route("a")], cache=cache)
    await ask(house, cache=False)
    assert cache.kept == {}
    await ask(house, cache=True)
    assert len(cache.kept) == 1
    assert not (await ask(house, cache=False)).cached
    error = await failing(House([route("a")]), cache=True)
    assert isinstance(error, InvalidRequestError)
    assert "LLM_CACHE_SECONDS" in str(error)


# --- one call for many -----------------------------------------------------------------------------------------------

SHARING = Policies(deduplicate=True)


@virtually
async def test_identical_calls_share_one() -> None:
    house = House([route("a", Step(1.0))], SHARING)
    responses = await asyncio.gather(*(ask(house) for _ in range(100)), ask(house, "another"))
    assert len(house.backend("a").asked) == 2
    assert len({response.attempts for response in responses[:100]}) == 1
    assert len(house.told(CallShared)) == 99
    await ask(house)
    assert len(house.backend("a").asked) == 3  # nothing is kept


@virtually
async def test_each_caller_gets_an_error_of_its_own() -> None:
    house = House([route("a", Step(1.0, ProviderUnavailableError("down")))], SHARING)
    errors = await asyncio.gather(*(failing(house) for _ in range(10)))
    assert len({id(error) for error in errors}) == 10
    assert all(len(error.attempts) == 1 for error in errors)


@virtually
async def test_a_caller_that_leaves_takes_nobodys_answer_away() -> None:
    house = House([route("a", Step(1.0))], SHARING)
    leader, *others = [asyncio.create_task(ask(house)) for _ in range(3)]
    await asyncio.sleep(0.5)
    leader.cancel()
    assert {response.content for response in await asyncio.gather(*others)} == {"an answer"}
    assert len(house.backend("a").asked) == 1


@virtually
async def test_the_last_caller_to_leave_ends_the_call() -> None:
    house = House([route("a", HANGS)], SHARING)
    calls = [asyncio.create_task(ask(house)) for _ in range(3)]
    await asyncio.sleep(0.5)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert house.backend("a").under_way == 0
    assert [event.reason for event in house.told(CallFailed)] == ["cancelled"] * 3  # each caller's own


@virtually
async def test_a_caller_may_ask_for_sharing_or_against_it() -> None:
    house = House([route("a", Step(1.0))])
    await asyncio.gather(*(ask(house, deduplicate=True) for _ in range(5)))
    assert len(house.backend("a").asked) == 1
    house = House([route("a", Step(1.0))], SHARING)
    await asyncio.gather(*(ask(house, deduplicate=False) for _ in range(5)))
    assert len(house.backend("a").asked) == 5


@virtually
async def test_calls_with_other_deadlines_are_not_the_same() -> None:
    house = House([route("a", Step(3.0), timeout=10.0)], SHARING)
    patient = asyncio.create_task(ask(house, deadline=10.0))
    error = await failing(house, deadline=1.0)
    assert isinstance(error, DeadlineExceededError)
    assert (await patient).content


@virtually
async def test_who_comes_late_to_a_call_that_fails_has_its_own_time() -> None:
    house = House([route("a", HANGS, Step(2.0), timeout=100.0)], SHARING)
    early = asyncio.create_task(failing(house, deadline=10.0))
    await asyncio.sleep(9.9)
    late = await ask(house, deadline=10.0)
    assert isinstance(await early, DeadlineExceededError)
    assert late.content
    assert house.clock.monotonic() == pytest.approx(12.0)


@virtually
async def test_a_call_from_after_a_reload_shares_nothing_with_one_from_before() -> None:
    house = House([route("a", Step(5.0))], SHARING)
    before = asyncio.create_task(ask(house))
    await asyncio.sleep(1.0)
    house.generation = replace(house.generation)
    await asyncio.gather(before, ask(house))
    assert len(house.backend("a").asked) == 2


@virtually
async def test_a_cache_that_is_slow_or_broken_costs_nobody_more_than_the_deadline() -> None:
    class Slow(KeepsAll):
        async def get(self, key: str) -> LLMResponse | None:
            await asyncio.sleep(500.0)
            return None

    class Broken(KeepsAll):
        async def get(self, key: str) -> LLMResponse | None:
            raise ConnectionError("no cache today")

    house = House([route("a")], cache=Slow())
    error = await failing(house, deadline=5.0)
    assert isinstance(error, DeadlineExceededError)
    assert 5.0 <= house.clock.monotonic() <= 5.05
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    assert (await ask(House([route("a")], cache=Broken()))).content
    assert [type(error) for error in reported] == [ConnectionError]


@virtually
async def test_chains_of_other_orders_keep_answers_of_their_own() -> None:
    cache = KeepsAll()
    first = House([route("a", Step(text="from a")), route("b", Step(text="from b"))], cache=cache)
    second = House([route("b", Step(text="from b")), route("a", Step(text="from a"))], cache=cache)
    assert [(await ask(house)).content for house in (first, second)] == ["from a", "from b"]
    moved = House([route("a", Step(text="moved"), origin="https://elsewhere.invalid"), route("b")], cache=cache)
    assert (await ask(moved)).content == "moved"


@virtually
async def test_what_one_caller_does_to_its_object_changes_nobody_elses() -> None:
    wanted = {"type": "object"}
    house = House([route("a", Step(1.0, text='{"cause": []}'))], SHARING, cache=KeepsAll())
    first, second = await asyncio.gather(*(ask(house, response_format=wanted) for _ in range(2)))
    first.parsed["cause"].append("mine")
    third = await ask(house, response_format=wanted)
    assert third.cached
    assert [response.parsed for response in (second, third)] == [{"cause": []}, {"cause": []}]


@virtually
async def test_sharing_and_keeping_go_together() -> None:
    house = House([route("a", DOWN, WELL, max_retries=1)], SHARING, cache=KeepsAll())
    await asyncio.gather(*(ask(house) for _ in range(10)))
    assert (await ask(house)).cached
    assert len(house.backend("a").asked) == 2
