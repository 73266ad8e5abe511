"""Third-party providers: any misbehaviour leads to the next provider and to a complete list of attempts."""

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

from .router_harness import HANGS, SUCCESS, TEXT_FEATURES, RouterHarness, ScriptedProvider, Step, route
from .test_router import DOWN, attempt_outcomes, generate, generate_error, in_virtual_time

Answer = Callable[[ChatRequest], Any]


class FunctionProvider(ScriptedProvider):
    """A provider that calls `answer` for each request."""

    def __init__(self, answer: Answer, clock: Any) -> None:
        super().__init__("a", [SUCCESS], clock)
        self._answer = answer

    async def answer(self, request: ChatRequest) -> LLMResponse:
        result = self._answer(request)
        response: LLMResponse = await result if asyncio.iscoroutine(result) else result
        return response


def function_route(answer: Answer) -> Route:
    return Route("a", FunctionProvider(answer, None), ("a-model",), features=TEXT_FEATURES)


class BareError(ProviderUnavailableError):
    """A subclass that does not call the `__init__` of its base class."""

    def __init__(self) -> None:
        pass


class KeyErrorModel(pydantic.BaseModel):
    """A model whose validator raises `KeyError`."""

    cause: str

    @pydantic.field_validator("cause")
    @classmethod
    def look_up(cls, value: str) -> str:
        return {"known": "x"}[value]


def raising(error: BaseException) -> Answer:
    def answer(request: ChatRequest) -> Any:
        raise error

    return answer


def answering(**fields: Any) -> Answer:
    response = LLMResponse("text", 1.0, "a", "m", None, 1.0)
    return lambda request: replace(response, **fields)


async def await_cancelled_future(request: ChatRequest) -> Any:
    """Await a future that several calls share and that another call has cancelled."""
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()
    await shared


STRING_SEVEN: Any = "7"
MISBEHAVIOURS: dict[str, tuple[Answer, dict[str, Any]]] = {
    "deeply nested JSON": (answering(content="[" * 200_000), {"response_format": {"type": "object"}}),
    "validator raises KeyError": (answering(content='{"cause": "x"}'), {"response_format": KeyErrorModel}),
    "retry_after is a string": (raising(RateLimitError("busy", retry_after="x")), {}),  # type: ignore[arg-type]
    "retry_after is not finite": (raising(RateLimitError("busy", retry_after=float("nan"))), {}),
    "usage is a dict": (answering(usage={"total": 5}), {}),
    "attempts are strings": (answering(attempts=("x",)), {}),
    "token count is a string": (answering(usage=Usage(input=5, output=STRING_SEVEN)), {}),
    "token count of an attempt is a string": (
        answering(attempts=(Attempt("a", usage=Usage(input=5, output=STRING_SEVEN)),)),
        {},
    ),
    "limited_for is a string": (answering(attempts=(Attempt("a", limited_for=STRING_SEVEN),)), {}),
    "model is None": (answering(model=None), {}),
    "error without attributes": (raising(BareError()), {}),
    "shared future is cancelled": (await_cancelled_future, {}),
    "response is None": (lambda request: None, {}),
    "third-party exception": (raising(KeyError("x")), {}),
}


@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
@in_virtual_time
async def test_next_provider_answers_after_any_misbehaviour(misbehaviour: str) -> None:
    answer, options = MISBEHAVIOURS[misbehaviour]
    harness = RouterHarness([function_route(answer), route("b", Step(text='{"cause": "known"}'))])
    response = await generate(harness, **options)
    assert (response.provider, [attempt.provider for attempt in response.attempts]) == ("b", ["a", "b"])
    error = await generate_error(RouterHarness([function_route(answer)]), **options)
    assert isinstance(error, LLMError)
    assert len(error.attempts) == 1


@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
@in_virtual_time
async def test_permit_is_released_after_any_misbehaviour(misbehaviour: str) -> None:
    answer, options = MISBEHAVIOURS[misbehaviour]
    harness = RouterHarness([replace(function_route(answer), max_concurrency=1)])
    await generate_error(harness, **options)
    concurrency = harness.admission.limiter.concurrency(harness.routes[0])
    assert concurrency is not None
    assert concurrency.taken == 0


@in_virtual_time
async def test_shared_error_object_is_copied_per_call() -> None:
    shared = ProviderUnavailableError("down")
    harness = RouterHarness([function_route(raising(shared)), route("b", DOWN)])
    errors = await asyncio.gather(*(generate_error(harness) for _ in range(5)))
    causes = [error.causes[0] for error in errors if isinstance(error, AllProvidersFailedError)]
    assert len({id(cause) for cause in causes}) == 5
    assert shared.attempts == ()


@in_virtual_time
async def test_cancelled_call_raises_cancelled_error() -> None:
    harness = RouterHarness([function_route(lambda request: asyncio.sleep(100)), route("b")])
    call = asyncio.create_task(generate(harness))
    await asyncio.sleep(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert harness.events_of(CallAnswered) == []


# --- nested routers --------------------------------------------------------------------------------------------------


def nested_route(harness: RouterHarness, **fields: Any) -> Route:
    return Route("inner", harness.router, ("m",), **{"features": TEXT_FEATURES, **fields})


@in_virtual_time
async def test_hung_inner_router_falls_back() -> None:
    inner = RouterHarness([route("a", HANGS, timeout=500.0)], deadline=500.0)
    harness = RouterHarness([nested_route(inner, timeout=30.0), route("b")])
    response = await generate(harness)
    assert attempt_outcomes(response) == [("inner", "ProviderTimeoutError"), ("b", "answered")]
    assert harness.clock.monotonic() == pytest.approx(30.5)


@in_virtual_time
async def test_nested_routers_do_not_multiply_retries() -> None:
    inner = RouterHarness([route("a", DOWN, max_retries=2)])
    harness = RouterHarness([nested_route(inner, max_retries=2)])
    error = await generate_error(harness)
    assert len(inner.backend("a").requests) == 3
    (attempt,) = error.attempts
    assert attempt.waited == 0.0
    assert [note.split(" after ")[0] for note in attempt.notes] == ["earlier attempt: a ProviderUnavailableError"] * 2


@in_virtual_time
async def test_inner_router_gets_no_outer_options() -> None:
    inner = RouterHarness([route("a")])
    harness = RouterHarness([nested_route(inner), route("b", DOWN)], Policies())
    response = await generate(harness, extra={"b": {"x": 1}}, deduplicate=True, hedge_after=5.0, deadline=60.0)
    assert (response.provider, response.content) == ("inner", "an answer")
