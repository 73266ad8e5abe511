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
        "In generate(), send the prompt to `self.config.base_url`, and return the reply's text in an LLMResponse. The"
        " rules that rest on this one are not tried before.",
        applies_to="lab",
        preconditions=(),
    )
    def test_a_plain_prompt_is_answered(self, subject: ProviderUnderTest) -> None:
        """A prompt is sent to the configured address, and what the vendor says comes back as an LLMResponse."""
        result = check_precondition(type(self), subject.harness, "answered")
        if result.problem:
            report_broken("an answer of the vendor at `self.config.base_url`", result.problem, result.cause)

    @rule("Fill every field of `LLMResponse`; `tokens_used` is None where the vendor does not count.")
    async def test_a_prompt_gets_a_whole_response(self, subject: ProviderUnderTest) -> None:
        """Text, who answered, how it ended, how long it took and what it cost are all there and of their types."""
        response: Any = await subject.generate("Why does my pod restart?")  # a third-party provider may return any type
        expect(isinstance(response, LLMResponse), "an LLMResponse", f"a {type(response).__name__}")
        expect(isinstance(response.content, str) and response.content.strip(), "a text", "none")
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
                response.content == ANSWER, "the vendor's text", f"another one of {len(response.content)} characters"
            )

    @rule("Send `model` as it is; in the guide's form `self.get_effective_model(model)` returns it.")
    async def test_the_requested_model_is_the_one_that_answers(self, subject: ProviderUnderTest) -> None:
        """A model that the caller names is sent as it is."""
        response = await subject.generate(model="a-model-of-tomorrow")
        expect(response.model == "a-model-of-tomorrow", "the model 'a-model-of-tomorrow'", f"{response.model!r}")

    @rule("Take a sequence of messages as well as a string, and send every turn.")
    async def test_a_conversation_is_taken(self, subject: ProviderUnderTest) -> None:
        """System, user and, where the form of the class carries them, assistant turns are one prompt."""
        turns = [Message.system("Be terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")]
        if subject.optional_harness and subject.optional_harness.is_guide_form:
            turns = [turns[0], turns[3]]  # the router passes one string, which carries no assistant turns
        response = await subject.generate(turns)
        expect(response.content, "an answer", "an empty one")
        for request in subject.sent_requests:
            texts = "\n".join(_texts(request.json))
            missing = [turn.role for turn in turns if turn.text not in texts]
            expect(not missing, "every turn's text in the request", f"those of {', '.join(missing)} are missing")

    @rule("Send the prompt unchanged, and the limit where the caller set one.", applies_to="lab")
    async def test_what_is_asked_is_what_is_sent(self, subject: ProviderUnderTest) -> None:
        """The prompt reaches the vendor character by character, and so does the limit of the answer."""
        await subject.generate(PROMPT, max_tokens=1234)
        expect(subject.sent_requests, "a request", "none reached the vendor")
        body = subject.sent_requests[-1].json
        is_sent = any(PROMPT in text for text in _texts(body))
        expect(is_sent, "the whole prompt in the request's body", "it is not there as it was written")
        expect(1234 in _numbers(body), "`max_tokens` in the request's body", "it is not there")

    @rule("Use `self.config.base_url` and `self.config.api_key`, and nothing written into the class.", applies_to="lab")
    async def test_it_asks_its_own_address_with_its_own_key(self, subject: ProviderUnderTest) -> None:
        """The address and the key come from the configuration; the key stands in a header, not in the address."""
        await subject.generate()
        expect(subject.sent_requests, "a request below the configured base URL", "none reached the vendor")
        request = subject.sent_requests[-1]
        expect(request.provider == subject.harness.name, "the configured base URL", "a request to another one")
        key_headers = [name for name, value in request.headers.items() if API_KEY in value]
        needs_key = subject.harness.row.get("api_key_var")
        expect(key_headers or not needs_key, "the configured key in a header", "no header has it")
        expect(API_KEY not in request.path, "no key in the address", "the key is part of it")

    @rule("Refuse it before anything is sent, with InvalidRequestError; `BaseLLMProvider` does so.", preconditions=())
    async def test_a_blank_prompt_is_refused_at_the_door(self, subject: ProviderUnderTest) -> None:
        """Nothing is sent for a prompt that asks nothing, by `generate` or by `stream`."""
        await _expect_refusal(subject, "a blank prompt", "   ")
        await _expect_refusal(subject, "an empty conversation", [])

    @rule("Refuse it before anything is sent, with InvalidRequestError; `BaseLLMProvider` does so.", preconditions=())
    async def test_bad_limits_are_refused_at_the_door(self, subject: ProviderUnderTest) -> None:
        """Nothing is sent with a limit or a temperature that cannot be meant."""
        await _expect_refusal(subject, "max_tokens=0", "ping", max_tokens=0)
        await _expect_refusal(subject, "temperature=-1.0", "ping", temperature=-1.0)
        await _expect_refusal(subject, "temperature=nan", "ping", temperature=float("nan"))

    @rule("Ask `if temperature is not None`, never `if temperature` or `temperature or 0.7`.")
    async def test_a_zero_temperature_is_a_temperature(self, subject: ProviderUnderTest) -> None:
        """0 is a value and None is unset: both are taken, and 0 is sent as 0."""
        zero = await subject.generate(temperature=0)
        temperatures = [value for request in subject.sent_requests for value in _values_of("temperature", request.json)]
        expect(all(value == 0 for value in temperatures), "a temperature of 0 in the request", f"{temperatures!r}")
        unset = await subject.generate(temperature=None)
        expect(zero.content and unset.content, "an answer to both", "an empty one")

    @rule('Give the response one `Attempt` in `attempts`, with the outcome "answered".')
    async def test_the_ledger_has_one_line(self, subject: ProviderUnderTest) -> None:
        """Every answer says what was asked of whom."""
        attempts = (await subject.generate()).attempts
        expect(len(attempts) == 1, "one line in `attempts`", f"{len(attempts)}")
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
            report_broken(f"{method}() with {description} raises InvalidRequestError", "it did not")
    expect(not subject.sent_requests, "nothing is sent", f"{len(subject.sent_requests)} requests were sent")


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
