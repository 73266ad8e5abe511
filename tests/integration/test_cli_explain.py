"""`faultmaven explain`: the command prints the plan that the API returns, and sends no request."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from faultmaven import create_container

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab, RunCli

ENV = {
    "OPENAI_API_KEY": "k",
    "GROQ_API_KEY": "k",
    "ANTHROPIC_API_KEY": "k",
    "CHAT_PROVIDER": "openai",
    "LLM_FALLBACK_CHAIN": "mistral,groq",
}


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("--deadline", "20", "--hedge-after", "3"), {"deadline": 20.0, "hedge_after": 3.0}),
        (("--model", "openai/gpt-oss-20b", "--role", "code"), {"model": "openai/gpt-oss-20b", "role": "code"}),
        (("--provider", "groq", "--max-tokens", "10"), {"provider": "groq", "max_tokens": 10}),
    ],
)
def test_explain_prints_plan_of_the_api(run_cli: "RunCli", arguments: tuple[str, ...], options: dict[str, Any]) -> None:
    plan = create_container(ENV).explain("Why?", **options)
    result = run_cli("explain", "Why?", *arguments, env=ENV)
    assert (result.exit_code, result.stdout) == (0, f"{plan}\n")
    as_json = run_cli("explain", "Why?", *arguments, "--json", env=ENV)
    assert (as_json.exit_code, json.loads(as_json.stdout)) == (0, plan.as_object())


def test_explain_lists_candidates_and_skip_reasons(run_cli: "RunCli") -> None:
    lines = run_cli("explain", env=ENV).stdout.splitlines()
    assert lines[:5] == [
        "deadline 120 s for the whole call",
        "1. openai (gpt-6.2-sol): share 110 s, each attempt 110 s at most, 3 retries",
        "2. groq (openai/gpt-oss-120b): share 10 s, each attempt 10 s at most, 3 retries",
        "-  mistral: named in the chain, but MISTRAL_API_KEY is not set",
        "-  anthropic: not in LLM_FALLBACK_CHAIN",
    ]
    strict = run_cli("explain", env=ENV | {"STRICT_PROVIDER_MODE": "true"}).stdout
    assert "-  groq: strict mode: only the primary is tried (STRICT_PROVIDER_MODE)\n" in strict


def test_explain_writes_configuration_warnings_to_stderr(run_cli: "RunCli") -> None:
    env = ENV | {"LLM_BREAKER_WINDWO": "0"}
    result = run_cli("explain", env=env)
    assert result.stdout == run_cli("explain", env=ENV).stdout
    assert result.stderr == (
        "warning: LLM_BREAKER_WINDWO (process environment) is unknown; did you mean 'LLM_BREAKER_WINDOW'?\n"
    )
    as_json = run_cli("explain", "--json", env=env)
    assert (as_json.stderr, json.loads(as_json.stdout)) == ("", create_container(ENV).explain("ping").as_object())


def test_explain_sends_no_request(lab: "GuardedLab", run_cli: "RunCli") -> None:
    assert run_cli("explain", "Why?", env=lab.local_env("openai", "ollama")).exit_code == 0
    assert lab.requests == []


def test_explain_without_providers_succeeds_with_advice(run_cli: "RunCli") -> None:
    result = run_cli("explain")
    assert result.exit_code == 0
    assert "no provider would be tried" in result.stdout
    assert "not configured: openai, anthropic, gemini, " in result.stdout
    assert result.stderr == "`faultmaven doctor` lists the variables to set.\n"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("--provider", "gorq"), 1, "'groq'"),
        (("--provider", "xai"), 1, "XAI_API_KEY is not set"),
        (("--role", "cdoe"), 2, "'code'"),
        (("--deadline", "0"), 2, "--deadline"),
        ((" ",), 2, "blank"),
    ],
)
def test_explain_reports_invalid_options(
    run_cli: "RunCli", arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    result = run_cli("explain", *arguments, env=ENV)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr
