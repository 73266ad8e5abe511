"""Providers are anybody's code: whatever one does, the next one is asked and the ledger is whole."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pydantic
import pytest

from faultmaven.application.configuration import Route
from faultmaven.application.policies.policies import Policies
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.errors import AllProvidersFailedError, LLMError, ProviderUnavailableError, RateLimitError
from faultmaven.domain.events import CallAnswered
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import LLMResponse
from faultmaven.domain.usage import Usage

from .house import HANGS, TEXT, WELL, House, Scripted, Step, route
from .test_router import DOWN, ask, failing, ledger, virtually

Act = Callable[[ChatRequest], Any]


class Acting(Scripted):
    """A provider that does what `act` says."""

    def __init__(self, act: Act, house_clock: Any) -> None:
        super().__init__("a", [WELL], house_clock)
        self._act = act

    async def answer(self, request: ChatRequest) -> LLMResponse:
        result = self._act(request)
        answered: LLMResponse = await result if asyncio.iscoroutine(result) else result
        return answered


def acting(act: Act) -> Route:
    return Route("a", Acting(act, None), ("a-model",), features=TEXT)


class BareError(ProviderUnavailableError):
    """A subclass that forgets its parent."""

    def __init__(self) -> None:
        pass


class KeyErrorModel(pydantic.BaseModel):
    """A model whose validator has a fault of its own."""

    cause: str

    @pydantic.field_validator("cause")
    @classmethod
    def look_up(cls, value: str) -> str:
        return {"known": "x"}[value]


def raising(error: BaseException) -> Act:
    def act(request: ChatRequest) -> Any:
        raise error

    return act


def answering(**fields: Any) -> Act:
    usual = LLMResponse("text", 1.0, "a", "m", None, 1.0)
    return lambda request: replace(usual, **fields)


async def cancelled_inside(request: ChatRequest) -> Any:
    """A task that many calls of the provider share was cancelled by one of them."""
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()
    await shared


TEXT_OF_SEVEN: Any = "7"
WRONG: dict[str, tuple[Act, dict[str, Any]]] = {
    "JSON that nests too deeply": (answering(content="[" * 200_000), {"response_format": {"type": "object"}}),
    "a validator that raises": (answering(content='{"cause": "x"}'), {"response_format": KeyErrorModel}),
    "a delay as text": (raising(RateLimitError("busy", retry_after="x")), {}),  # type: ignore[arg-type]
    "a delay that is not finite": (raising(RateLimitError("busy", retry_after=float("nan"))), {}),
    "a usage that is none": (answering(usage={"total": 5}), {}),
    "attempts that are none": (answering(attempts=("x",)), {}),
    "tokens that are no numbers": (answering(usage=Usage(input=5, output=TEXT_OF_SEVEN)), {}),
    "an attempt's tokens that are no numbers": (
        answering(attempts=(Attempt("a", usage=Usage(input=5, output=TEXT_OF_SEVEN)),)),
        {},
    ),
    "a pause that is no number": (answering(attempts=(Attempt("a", limited_for=TEXT_OF_SEVEN),)), {}),
    "a model that is none": (answering(model=None), {}),
    "an error without its facts": (raising(BareError()), {}),
    "a cancellation of its own": (cancelled_inside, {}),
    "nothing": (lambda request: None, {}),
    "an exception": (raising(KeyError("x")), {}),
}


@pytest.mark.parametrize("wrong", WRONG)
@virtually
async def test_whatever_a_provider_does_the_next_one_answers(wrong: str) -> None:
    act, options = WRONG[wrong]
    house = House([acting(act), route("b", Step(text='{"cause": "known"}'))])
    response = await ask(house, **options)
    assert (response.provider, [line.provider for line in response.attempts]) == ("b", ["a", "b"])
    error = await failing(House([acting(act)]), **options)
    assert isinstance(error, LLMError)
    assert len(error.attempts) == 1


@pytest.mark.parametrize("wrong", WRONG)
@virtually
async def test_whatever_a_provider_does_its_place_is_free_again(wrong: str) -> None:
    act, options = WRONG[wrong]
    house = House([replace(acting(act), max_concurrency=1)])
    await failing(house, **options)
    gate = house.traffic.limiter.gate(house.routes[0])
    assert gate is not None
    assert gate.taken == 0


@virtually
async def test_one_error_object_raised_to_many_is_each_callers_own() -> None:
    shared = ProviderUnavailableError("down")
    house = House([acting(raising(shared)), route("b", DOWN)])
    errors = await asyncio.gather(*(failing(house) for _ in range(5)))
    causes = [error.causes[0] for error in errors if isinstance(error, AllProvidersFailedError)]
    assert len({id(cause) for cause in causes}) == 5
    assert shared.attempts == ()


@virtually
async def test_a_real_cancellation_passes() -> None:
    house = House([acting(lambda request: asyncio.sleep(100)), route("b")])
    call = asyncio.create_task(ask(house))
    await asyncio.sleep(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert house.told(CallAnswered) == []


# --- a router inside of another one ----------------------------------------------------------------------------------


def inside(house: House, **fields: Any) -> Route:
    return Route("inner", house.router, ("m",), **{"features": TEXT, **fields})


@virtually
async def test_an_inner_router_that_hangs_is_followed_by_the_next() -> None:
    inner = House([route("a", HANGS, timeout=500.0)], deadline=500.0)
    house = House([inside(inner, timeout=30.0), route("b")])
    response = await ask(house)
    assert ledger(response) == [("inner", "ProviderTimeoutError"), ("b", "answered")]
    assert house.clock.monotonic() == pytest.approx(30.5)


@virtually
async def test_retries_are_not_multiplied() -> None:
    inner = House([route("a", DOWN, max_retries=2)])
    house = House([inside(inner, max_retries=2)])
    error = await failing(house)
    assert len(inner.backend("a").asked) == 3
    (line,) = error.attempts
    assert line.waited == 0.0
    assert [note.split(" after ")[0] for note in line.notes] == ["before: a ProviderUnavailableError"] * 2


@virtually
async def test_what_was_decided_for_the_outer_call_stays_there() -> None:
    inner = House([route("a")])
    house = House([inside(inner), route("b", DOWN)], Policies())
    response = await ask(house, extra={"b": {"x": 1}}, deduplicate=True, hedge_after=5.0, deadline=60.0)
    assert (response.provider, response.content) == ("inner", "an answer")
