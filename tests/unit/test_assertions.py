"""The assertion helpers pass what is so, and say what was and why where it is not."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from faultmaven import (
    AllProvidersFailedError,
    CircuitOpenError,
    InvalidRequestError,
    LLMResponse,
    ProviderUnavailableError,
    RateLimitError,
    open_container,
)
from faultmaven.testing import (
    FakeClock,
    FakeProvider,
    FaultLab,
    assert_answered_by,
    assert_asked,
    assert_outcomes,
    ledger_of,
)

PROMPT = "a prompt that must not be seen"


async def fell_back() -> LLMResponse:
    """Return groq's answer after openai's refusal."""
    lab = FaultLab()
    lab.always("openai", "rate_limited_no_hint")
    env = {"LLM_MAX_RETRIES": "0"} | lab.env("openai", "groq")
    async with lab.client() as client, open_container(env, http_client=client, clock=FakeClock()) as container:
        return await container.llm().generate(PROMPT)


async def test_what_is_so_passes() -> None:
    response = await fell_back()
    assert_answered_by(response, "groq")
    assert_answered_by(response, "groq", response.model)
    assert_asked(response, "openai", "groq")
    assert_outcomes(response, ("openai", RateLimitError), ("groq", "answered"))


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (lambda it: assert_answered_by(it, "openai"), "expected an answer by openai\nbut it was groq\n"),
        (lambda it: assert_answered_by(it, "groq", "llama"), "expected an answer by groq (llama)\nbut it was groq (op"),
        (lambda it: assert_asked(it, "groq"), "expected to ask groq\nbut it was openai, groq\n"),
        (lambda it: assert_asked(it), "expected to ask nobody\n"),
        (lambda it: assert_asked(it, "groq", "openai"), "expected to ask groq, openai\n"),
        (
            lambda it: assert_outcomes(it, ("openai", "answered")),
            "expected the outcomes openai: answered\nbut it was openai: RateLimitError, groq: answered\n",
        ),
    ],
)
async def test_what_is_not_so_is_told_with_the_ledger(check: Callable[[LLMResponse], None], told: str) -> None:
    response = await fell_back()
    with pytest.raises(AssertionError, match=re.escape(told)) as caught:
        check(response)
    assert str(caught.value).endswith(f"\n\n{ledger_of(response)}")


async def test_the_ledger_is_a_line_an_attempt_without_prompt_or_key() -> None:
    table = ledger_of(await fell_back())
    heading, *lines = table.splitlines()
    assert heading.split() == ["provider", "model", "outcome", "status", "seconds", "notes"]
    assert [line.split()[:5] for line in lines] == [
        ["openai", "gpt-6.2-sol", "RateLimitError", "429", "0.00"],
        ["groq", "openai/gpt-oss-120b", "answered", "200", "0.00"],
    ]
    assert PROMPT not in table
    assert "lab-key" not in table


async def test_an_error_has_a_ledger_too() -> None:
    down = FakeProvider(ProviderUnavailableError("down"), name="down")
    also = FakeProvider(ProviderUnavailableError("down as well"), name="also")
    async with open_container(providers={"down": down, "also": also}, clock=FakeClock()) as container:
        with pytest.raises(AllProvidersFailedError) as caught:
            await container.llm().generate(PROMPT)
    assert {line.provider for line in caught.value.attempts} == {"down", "also"}
    assert_asked(caught.value, *(line.provider for line in caught.value.attempts))
    assert "ProviderUnavailableError" in ledger_of(caught.value)


async def test_whoever_was_left_alone_was_not_asked() -> None:
    tired = FakeProvider(CircuitOpenError("it failed too often"), name="tired")
    async with open_container(providers={"tired": tired, "well": FakeProvider("ok")}) as container:
        response = await container.llm().generate(PROMPT)
    assert_asked(response, "well")
    assert_outcomes(response, ("tired", CircuitOpenError), ("well", "answered"))


def test_nobody_asked_is_said() -> None:
    assert ledger_of(InvalidRequestError("the prompt is blank")) == "nobody was asked"


@pytest.mark.parametrize("given", ["a text", None])
def test_what_has_no_ledger_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"has no ledger: give an LLMResponse or an LLMError$"):
        ledger_of(given)


def test_a_caught_error_is_asked_for_its_value() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        raise InvalidRequestError("no")
    with pytest.raises(TypeError, match=r"ExceptionInfo has no ledger.*; give its \.value"):
        ledger_of(caught)  # type: ignore[arg-type]
