"""Tests for the assertion helpers: a true assertion passes, a false one reports the actual result and the ledger."""

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


async def fallback_response() -> LLMResponse:
    """Return groq's response to a call whose first candidate, openai, is rate limited."""
    lab = FaultLab()
    lab.always("openai", "rate_limited_no_hint")
    env = {"LLM_MAX_RETRIES": "0"} | lab.env("openai", "groq")
    async with lab.client() as client, open_container(env, http_client=client, clock=FakeClock()) as container:
        return await container.llm().generate(PROMPT)


async def test_true_assertions_about_a_response_pass() -> None:
    response = await fallback_response()
    assert_answered_by(response, "groq")
    assert_answered_by(response, "groq", response.model)
    assert_asked(response, "openai", "groq")
    assert_outcomes(response, ("openai", RateLimitError), ("groq", "answered"))


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            lambda response: assert_answered_by(response, "openai"),
            "expected provider of the answer: openai\nactual provider of the answer: groq\n",
        ),
        (
            lambda response: assert_answered_by(response, "groq", "llama"),
            "expected provider of the answer: groq (llama)\nactual provider of the answer: groq (op",
        ),
        (
            lambda response: assert_asked(response, "groq"),
            "expected called providers: groq\nactual called providers: openai, groq\n",
        ),
        (lambda response: assert_asked(response), "expected called providers: none\n"),
        (lambda response: assert_asked(response, "groq", "openai"), "expected called providers: groq, openai\n"),
        (
            lambda response: assert_outcomes(response, ("openai", "answered")),
            "expected outcomes: openai: answered\nactual outcomes: openai: RateLimitError, groq: answered\n",
        ),
    ],
)
async def test_failed_assertion_message_ends_with_ledger(check: Callable[[LLMResponse], None], message: str) -> None:
    response = await fallback_response()
    with pytest.raises(AssertionError, match=re.escape(message)) as caught:
        check(response)
    assert str(caught.value).endswith(f"\n\n{ledger_of(response)}")


async def test_ledger_lists_attempts_without_prompt_or_key() -> None:
    table = ledger_of(await fallback_response())
    heading, *lines = table.splitlines()
    assert heading.split() == ["provider", "model", "outcome", "status", "seconds", "notes"]
    assert [line.split()[:5] for line in lines] == [
        ["openai", "gpt-6.2-sol", "RateLimitError", "429", "0.00"],
        ["groq", "openai/gpt-oss-120b", "answered", "200", "0.00"],
    ]
    assert PROMPT not in table
    assert "lab-key" not in table


async def test_ledger_of_error_lists_all_attempts() -> None:
    down = FakeProvider(ProviderUnavailableError("down"), name="down")
    also = FakeProvider(ProviderUnavailableError("down as well"), name="also")
    async with open_container(providers={"down": down, "also": also}, clock=FakeClock()) as container:
        with pytest.raises(AllProvidersFailedError) as caught:
            await container.llm().generate(PROMPT)
    assert {line.provider for line in caught.value.attempts} == {"down", "also"}
    assert_asked(caught.value, *(line.provider for line in caught.value.attempts))
    assert "ProviderUnavailableError" in ledger_of(caught.value)


async def test_skipped_provider_counts_as_not_asked() -> None:
    tired = FakeProvider(CircuitOpenError("it failed too often"), name="tired")
    async with open_container(providers={"tired": tired, "well": FakeProvider("ok")}) as container:
        response = await container.llm().generate(PROMPT)
    assert_asked(response, "well")
    assert_outcomes(response, ("tired", CircuitOpenError), ("well", "answered"))


def test_ledger_without_attempts_says_so() -> None:
    assert ledger_of(InvalidRequestError("the prompt is blank")) == "no provider was called"


@pytest.mark.parametrize("value", ["a text", None])
def test_ledger_of_refuses_other_types(value: Any) -> None:
    with pytest.raises(TypeError, match=r"has no ledger: pass an LLMResponse or an LLMError$"):
        ledger_of(value)


def test_ledger_of_exception_info_suggests_value() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        raise InvalidRequestError("no")
    with pytest.raises(TypeError, match=r"ExceptionInfo has no ledger.*, here its \.value"):
        ledger_of(caught)  # type: ignore[arg-type]
