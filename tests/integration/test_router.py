"""The router: who is asked, what moves on, what is raised, and what the ledger says."""

import asyncio
from typing import Any

import httpx
import pytest

from faultmaven import (
    AllProvidersFailedError,
    AuthenticationError,
    ConfigurationError,
    ContentBlockedError,
    DeadlineExceededError,
    EmptyAnswerError,
    File,
    InvalidRequestError,
    LLMError,
    LLMResponse,
    Message,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RateLimitError,
    StopReason,
    Usage,
    open_container,
)
from faultmaven.domain.events import AttemptEnded, AttemptStarted, CallAnswered, CallFailed, Event, FellBack
from faultmaven.testing import FakeClock, FakeProvider, FaultLab


def answer(content: str, stop: StopReason = StopReason.STOP, **fields: Any) -> LLMResponse:
    values: dict[str, Any] = {"confidence": 1.0, "provider": "x", "model": "m", "tokens_used": 3, "response_time_ms": 1}
    return LLMResponse(content=content, stop_reason=stop, **{**values, **fields})


async def ask(*providers: FakeProvider, events: list[Event] | None = None, **options: Any) -> LLMResponse:
    named = {provider.provider_name: provider for provider in providers}
    seen: list[Event] = events if events is not None else []
    async with open_container(providers=named, observer=seen.append, clock=FakeClock()) as container:
        return await container.llm().generate("ping", **options)


async def test_the_primary_answers_and_nobody_else_is_asked() -> None:
    first, second = FakeProvider("one", name="first"), FakeProvider("two", name="second")
    response = await ask(first, second)
    assert (response.content, response.provider) == ("one", "first")
    assert second.requests == []
    assert [(line.provider, line.outcome, line.kept) for line in response.attempts] == [("first", "answered", True)]


@pytest.mark.parametrize(
    "failure",
    [
        AuthenticationError("wrong key"),
        RateLimitError("slow down", retry_after=7.0),
        ProviderUnavailableError("down"),
        answer("", StopReason.STOP),
        answer("", StopReason.CONTENT_FILTER),
        answer("partly", StopReason.CONTENT_FILTER),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_failure_of_the_provider_moves_on_and_stays_in_the_ledger(failure: Any) -> None:
    response = await ask(FakeProvider(failure, name="first"), FakeProvider("two", name="second"))
    assert response.content == "two"
    assert [(line.provider, line.kept) for line in response.attempts] == [("first", False), ("second", True)]
    assert response.attempts[0].outcome != "answered"
    assert response.attempts[0].error


async def test_bad_request_is_not_tried_elsewhere() -> None:
    second = FakeProvider("two", name="second")
    with pytest.raises(InvalidRequestError) as caught:
        await ask(FakeProvider(InvalidRequestError("no"), name="first"), second)
    assert second.requests == []
    assert [line.provider for line in caught.value.attempts] == ["first"]


async def test_a_cut_answer_is_accepted_with_its_stop_reason() -> None:
    response = await ask(FakeProvider(answer("half of", StopReason.MAX_TOKENS), name="first"), FakeProvider("two"))
    assert (response.content, response.stop_reason) == ("half of", StopReason.MAX_TOKENS)


async def test_an_answer_cut_below_the_floor_moves_on() -> None:
    cut = answer("half of", StopReason.MAX_TOKENS, usage=Usage(input=3, output=2))
    response = await ask(FakeProvider(cut, name="first"), FakeProvider("two", name="second"), min_output_tokens=10)
    assert response.content == "two"


async def test_one_provider_raises_its_own_error_with_its_ledger() -> None:
    with pytest.raises(AuthenticationError) as caught:
        await ask(FakeProvider(AuthenticationError("wrong key"), name="only"))
    assert caught.value.provider == "only"
    assert [line.outcome for line in caught.value.attempts] == ["AuthenticationError"]


async def test_nothing_better_than_an_empty_answer_raises_with_the_partial_response() -> None:
    with pytest.raises(EmptyAnswerError) as caught:
        await ask(FakeProvider(answer("", StopReason.MAX_TOKENS), name="only"))
    assert caught.value.response is not None
    assert caught.value.response.stop_reason is StopReason.MAX_TOKENS


async def test_nothing_better_than_a_blocked_answer_raises_with_the_partial_response() -> None:
    with pytest.raises(ContentBlockedError) as caught:
        await ask(FakeProvider(answer("I can't", StopReason.CONTENT_FILTER), name="only"))
    assert caught.value.response is not None
    assert caught.value.response.content == "I can't"


async def test_when_all_fail_every_cause_is_kept_in_order_one_line_each() -> None:
    first = FakeProvider(AuthenticationError("wrong key", status=401, advice="Set FIRST_API_KEY."), name="first")
    second = FakeProvider(ProviderUnavailableError("down", status=503), name="second")
    with pytest.raises(AllProvidersFailedError) as caught:
        await ask(first, second)
    assert [type(cause) for cause in caught.value.causes] == [AuthenticationError, ProviderUnavailableError]
    heading, *lines = str(caught.value).splitlines()
    assert heading == "all 2 providers failed:"
    assert len(lines) == 2
    assert "first (fake-model): wrong key [HTTP 401]. Set FIRST_API_KEY." in lines[0]
    assert "ProviderUnavailableError" in lines[1]
    assert [line.provider for line in caught.value.attempts] == ["first", "second"]
    assert caught.value.__cause__ is caught.value.causes[-1]


async def test_a_hung_primary_leaves_its_successors_time() -> None:
    clock = FakeClock()
    hung = FakeProvider("late", name="hung", delay=1000.0, clock=clock)
    second = FakeProvider("two", name="second", delay=5.0, clock=clock)
    providers = {"hung": hung, "second": second}
    async with open_container(providers=providers, clock=clock, observer=list[Event]().append) as container:
        response = await container.llm().generate("ping", deadline=24.0)
    assert response.content == "two"
    # 24 s, less 10 s for the one behind it
    assert [(line.provider, line.duration) for line in response.attempts] == [("hung", 14.0), ("second", 5.0)]
    assert response.attempts[0].outcome == "ProviderTimeoutError"


async def test_the_deadline_ends_the_call_and_says_who_used_it() -> None:
    clock = FakeClock()
    providers = {name: FakeProvider("late", name=name, delay=1000.0, clock=clock) for name in ("first", "second")}
    async with open_container(providers=providers, clock=clock, observer=list[Event]().append) as container:
        with pytest.raises(DeadlineExceededError) as caught:
            await container.llm().generate("ping", deadline=8.0)
    assert clock.monotonic() == pytest.approx(8.0)
    assert [line.provider for line in caught.value.attempts] == ["first", "second"]
    assert "first 4.00 s" in str(caught.value)
    assert "LLM_DEADLINE" in str(caught.value)


async def test_the_rows_timeout_ends_an_attempt_before_the_deadline_does() -> None:
    clock = FakeClock()
    hung = FakeProvider("late", name="hung", delay=1000.0, clock=clock)
    async with open_container(providers={"hung": hung}, clock=clock, observer=list[Event]().append) as container:
        with pytest.raises(ProviderTimeoutError):
            await container.llm().generate("ping")
    assert clock.monotonic() == pytest.approx(30.0)


async def test_events_tell_the_call_in_order() -> None:
    events: list[Event] = []
    failing = FakeProvider(ProviderUnavailableError("down"), name="first")
    await ask(failing, FakeProvider("two", name="second"), events=events)
    assert [type(event) for event in events] == [
        AttemptStarted,
        AttemptEnded,
        FellBack,
        AttemptStarted,
        AttemptEnded,
        CallAnswered,
    ]
    assert len({getattr(event, "call", None) for event in events}) == 1


async def test_cancelling_a_call_leaves_its_ledger_as_an_event() -> None:
    events: list[Event] = []
    started = asyncio.Event()

    class Hanging(FakeProvider):
        async def answer(self, request: Any) -> LLMResponse:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

    async with open_container(providers={"hung": Hanging(name="hung")}, observer=events.append) as container:
        call = asyncio.create_task(container.llm().generate("ping"))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    failed = events[-1]
    assert isinstance(failed, CallFailed)
    assert failed.reason == "cancelled"
    assert [(line.provider, line.outcome) for line in failed.attempts] == [("hung", "cancelled")]


async def test_a_confidence_computed_for_the_answer_is_compared_and_the_best_is_kept() -> None:
    unsure = FakeProvider(answer("perhaps", confidence=0.4), name="unsure")
    doubtful = FakeProvider(answer("no idea", confidence=0.2), name="doubtful")
    env = {"LLM_CONFIDENCE_THRESHOLD": "0.8", "LLM_FALLBACK_CHAIN": "unsure,doubtful", "CHAT_PROVIDER": "unsure"}
    providers = {"unsure": unsure, "doubtful": doubtful}
    async with open_container(env, providers=providers, observer=list[Event]().append) as container:
        response = await container.llm().generate("ping")
    assert (response.content, response.provider) == ("perhaps", "unsure")
    assert [(line.provider, line.kept) for line in response.attempts] == [("unsure", True), ("doubtful", False)]


async def test_a_shipped_rows_answer_is_never_thrown_away_for_its_constant() -> None:
    lab = FaultLab()
    env = {**lab.env("ollama", "openai"), "LLM_CONFIDENCE_THRESHOLD": "0.95", "CHAT_PROVIDER": "ollama"}
    async with lab.client() as client, open_container(env, http_client=client) as container:
        response = await container.llm().generate("ping")
    assert response.provider == "ollama"
    assert len(lab.requests) == 2  # the list route for the model, and the answer


async def test_strict_mode_asks_only_the_primary() -> None:
    lab = FaultLab()
    lab.script("openai", "overloaded")
    env = {**lab.env("openai", "groq"), "STRICT_PROVIDER_MODE": "true", "LLM_MAX_RETRIES": "0"}
    async with lab.client() as client, open_container(env, http_client=client) as container:
        with pytest.raises(ProviderUnavailableError):
            await container.llm().generate("ping")
    assert lab.asked("groq") == []


async def test_a_role_asks_its_primary_then_the_chat_chain() -> None:
    providers = {name: FakeProvider(name, name=name) for name in ("general", "coder")}
    providers["coder"] = FakeProvider(ProviderUnavailableError("down"), name="coder")
    env = {"CHAT_PROVIDER": "general", "CODE_PROVIDER": "coder"}
    async with open_container(env, providers=providers, observer=list[Event]().append) as container:
        response = await container.llm(role="code").generate("ping")
    assert [line.provider for line in response.attempts] == ["coder", "general"]


async def test_a_pinned_provider_is_asked_alone() -> None:
    providers = {"a": FakeProvider("one", name="a"), "b": FakeProvider(ProviderUnavailableError("down"), name="b")}
    async with open_container(providers=providers, observer=list[Event]().append) as container:
        with pytest.raises(ProviderUnavailableError):
            await container.llm(provider="b").generate("ping")
        with pytest.raises(ConfigurationError, match="unknown provider 'c'"):
            container.llm(provider="c")


async def test_the_registry_name_stands_everywhere_whatever_the_provider_calls_itself() -> None:
    async with open_container(providers={"house": FakeProvider("one", name="other")}) as container:
        response = await container.llm().generate("ping")
    assert (response.provider, response.attempts[0].provider) == ("house", "house")


async def test_a_stream_gives_the_answer_and_its_response() -> None:
    async with open_container(providers={"a": FakeProvider("one two", name="a")}) as container:
        async with container.llm().stream("ping") as stream:
            with pytest.raises(InvalidRequestError):
                _ = stream.response
            text = "".join([chunk.text or "" async for chunk in stream])
        assert text == stream.response.content == "one two"
        assert stream.response.attempts[0].kept


async def test_a_stream_that_cannot_open_raises_on_entry() -> None:
    async with open_container(providers={"a": FakeProvider(AuthenticationError("no"), name="a")}) as container:
        with pytest.raises(AuthenticationError):
            async with container.llm().stream("ping"):
                pass


async def test_the_router_says_what_it_is() -> None:
    providers = {"a": FakeProvider(name="a", models=("x", "y")), "b": FakeProvider(name="b", models=("y", "z"))}
    async with open_container(providers=providers) as container:
        llm = container.llm()
        assert (llm.provider_name, llm.is_available()) == ("router", True)
        assert llm.get_supported_models() == ["x", "y", "z"]
        assert container.llm(provider="b").get_supported_models() == ["y", "z"]


async def test_a_bad_call_is_refused_before_anyone_is_asked() -> None:
    only = FakeProvider(name="a")
    async with open_container(providers={"a": only}) as container:
        with pytest.raises(InvalidRequestError):
            await container.llm().generate([Message.system("only system")])
    assert only.requests == []


async def test_concurrent_calls_get_errors_of_their_own() -> None:
    shared = FakeProvider(ProviderUnavailableError("down", status=503), name="a")
    async with open_container(providers={"a": shared}) as container:
        results = await asyncio.gather(*(container.llm().generate("ping") for _ in range(9)), return_exceptions=True)
    errors = [result for result in results if isinstance(result, ProviderUnavailableError)]
    assert len({id(error) for error in errors}) == 9
    assert all((error.status, len(error.attempts)) == (503, 1) for error in errors)


async def test_an_error_from_before_the_answer_was_asked_for_keeps_its_status_and_id() -> None:
    class Listing(FakeProvider):
        async def answer(self, request: Any) -> LLMResponse:
            raise AuthenticationError("wrong key", status=401, request_id="req_1")

    async with open_container(providers={"a": Listing(name="a")}) as container:
        with pytest.raises(AuthenticationError) as caught:
            await container.llm().generate("ping")
    (line,) = caught.value.attempts
    assert (line.status, line.request_id, line.model) == (401, "req_1", "fake-model")


class Backend(FakeProvider):
    """A provider of somebody else's that answers requests itself, in whatever way `act` says."""

    def __init__(self, act: Any, name: str) -> None:
        super().__init__(name=name)
        self._act = act

    async def answer(self, request: Any) -> LLMResponse:
        result = self._act(request)
        response: LLMResponse = await result if asyncio.iscoroutine(result) else result
        return response


def raising(error: BaseException) -> Any:
    def act(request: Any) -> Any:
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (raising(KeyError("choices")), "ProviderError"),
        (raising(TimeoutError()), "ProviderTimeoutError"),
        (lambda request: None, "MalformedResponseError"),
        (lambda request: answer(None), "MalformedResponseError"),  # type: ignore[arg-type]
        (lambda request: answer("text", confidence=None), "MalformedResponseError"),
        (raising(AllProvidersFailedError([ProviderUnavailableError("down")])), "AllProvidersFailedError"),
    ],
    ids=["a bare exception", "a TimeoutError of its own", "no answer", "no text", "no confidence", "a router"],
)
async def test_whatever_a_foreign_provider_does_the_next_one_answers(act: Any, expected: str) -> None:
    events: list[Event] = []
    response = await ask(Backend(act, "first"), FakeProvider("two", name="second"), events=events)
    assert response.content == "two"
    assert [(line.provider, line.outcome) for line in response.attempts] == [
        ("first", expected),
        ("second", "answered"),
    ]
    assert isinstance(events[-1], CallAnswered)


async def test_what_a_foreign_provider_raised_is_the_cause() -> None:
    with pytest.raises(LLMError) as caught:
        await ask(Backend(raising(KeyError("choices")), "only"))
    assert isinstance(caught.value.__cause__, KeyError)


async def test_a_foreign_provider_that_keeps_no_time_is_cut_off_at_its_share() -> None:
    async def hang(request: Any) -> LLMResponse:
        await clock.sleep(1000.0)
        raise AssertionError

    clock = FakeClock()
    providers = {"hung": Backend(hang, "hung"), "second": FakeProvider("two", name="second")}
    async with open_container(providers=providers, clock=clock, observer=list[Event]().append) as container:
        response = await container.llm().generate("ping", deadline=24.0)
    assert response.content == "two"
    assert response.attempts[0].outcome == "ProviderTimeoutError"
    assert response.attempts[0].duration == pytest.approx(14.25)  # its share, and the grace


async def test_the_best_answer_so_far_survives_a_hang_and_an_error_that_stops() -> None:
    env = {"LLM_CONFIDENCE_THRESHOLD": "0.8", "CHAT_PROVIDER": "unsure", "LLM_FALLBACK_CHAIN": "later"}
    for later in (raising(InvalidRequestError("no")), None):
        clock = FakeClock()
        hung = FakeProvider("late", name="later", delay=1000.0, clock=clock)
        providers = {
            "unsure": FakeProvider(answer("perhaps", confidence=0.4), name="unsure"),
            "later": Backend(later, "later") if later else hung,
        }
        async with open_container(env, providers=providers, clock=clock, observer=list[Event]().append) as container:
            response = await container.llm().generate("ping")
        assert (response.content, response.attempts[0].kept) == ("perhaps", True)
        assert len(response.attempts) == 2


async def test_a_local_server_without_a_model_does_not_end_the_chain() -> None:
    lab = FaultLab()
    laboratory = lab.transport()

    async def handle(request: httpx.Request) -> httpx.Response:
        if request.url.host == "localhost":
            return httpx.Response(200, json={"data": []})
        return await laboratory.handle_async_request(request)

    env = {**lab.env("openai"), "CHAT_PROVIDER": "local", "LOCAL_LLM_BASE_URL": "http://localhost:8000"}
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client,
        open_container(env, http_client=client) as container,
    ):
        response = await container.llm().generate("ping")
    assert [line.outcome for line in response.attempts] == ["ProviderConfigurationError", "answered"]
    assert response.provider == "openai"


async def test_a_closed_client_of_the_hosts_is_a_typed_error() -> None:
    lab = FaultLab()
    client = lab.client()
    await client.aclose()
    async with open_container(lab.env("openai"), http_client=client) as container:
        with pytest.raises(ProviderUnavailableError):
            await container.llm().generate("ping")


async def test_a_provider_asked_directly_refuses_what_it_would_lose_and_keeps_the_deadline() -> None:
    clock = FakeClock()
    lab = FaultLab(clock)
    async with lab.client() as client, open_container(lab.env("groq"), http_client=client, clock=clock) as container:
        groq = container.registry().get_provider("groq")
        document = Message.user("Sum it up.", File.from_bytes(b"%PDF-1.7"))
        with pytest.raises(InvalidRequestError, match="groq does not take files"):
            await groq.generate([document])
        assert lab.requests == []
        lab.script("groq", "silent")
        with pytest.raises(ProviderTimeoutError):
            await groq.generate("ping", deadline=0.05)
        assert clock.monotonic() == pytest.approx(0.05)


async def test_vendor_fields_for_nobody_are_refused_with_the_nearest_name() -> None:
    async with open_container(providers={"openai": FakeProvider(name="openai")}) as container:
        with pytest.raises(
            InvalidRequestError, match=r"extra names an unknown provider 'opnai'; did you mean 'openai'"
        ):
            await container.llm().generate("ping", extra={"opnai": {"user": "me"}})


async def test_a_stream_that_is_never_entered_asks_nobody() -> None:
    fake = FakeProvider(name="a")
    async with open_container(providers={"a": fake}) as container:
        container.llm().stream("ping")
    assert fake.requests == []


async def test_a_router_as_a_candidate_keeps_its_share() -> None:
    clock = FakeClock()
    inner = {"slow": FakeProvider("late", name="slow", delay=1000.0, clock=clock)}
    observer = list[Event]().append
    async with open_container(providers=inner, clock=clock, observer=observer) as within:
        outer = {"inner": within.llm(), "second": FakeProvider("two", name="second")}
        async with open_container(providers=outer, clock=clock, observer=observer) as container:
            response = await container.llm().generate("ping", deadline=24.0)
    assert clock.monotonic() == pytest.approx(14.0)
    assert [(line.provider, line.outcome) for line in response.attempts] == [
        ("inner", "ProviderTimeoutError"),
        ("second", "answered"),
    ]


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("claude-haiku-5-5", "anthropic"),
        ("openai/gpt-oss-20b", "groq"),
        ("gpt-6-luna", "openai"),
        ("tomorrow-1", "openai"),
    ],
)
async def test_a_vendors_model_finds_its_vendor_and_no_other(model: str, provider: str) -> None:
    lab = FaultLab()
    for name in ("openai", "anthropic", "groq"):
        lab.script(name, "server_error")
    env = {**lab.env("openai", "anthropic", "groq"), "LLM_MAX_RETRIES": "0"}
    async with lab.client() as client, open_container(env, http_client=client) as container:
        with pytest.raises(AllProvidersFailedError) as caught:
            await container.llm().generate("ping", model=model)
    sent = [(line.provider, line.model) for line in caught.value.attempts]
    assert sent[0] == (provider, model)
    assert model not in [other for _, other in sent[1:]]


async def test_an_observer_that_raises_costs_nobody_an_answer() -> None:
    def broken(event: Event) -> None:
        raise ValueError("a metric failed")

    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    async with open_container(providers={"a": FakeProvider("one")}, observer=broken) as container:
        assert (await container.llm().generate("ping")).content == "one"
    assert [type(error) for error in reported] == [ValueError] * 3
