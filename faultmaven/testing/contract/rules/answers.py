"""Rules about prompts and responses."""

from collections.abc import Iterator
from typing import Any

from ....domain.errors import InvalidRequestError
from ....domain.messages import Message
from ....domain.responses import LLMResponse, StopReason
from ...lab import ANSWER
from ..harness import API_KEY
from ..precondition import check_precondition
from ..provider_under_test import ProviderUnderTest
from ..rule import expect, report_broken, rule

PROMPT = 'Why does my pod restart? Ünïcode, "quotes" and\na second line.'


class AnswerRules:
    """The prompts that a provider accepts, the requests that it sends, and the responses that it returns."""

    @rule(
        "In generate(), send the prompt to `self.config.base_url`, and return the reply's text in an LLMResponse."
        " Most other rules are skipped until this rule passes.",
        applies_to="lab",
        preconditions=(),
    )
    def test_a_plain_prompt_is_answered(self, subject: ProviderUnderTest) -> None:
        """A prompt is sent to the configured address, and the vendor's reply is returned as an LLMResponse."""
        result = check_precondition(type(self), subject.harness, "answered")
        if result.problem:
            report_broken("an answer from the vendor at `self.config.base_url`", result.problem, result.cause)

    @rule("Fill every field of `LLMResponse`; `tokens_used` is None where the vendor does not count.")
    async def test_a_prompt_gets_a_whole_response(self, subject: ProviderUnderTest) -> None:
        """Text, provider, model, stop reason, time and usage of a response are present and of the documented types."""
        response: Any = await subject.generate("Why does my pod restart?")  # a third-party provider may return any type
        expect(isinstance(response, LLMResponse), "an LLMResponse", f"a {type(response).__name__}")
        expect(isinstance(response.content, str) and response.content.strip(), "a text", "no text")
        expect(isinstance(response.stop_reason, StopReason), "a StopReason", f"{response.stop_reason!r}")
        expect(response.provider, "the provider's name in `provider`", f"{response.provider!r}")
        expect(isinstance(response.model, str), "the model's name in `model`", f"{response.model!r}")
        expect(0 <= response.confidence <= 1, "a `confidence` from 0 to 1", f"{response.confidence!r}")
        expect(response.response_time_ms >= 0, "a `response_time_ms` of 0 or more", f"{response.response_time_ms!r}")
        tokens, usage = response.tokens_used, response.usage
        expect(tokens is None or tokens > 0, "`tokens_used` above 0, or None", f"{tokens!r}")
        expect(usage is None or usage.total == tokens, "`usage.total` equal to `tokens_used`", f"{usage!r}, {tokens!r}")
        if subject.optional_harness:
            expect(
                response.content == ANSWER, "the vendor's text", f"another text of {len(response.content)} characters"
            )

    @rule("Send `model` unchanged; in the guide's form, send the result of `self.get_effective_model(model)`.")
    async def test_requested_model_is_sent_unchanged(self, subject: ProviderUnderTest) -> None:
        """The name of a requested model is sent unchanged and reported in the response."""
        response = await subject.generate(model="a-model-of-tomorrow")
        expect(response.model == "a-model-of-tomorrow", "the model 'a-model-of-tomorrow'", f"{response.model!r}")

    @rule("Accept a sequence of messages as well as a string, and send the text of every message.")
    async def test_a_conversation_is_sent_completely(self, subject: ProviderUnderTest) -> None:
        """Every message of a conversation is sent; in the guide's form, every system and user message."""
        turns = [Message.system("Be terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")]
        if subject.optional_harness and subject.optional_harness.is_guide_form:
            turns = [turns[0], turns[3]]  # the router passes one string, which carries no assistant turns
        response = await subject.generate(turns)
        expect(response.content, "an answer", "an empty answer")
        for request in subject.sent_requests:
            texts = "\n".join(_texts(request.json))
            missing = [turn.role for turn in turns if turn.text not in texts]
            expect(not missing, "the text of every message in the request", f"no text of: {', '.join(missing)}")

    @rule("Send the prompt unchanged, and `max_tokens` if the caller sets a limit.", applies_to="lab")
    async def test_prompt_and_max_tokens_are_sent_unchanged(self, subject: ProviderUnderTest) -> None:
        """The prompt and `max_tokens` reach the vendor unchanged."""
        await subject.generate(PROMPT, max_tokens=1234)
        expect(subject.sent_requests, "a request", "no request reached the vendor")
        body = subject.sent_requests[-1].json
        is_sent = any(PROMPT in text for text in _texts(body))
        expect(is_sent, "the unchanged prompt in the request's body", "the prompt is missing or changed")
        expect(1234 in _numbers(body), "`max_tokens` in the request's body", "`max_tokens` is missing")

    @rule("Use `self.config.base_url` and `self.config.api_key`, and no constants of the class.", applies_to="lab")
    async def test_request_uses_configured_address_and_key(self, subject: ProviderUnderTest) -> None:
        """The address and the key come from the configuration; the key is sent in a header, not in the address."""
        await subject.generate()
        expect(subject.sent_requests, "a request below the configured base URL", "no request reached the vendor")
        request = subject.sent_requests[-1]
        expect(
            request.provider == subject.harness.name,
            "a request to the configured base URL",
            "a request to another address",
        )
        key_headers = [name for name, value in request.headers.items() if API_KEY in value]
        needs_key = subject.harness.row.get("api_key_var")
        expect(key_headers or not needs_key, "the configured key in a header", "no header contains the key")
        expect(API_KEY not in request.path, "no key in the address", "the key is part of the address")

    @rule("Raise InvalidRequestError before a request is sent, as `BaseLLMProvider` does.", preconditions=())
    async def test_blank_prompt_is_refused_before_sending(self, subject: ProviderUnderTest) -> None:
        """`generate` and `stream` refuse a blank prompt before a request is sent."""
        await _expect_refusal(subject, "a blank prompt", "   ")
        await _expect_refusal(subject, "an empty conversation", [])

    @rule("Raise InvalidRequestError before a request is sent, as `BaseLLMProvider` does.", preconditions=())
    async def test_invalid_limits_are_refused_before_sending(self, subject: ProviderUnderTest) -> None:
        """`generate` and `stream` refuse an invalid `max_tokens` or `temperature` before a request is sent."""
        await _expect_refusal(subject, "max_tokens=0", "ping", max_tokens=0)
        await _expect_refusal(subject, "temperature=-1.0", "ping", temperature=-1.0)
        await _expect_refusal(subject, "temperature=nan", "ping", temperature=float("nan"))

    @rule("Test `if temperature is not None`, never `if temperature` or `temperature or 0.7`.")
    async def test_zero_temperature_is_sent_as_zero(self, subject: ProviderUnderTest) -> None:
        """A temperature of 0 is a value and is sent as 0; None means unset."""
        zero = await subject.generate(temperature=0)
        temperatures = [value for request in subject.sent_requests for value in _values_of("temperature", request.json)]
        expect(all(value == 0 for value in temperatures), "a temperature of 0 in the request", f"{temperatures!r}")
        unset = await subject.generate(temperature=None)
        expect(zero.content and unset.content, "an answer to both requests", "an empty answer")

    @rule('Give the response one `Attempt` in `attempts`, with the outcome "answered".')
    async def test_response_has_exactly_one_attempt(self, subject: ProviderUnderTest) -> None:
        """A response has one attempt in `attempts`, with the outcome "answered"."""
        attempts = (await subject.generate()).attempts
        expect(len(attempts) == 1, "one attempt in `attempts`", f"{len(attempts)} attempts")
        expect(attempts[0].outcome == "answered", "the outcome 'answered'", f"{attempts[0].outcome!r}")


async def _expect_refusal(subject: ProviderUnderTest, description: str, prompt: Any, **arguments: Any) -> None:
    for method in ("generate", "stream"):
        try:
            if method == "generate":
                await subject.provider.generate(prompt, **arguments)
            else:
                async with subject.provider.stream(prompt, **arguments):
                    pass
        except InvalidRequestError:
            pass
        else:
            report_broken(f"InvalidRequestError from {method}() with {description}", "no exception")
    expect(not subject.sent_requests, "no request is sent", f"{len(subject.sent_requests)} requests were sent")


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the field name and the value of every leaf of a decoded body."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def _texts(body: Any) -> list[str]:
    return [value for _, value in _leaves(body) if isinstance(value, str)]


def _numbers(body: Any) -> list[float]:
    return [value for _, value in _leaves(body) if isinstance(value, int | float)]


def _values_of(name: str, body: Any) -> list[Any]:
    return [value for field, value in _leaves(body) if field == name]
