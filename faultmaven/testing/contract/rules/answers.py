"""Rules about a prompt and its answer."""

from collections.abc import Iterator
from typing import Any

from ....domain.errors import InvalidRequestError
from ....domain.messages import Message
from ....domain.responses import LLMResponse, StopReason
from ...lab import ANSWER
from ..harness import KEY
from ..precondition import finding
from ..provider_under_test import Subject
from ..rule import broken, expect, rule

QUESTION = 'Why does my pod restart? Ünïcode, "quotes" and\na second line.'


class AnswerRules:
    """What is taken, what is sent, what comes back."""

    @rule(
        "In generate(), send the prompt to `self.config.base_url`, and return the reply's text in an LLMResponse. The"
        " rules that rest on this one are not tried before.",
        over="lab",
        rests_on=(),
    )
    def test_a_plain_prompt_is_answered(self, it: Subject) -> None:
        """A prompt is sent to the configured address, and what the vendor says comes back as an LLMResponse."""
        found = finding(type(self), it.bench, "answered")
        if found.problem:
            broken("an answer of the vendor at `self.config.base_url`", found.problem, found.cause)

    @rule("Fill every field of `LLMResponse`; `tokens_used` is None where the vendor does not count.")
    async def test_a_prompt_gets_a_whole_response(self, it: Subject) -> None:
        """Text, who answered, how it ended, how long it took and what it cost are all there and of their types."""
        response: Any = await it.ask("Why does my pod restart?")  # of anybody's making
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
        if it.given_bench:
            expect(
                response.content == ANSWER, "the vendor's text", f"another one of {len(response.content)} characters"
            )

    @rule("Send `model` as it is; in the guide's form `self.get_effective_model(model)` returns it.")
    async def test_the_requested_model_is_the_one_that_answers(self, it: Subject) -> None:
        """A model that the caller names is sent as it is."""
        response = await it.ask(model="a-model-of-tomorrow")
        expect(response.model == "a-model-of-tomorrow", "the model 'a-model-of-tomorrow'", f"{response.model!r}")

    @rule("Take a sequence of messages as well as a string, and send every turn.")
    async def test_a_conversation_is_taken(self, it: Subject) -> None:
        """System, user and, where the form of the class carries them, assistant turns are one prompt."""
        turns = [Message.system("Be terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")]
        if it.given_bench and it.given_bench.is_guide_form:
            turns = [turns[0], turns[3]]  # such a class gets one string; earlier answers skip it
        response = await it.ask(turns)
        expect(response.content, "an answer", "an empty one")
        for request in it.sent:
            texts = "\n".join(_texts(request.json))
            missing = [turn.role for turn in turns if turn.text not in texts]
            expect(not missing, "every turn's text in the request", f"those of {', '.join(missing)} are missing")

    @rule("Send the prompt unchanged, and the limit where the caller set one.", over="lab")
    async def test_what_is_asked_is_what_is_sent(self, it: Subject) -> None:
        """The prompt reaches the vendor character by character, and so does the limit of the answer."""
        await it.ask(QUESTION, max_tokens=1234)
        expect(it.sent, "a request", "none reached the vendor")
        body = it.sent[-1].json
        told = any(QUESTION in text for text in _texts(body))
        expect(told, "the whole prompt in the request's body", "it is not there as it was written")
        expect(1234 in _numbers(body), "`max_tokens` in the request's body", "it is not there")

    @rule("Use `self.config.base_url` and `self.config.api_key`, and nothing written into the class.", over="lab")
    async def test_it_asks_its_own_address_with_its_own_key(self, it: Subject) -> None:
        """The address and the key come from the configuration; the key stands in a header, not in the address."""
        await it.ask()
        expect(it.sent, "a request below the configured base URL", "none reached the vendor")
        request = it.sent[-1]
        expect(request.provider == it.bench.name, "the configured base URL", "a request to another one")
        shown = [name for name, value in request.headers.items() if KEY in value]
        needs_key = it.bench.row.get("api_key_var")
        expect(shown or not needs_key, "the configured key in a header", "no header has it")
        expect(KEY not in request.path, "no key in the address", "the key is part of it")

    @rule("Refuse it before anything is sent, with InvalidRequestError; `BaseLLMProvider` does so.", rests_on=())
    async def test_a_blank_prompt_is_refused_at_the_door(self, it: Subject) -> None:
        """Nothing is sent for a prompt that asks nothing, by `generate` or by `stream`."""
        await _refused(it, "a blank prompt", "   ")
        await _refused(it, "an empty conversation", [])

    @rule("Refuse it before anything is sent, with InvalidRequestError; `BaseLLMProvider` does so.", rests_on=())
    async def test_bad_limits_are_refused_at_the_door(self, it: Subject) -> None:
        """Nothing is sent with a limit or a temperature that cannot be meant."""
        await _refused(it, "max_tokens=0", "ping", max_tokens=0)
        await _refused(it, "temperature=-1.0", "ping", temperature=-1.0)
        await _refused(it, "temperature=nan", "ping", temperature=float("nan"))

    @rule("Ask `if temperature is not None`, never `if temperature` or `temperature or 0.7`.")
    async def test_a_zero_temperature_is_a_temperature(self, it: Subject) -> None:
        """0 is a value and None is unset: both are taken, and 0 is sent as 0."""
        zero = await it.ask(temperature=0)
        sent = [value for request in it.sent for value in _values_of("temperature", request.json)]
        expect(all(value == 0 for value in sent), "a temperature of 0 in the request", f"{sent!r}")
        unset = await it.ask(temperature=None)
        expect(zero.content and unset.content, "an answer to both", "an empty one")

    @rule('Give the response one `Attempt` in `attempts`, with the outcome "answered".')
    async def test_the_ledger_has_one_line(self, it: Subject) -> None:
        """Every answer says what was asked of whom."""
        attempts = (await it.ask()).attempts
        expect(len(attempts) == 1, "one line in `attempts`", f"{len(attempts)}")
        expect(attempts[0].outcome == "answered", "the outcome 'answered'", f"{attempts[0].outcome!r}")


async def _refused(it: Subject, what: str, prompt: Any, **arguments: Any) -> None:
    for way in ("generate", "stream"):
        try:
            if way == "generate":
                await it.provider.generate(prompt, **arguments)
            else:
                async with it.provider.stream(prompt, **arguments):
                    pass
        except InvalidRequestError:
            pass
        else:
            broken(f"{way}() with {what} raises InvalidRequestError", "it did not")
    expect(not it.sent, "nothing is sent", f"{len(it.sent)} requests were sent")


def _walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Give every leaf of a decoded body with the name of the field that it stands in."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, name)
    else:
        yield name, value


def _texts(body: Any) -> list[str]:
    return [value for _, value in _walk(body) if isinstance(value, str)]


def _numbers(body: Any) -> list[float]:
    return [value for _, value in _walk(body) if isinstance(value, int | float)]


def _values_of(name: str, body: Any) -> list[Any]:
    return [value for field, value in _walk(body) if field == name]
