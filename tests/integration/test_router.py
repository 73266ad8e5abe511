"""The router: the order of providers, fallback, the raised errors and the recorded attempts."""

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


async def generate_ping(*providers: FakeProvider, events: list[Event] | None = None, **options: Any) -> LLMResponse:
    named = {provider.provider_name: provider for provider in providers}
    recorded: list[Event] = events if events is not None else []
    async with open_container(providers=named, observer=recorded.append, clock=FakeClock()) as container:
        return await container.llm().generate("ping", **options)


async def test_only_the_healthy_primary_is_called() -> None:
    first, second = FakeProvider("one", name="first"), FakeProvider("two", name="second")
    response = await generate_ping(first, second)
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
async def test_provider_failure_falls_back_and_is_recorded(failure: Any) -> None:
    response = await generate_ping(FakeProvider(failure, name="first"), FakeProvider("two", name="second"))
    assert response.content == "two"
    assert [(line.provider, line.kept) for line in response.attempts] == [("first", False), ("second", True)]
    assert response.attempts[0].outcome != "answered"
    assert response.attempts[0].error


async def test_invalid_request_does_not_fall_back() -> None:
    second = FakeProvider("two", name="second")
    with pytest.raises(InvalidRequestError) as caught:
        await generate_ping(FakeProvider(InvalidRequestError("no"), name="first"), second)
    assert second.requests == []
    assert [line.provider for line in caught.value.attempts] == ["first"]


async def test_truncated_answer_keeps_stop_reason() -> None:
    response = await generate_ping(
        FakeProvider(answer("half of", StopReason.MAX_TOKENS), name="first"), FakeProvider("two")
    )
    assert (response.content, response.stop_reason) == ("half of", StopReason.MAX_TOKENS)


async def test_answer_below_min_output_tokens_falls_back() -> None:
    cut = answer("half of", StopReason.MAX_TOKENS, usage=Usage(input=3, output=2))
    response = await generate_ping(
        FakeProvider(cut, name="first"), FakeProvider("two", name="second"), min_output_tokens=10
    )
    assert response.content == "two"


async def test_single_provider_error_contains_attempts() -> None:
    with pytest.raises(AuthenticationError) as caught:
        await generate_ping(FakeProvider(AuthenticationError("wrong key"), name="only"))
    assert caught.value.provider == "only"
    assert [line.outcome for line in caught.value.attempts] == ["AuthenticationError"]


async def test_empty_answer_error_contains_partial_response() -> None:
    with pytest.raises(EmptyAnswerError) as caught:
        await generate_ping(FakeProvider(answer("", StopReason.MAX_TOKENS), name="only"))
    assert caught.value.response is not None
    assert caught.value.response.stop_reason is StopReason.MAX_TOKENS


async def test_blocked_answer_error_contains_partial_response() -> None:
    with pytest.raises(ContentBlockedError) as caught:
        await generate_ping(FakeProvider(answer("I can't", StopReason.CONTENT_FILTER), name="only"))
    assert caught.value.response is not None
    assert caught.value.response.content == "I can't"


async def test_all_failed_error_lists_causes_in_order() -> None:
    first = FakeProvider(AuthenticationError("wrong key", status=401, advice="Set FIRST_API_KEY."), name="first")
    second = FakeProvider(ProviderUnavailableError("down", status=503), name="second")
    with pytest.raises(AllProvidersFailedError) as caught:
        await generate_ping(first, second)
    assert [type(cause) for cause in caught.value.causes] == [AuthenticationError, ProviderUnavailableError]
    heading, *lines = str(caught.value).splitlines()
    assert heading == "all 2 providers failed:"
    assert len(lines) == 2
    assert "first (fake-model): wrong key [HTTP 401]. Set FIRST_API_KEY." in lines[0]
    assert "ProviderUnavailableError" in lines[1]
    assert [line.provider for line in caught.value.attempts] == ["first", "second"]
    assert caught.value.__cause__ is caught.value.causes[-1]


async def test_hung_primary_leaves_time_for_fallback() -> None:
    clock = FakeClock()
    hung = FakeProvider("late", name="hung", delay=1000.0, clock=clock)
    second = FakeProvider("two", name="second", delay=5.0, clock=clock)
    providers = {"hung": hung, "second": second}
    async with open_container(providers=providers, clock=clock, observer=list[Event]().append) as container:
        response = await container.llm().generate("ping", deadline=24.0)
    assert response.content == "two"
    # 24 s less a reserve of 10 s for the second provider
    assert [(line.provider, line.duration) for line in response.attempts] == [("hung", 14.0), ("second", 5.0)]
    assert response.attempts[0].outcome == "ProviderTimeoutError"


async def test_deadline_error_names_time_per_provider() -> None:
    clock = FakeClock()
    providers = {name: FakeProvider("late", name=name, delay=1000.0, clock=clock) for name in ("first", "second")}
    async with open_container(providers=providers, clock=clock, observer=list[Event]().append) as container:
        with pytest.raises(DeadlineExceededError) as caught:
            await container.llm().generate("ping", deadline=8.0)
    assert clock.monotonic() == pytest.approx(8.0)
    assert [line.provider for line in caught.value.attempts] == ["first", "second"]
    assert "first 4.00 s" in str(caught.value)
    assert "LLM_DEADLINE" in str(caught.value)


async def test_row_timeout_ends_attempt_before_deadline() -> None:
    clock = FakeClock()
    hung = FakeProvider("late", name="hung", delay=1000.0, clock=clock)
    async with open_container(providers={"hung": hung}, clock=clock, observer=list[Event]().append) as container:
        with pytest.raises(ProviderTimeoutError):
            await container.llm().generate("ping")
    assert clock.monotonic() == pytest.approx(30.0)


async def test_call_emits_events_in_order() -> None:
    events: list[Event] = []
    failing = FakeProvider(ProviderUnavailableError("down"), name="first")
    await generate_ping(failing, FakeProvider("two", name="second"), events=events)
    assert [type(event) for event in events] == [
        AttemptStarted,
        AttemptEnded,
        FellBack,
        AttemptStarted,
        AttemptEnded,
        CallAnswered,
    ]
    assert len({getattr(event, "call", None) for event in events}) == 1


async def test_cancelled_call_emits_event_with_attempts() -> None:
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


async def test_answer_with_highest_confidence_is_accepted() -> None:
    unsure = FakeProvider(answer("perhaps", confidence=0.4), name="unsure")
    doubtful = FakeProvider(answer("no idea", confidence=0.2), name="doubtful")
    env = {"LLM_CONFIDENCE_THRESHOLD": "0.8", "LLM_FALLBACK_CHAIN": "unsure,doubtful", "CHAT_PROVIDER": "unsure"}
    providers = {"unsure": unsure, "doubtful": doubtful}
    async with open_container(env, providers=providers, observer=list[Event]().append) as container:
        response = await container.llm().generate("ping")
    assert (response.content, response.provider) == ("perhaps", "unsure")
    assert [(line.provider, line.kept) for line in response.attempts] == [("unsure", True), ("doubtful", False)]


async def test_built_in_row_confidence_rejects_no_answer() -> None:
    lab = FaultLab()
    env = {**lab.env("ollama", "openai"), "LLM_CONFIDENCE_THRESHOLD": "0.95", "CHAT_PROVIDER": "ollama"}
    async with lab.client() as client, open_container(env, http_client=client) as container:
        response = await container.llm().generate("ping")
    assert response.provider == "ollama"
    assert len(lab.requests) == 2  # the model list and the answer


async def test_strict_mode_calls_primary_only() -> None:
    lab = FaultLab()
    lab.script("openai", "overloaded")
    env = {**lab.env("openai", "groq"), "STRICT_PROVIDER_MODE": "true", "LLM_MAX_RETRIES": "0"}
    async with lab.client() as client, open_container(env, http_client=client) as container:
        with pytest.raises(ProviderUnavailableError):
            await container.llm().generate("ping")
    assert lab.asked("groq") == []


async def test_role_primary_precedes_chat_chain() -> None:
    providers = {name: FakeProvider(name, name=name) for name in ("general", "coder")}
    providers["coder"] = FakeProvider(ProviderUnavailableError("down"), name="coder")
    env = {"CHAT_PROVIDER": "general", "CODE_PROVIDER": "coder"}
    async with open_container(env, providers=providers, observer=list[Event]().append) as container:
        response = await container.llm(role="code").generate("ping")
    assert [line.provider for line in response.attempts] == ["coder", "general"]


async def test_pinned_provider_has_no_fallback() -> None:
    providers = {"a": FakeProvider("one", name="a"), "b": FakeProvider(ProviderUnavailableError("down"), name="b")}
    async with open_container(providers=providers, observer=list[Event]().append) as container:
        with pytest.raises(ProviderUnavailableError):
            await container.llm(provider="b").generate("ping")
        with pytest.raises(ConfigurationError, match="unknown provider 'c'"):
            container.llm(provider="c")


async def test_response_uses_registry_provider_name() -> None:
    async with open_container(providers={"house": FakeProvider("one", name="other")}) as container:
        response = await container.llm().generate("ping")
    assert (response.provider, response.attempts[0].provider) == ("house", "house")


async def test_stream_yields_text_and_response() -> None:
    async with open_container(providers={"a": FakeProvider("one two", name="a")}) as container:
        async with container.llm().stream("ping") as stream:
            with pytest.raises(InvalidRequestError):
                _ = stream.response
            text = "".join([chunk.text or "" async for chunk in stream])
        assert text == stream.response.content == "one two"
        assert stream.response.attempts[0].kept


async def test_failing_stream_raises_on_entry() -> None:
    async with open_container(providers={"a": FakeProvider(AuthenticationError("no"), name="a")}) as container:
        with pytest.raises(AuthenticationError):
            async with container.llm().stream("ping"):
                pass


async def test_router_reports_name_and_models() -> None:
    providers = {"a": FakeProvider(name="a", models=("x", "y")), "b": FakeProvider(name="b", models=("y", "z"))}
    async with open_container(providers=providers) as container:
        llm = container.llm()
        assert (llm.provider_name, llm.is_available()) == ("router", True)
        assert llm.get_supported_models() == ["x", "y", "z"]
        assert container.llm(provider="b").get_supported_models() == ["y", "z"]


async def test_invalid_call_reaches_no_provider() -> None:
    only = FakeProvider(name="a")
    async with open_container(providers={"a": only}) as container:
        with pytest.raises(InvalidRequestError):
            await container.llm().generate([Message.system("only system")])
    assert only.requests == []


async def test_concurrent_calls_raise_separate_errors() -> None:
    shared = FakeProvider(ProviderUnavailableError("down", status=503), name="a")
    async with open_container(providers={"a": shared}) as container:
        results = await asyncio.gather(*(container.llm().generate("ping") for _ in range(9)), return_exceptions=True)
    errors = [result for result in results if isinstance(result, ProviderUnavailableError)]
    assert len({id(error) for error in errors}) == 9
    assert all((error.status, len(error.attempts)) == (503, 1) for error in errors)


async def test_early_error_keeps_status_and_request_id() -> None:
    class Listing(FakeProvider):
        async def answer(self, request: Any) -> LLMResponse:
            raise AuthenticationError("wrong key", status=401, request_id="req_1")

    async with open_container(providers={"a": Listing(name="a")}) as container:
        with pytest.raises(AuthenticationError) as caught:
            await container.llm().generate("ping")
    (line,) = caught.value.attempts
    assert (line.status, line.request_id, line.model) == (401, "req_1", "fake-model")


class Backend(FakeProvider):
    """A third-party provider that answers a request with the result of `act`."""

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
    ids=["bare exception", "provider TimeoutError", "no answer", "no text", "no confidence", "nested router"],
)
async def test_third_party_failure_falls_back(act: Any, expected: str) -> None:
    events: list[Event] = []
    response = await generate_ping(Backend(act, "first"), FakeProvider("two", name="second"), events=events)
    assert response.content == "two"
    assert [(line.provider, line.outcome) for line in response.attempts] == [
        ("first", expected),
        ("second", "answered"),
    ]
    assert isinstance(events[-1], CallAnswered)


async def test_third_party_exception_becomes_cause() -> None:
    with pytest.raises(LLMError) as caught:
        await generate_ping(Backend(raising(KeyError("choices")), "only"))
    assert isinstance(caught.value.__cause__, KeyError)


async def test_hung_third_party_provider_ends_at_share() -> None:
    async def hang(request: Any) -> LLMResponse:
        await clock.sleep(1000.0)
        raise AssertionError

    clock = FakeClock()
    providers = {"hung": Backend(hang, "hung"), "second": FakeProvider("two", name="second")}
    async with open_container(providers=providers, clock=clock, observer=list[Event]().append) as container:
        response = await container.llm().generate("ping", deadline=24.0)
    assert response.content == "two"
    assert response.attempts[0].outcome == "ProviderTimeoutError"
    assert response.attempts[0].duration == pytest.approx(14.25)  # the time share of 14 s and the grace of 0.25 s


async def test_best_answer_survives_later_failure() -> None:
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


async def test_local_server_without_model_falls_back() -> None:
    lab = FaultLab()
    lab_transport = lab.transport()

    async def handle(request: httpx.Request) -> httpx.Response:
        if request.url.host == "localhost":
            return httpx.Response(200, json={"data": []})
        return await lab_transport.handle_async_request(request)

    env = {**lab.env("openai"), "CHAT_PROVIDER": "local", "LOCAL_LLM_BASE_URL": "http://localhost:8000"}
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client,
        open_container(env, http_client=client) as container,
    ):
        response = await container.llm().generate("ping")
    assert [line.outcome for line in response.attempts] == ["ProviderConfigurationError", "answered"]
    assert response.provider == "openai"


async def test_closed_host_client_raises_typed_error() -> None:
    lab = FaultLab()
    client = lab.client()
    await client.aclose()
    async with open_container(lab.env("openai"), http_client=client) as container:
        with pytest.raises(ProviderUnavailableError):
            await container.llm().generate("ping")


async def test_direct_provider_refuses_files_and_keeps_deadline() -> None:
    clock = FakeClock()
    lab = FaultLab(clock)
    async with lab.client() as client, open_container(lab.env("groq"), http_client=client, clock=clock) as container:
        groq = container.registry().get_provider("groq")
        document = Message.user("Sum it up.", File.from_bytes(b"%PDF-1.7"))
        with pytest.raises(InvalidRequestError, match="groq does not support files"):
            await groq.generate([document])
        assert lab.requests == []
        lab.script("groq", "silent")
        with pytest.raises(ProviderTimeoutError):
            await groq.generate("ping", deadline=0.05)
        assert clock.monotonic() == pytest.approx(0.05)


async def test_extra_for_unknown_provider_is_refused() -> None:
    async with open_container(providers={"openai": FakeProvider(name="openai")}) as container:
        with pytest.raises(
            InvalidRequestError, match=r"extra names an unknown provider 'opnai'; did you mean 'openai'"
        ):
            await container.llm().generate("ping", extra={"opnai": {"user": "me"}})


async def test_unentered_stream_sends_no_request() -> None:
    fake = FakeProvider(name="a")
    async with open_container(providers={"a": fake}) as container:
        container.llm().stream("ping")
    assert fake.requests == []


async def test_nested_router_keeps_time_share() -> None:
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
async def test_requested_model_goes_to_known_vendor(model: str, provider: str) -> None:
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


async def test_failing_observer_does_not_fail_call() -> None:
    def broken(event: Event) -> None:
        raise ValueError("a metric failed")

    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    async with open_container(providers={"a": FakeProvider("one")}, observer=broken) as container:
        assert (await container.llm().generate("ping")).content == "one"
    assert [type(error) for error in reported] == [ValueError] * 3
