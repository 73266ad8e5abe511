"""`faultmaven doctor`: each misconfiguration is found, and the way to mend it is told."""

import asyncio
import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faultmaven import (
    AuthenticationError,
    LLMError,
    MalformedResponseError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RejectedRequestError,
    WrongEndpointError,
    open_container,
)
from faultmaven.cli.commands.doctor import gather, probe_all
from faultmaven.cli.diagnosis import ProviderFacts, is_placeholder
from faultmaven.cli.probe import USUAL_PORTS, Probed, judge, listening, probe
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.testing import FakeProvider

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab, RunCli

KEY = "Zq7wXk2pLm9vRt4y"
TWO = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A loopback port where nothing listens; it stays taken for the test, so that nobody else opens it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def examine(run_cli: "RunCli", *arguments: str, env: Mapping[str, str]) -> dict[str, Any]:
    result = run_cli("doctor", "--json", *arguments, env=env)
    told: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if told["healthy"] else 1)
    return told


def findings_of(told: Mapping[str, Any], subject: str) -> list[tuple[str, str]]:
    return [
        (found["severity"], f"{found['text']} | {found['remedy']}")
        for found in told["findings"]
        if found["subject"] == subject
    ]


def test_two_providers_are_healthy(run_cli: "RunCli") -> None:
    told = examine(run_cli, env=TWO)
    assert told == {"healthy": True, "chain": ["openai", "anthropic"], "findings": []}
    assert "Nothing wrong was found." in run_cli("doctor", env=TWO).stdout


def test_nothing_configured_is_a_problem_that_names_the_variables(run_cli: "RunCli") -> None:
    [(severity, text)] = findings_of(examine(run_cli, env={}), "configuration")
    assert severity == "problem"
    assert "OPENAI_API_KEY" in text


def test_every_fault_at_opening_is_a_finding(run_cli: "RunCli") -> None:
    env = TWO | {"CHAT_PROVIDER": "opneai", "LLM_FALLBACK_CHAIN": "gorq"}
    told = examine(run_cli, env=env)
    assert [severity for severity, _ in findings_of(told, "configuration")] == ["problem", "problem"]
    assert "CHAT_PROVIDER" in told["findings"][0]["text"]
    assert "LLM_FALLBACK_CHAIN" in told["findings"][1]["text"]


def test_a_single_fault_keeps_its_advice(run_cli: "RunCli") -> None:
    env = TWO | {"OPENAI_API_BASE": "localhost:8000"}
    [(severity, text)] = findings_of(examine(run_cli, env=env), "configuration")
    assert severity == "problem"
    assert "OPENAI_API_BASE" in text
    assert "http://" in text


def test_a_fault_of_the_environment_comes_with_its_remedy(run_cli: "RunCli") -> None:
    told = examine(run_cli, env=TWO | {"FAULTMAVEN_ENV": "../elsewhere"})
    [found] = told["findings"]
    assert "FAULTMAVEN_ENV" in found["text"]
    assert "staging" in found["remedy"]


def test_a_warning_of_the_registry_is_a_finding(run_cli: "RunCli") -> None:
    [(severity, text)] = findings_of(examine(run_cli, env=TWO | {"HF_TOKEN": "x"}), "configuration")
    assert severity == "warning"
    assert "HUGGINGFACE_API_KEY" in text


# Variables on top of two providers, whom the finding is about, how bad it is, and a part of what it says.
MISCONFIGURATIONS = {
    "an example's key": ({"OPENAI_API_KEY": "your-openai-api-key"}, "openai", "problem", "OPENAI_API_KEY holds a pl"),
    "a route in the base URL": (
        {"OPENAI_API_BASE": "https://host.invalid/v1/chat/completions"},
        "openai",
        "problem",
        "Take /chat/completions off OPENAI_API_BASE",
    ),
    "a query in the base URL": (
        {"OPENAI_API_BASE": "https://host.invalid/v1?api-version=1"},
        "configuration",
        "problem",
        "no ? and no #",
    ),
    "a local server without address": (
        {"LLM_FALLBACK_CHAIN": "ollama,openai"},
        "ollama",
        "note",
        "Set OLLAMA_API_BASE",
    ),
    "a chain entry that is not configured": (
        {"LLM_FALLBACK_CHAIN": "groq,openai"},
        "LLM_FALLBACK_CHAIN",
        "warning",
        "GROQ_API_KEY is not set",
    ),
    "strict with a chain": (
        {"STRICT_PROVIDER_MODE": "true", "LLM_FALLBACK_CHAIN": "anthropic"},
        "STRICT_PROVIDER_MODE",
        "warning",
        "LLM_FALLBACK_CHAIN has no effect",
    ),
    "a deadline below the request timeout": (
        {"LLM_DEADLINE": "10", "LLM_REQUEST_TIMEOUT": "20"},
        "LLM_DEADLINE",
        "warning",
        "Raise LLM_DEADLINE",
    ),
    "a deadline below a row's timeout": ({"LLM_DEADLINE": "10"}, "LLM_DEADLINE", "note", "openai"),
    "a threshold above all": (
        {"LLM_CONFIDENCE_THRESHOLD": "0.95"},
        "LLM_CONFIDENCE_THRESHOLD",
        "warning",
        "below it",
    ),
    # wire/ai21.md, Status; wire/openai-chat.md 9.5
    "AI21's key": ({"AI21_API_KEY": KEY}, "AI21_API_KEY", "note", "retired on 2026-08-09"),
    "Perplexity's key": ({"PERPLEXITY_API_KEY": KEY}, "PERPLEXITY_API_KEY", "note", "v1/agent"),
}


@pytest.mark.parametrize(("more", "subject", "severity", "told"), MISCONFIGURATIONS.values(), ids=MISCONFIGURATIONS)
def test_a_misconfiguration_is_found(
    run_cli: "RunCli", more: dict[str, str], subject: str, severity: str, told: str
) -> None:
    report = examine(run_cli, env=TWO | more)
    [(found, text)] = findings_of(report, subject)
    assert found == severity
    assert told in text
    assert report["healthy"] is (severity == "note")


def test_a_chain_of_one_is_a_note_unless_strict_mode_wants_it(run_cli: "RunCli") -> None:
    one = {"OPENAI_API_KEY": KEY}
    [(severity, text)] = findings_of(examine(run_cli, env=one), "chain")
    assert severity == "note"
    assert "openai is the only one" in text
    assert findings_of(examine(run_cli, env=one | {"STRICT_PROVIDER_MODE": "true"}), "chain") == []


def test_a_deadline_that_covers_every_timeout_is_no_finding(run_cli: "RunCli") -> None:
    env = TWO | {"LLM_DEADLINE": "20", "LLM_REQUEST_TIMEOUT": "20"}
    assert examine(run_cli, env=env)["findings"] == []


def test_the_worst_comes_first(run_cli: "RunCli") -> None:
    env = {"OPENAI_API_KEY": "your-key", "AI21_API_KEY": KEY, "HF_TOKEN": KEY}
    severities = [found["severity"] for found in examine(run_cli, env=env)["findings"]]
    assert severities == ["problem", "warning", "note", "note"]


@pytest.mark.parametrize("key", ["your-anthropic-api-key", "<key>", "changeme", "YOUR_KEY"])
def test_a_placeholder_is_recognised(key: str) -> None:
    assert is_placeholder(key)
    assert not is_placeholder(KEY)


def test_without_probe_nothing_is_sent(lab: "GuardedLab", run_cli: "RunCli") -> None:
    told = examine(run_cli, env=lab.here("openai", "anthropic"))
    assert told["healthy"]
    assert lab.requests == []


def test_probe_asks_each_configured_provider_once_at_the_list_route(lab: "GuardedLab", run_cli: "RunCli") -> None:
    told = examine(run_cli, "--probe", env=lab.here("openai", "anthropic", "gemini"))
    asked = sorted((request.provider, request.method, request.path) for request in lab.requests)
    # wire/README.md, probe
    assert asked == [
        ("anthropic", "GET", "/v1/models"),
        ("gemini", "GET", "/v1beta/models"),
        ("openai", "GET", "/v1/models"),
    ]
    assert told["healthy"]
    assert [severity for name in ("openai", "anthropic", "gemini") for severity, _ in findings_of(told, name)] == [
        "ok",
        "ok",
        "ok",
    ]


def test_probe_recognises_a_wrong_key(lab: "GuardedLab", run_cli: "RunCli") -> None:
    env = lab.here("openai", "anthropic") | {"OPENAI_API_KEY": KEY}
    told = examine(run_cli, "--probe", env=env)
    [(severity, text)] = findings_of(told, "openai")
    assert severity == "problem"
    assert "HTTP 401" in text
    assert "Verify that OPENAI_API_KEY is correct and has proper permissions." in text
    assert findings_of(told, "anthropic")[0][0] == "ok"
    assert KEY[:8] not in json.dumps(told)


def test_probe_recognises_a_wrong_path(lab: "GuardedLab", run_cli: "RunCli") -> None:
    env = lab.here("openai", "anthropic") | {"OPENAI_API_BASE": f"{lab.address}/openai"}
    [(severity, text)] = findings_of(examine(run_cli, "--probe", env=env), "openai")
    assert severity == "problem"
    assert "HTTP 404" in text
    assert "Check if OPENAI_API_BASE is set correctly." in text


def test_probe_recognises_an_unknown_model_and_names_the_nearest(lab: "GuardedLab", run_cli: "RunCli") -> None:
    env = lab.here("openai", "anthropic") | {"OPENAI_MODEL": "gpt-6.2-sool"}
    [(severity, text)] = findings_of(examine(run_cli, "--probe", env=env), "openai")
    assert severity == "problem"
    assert "gpt-6.2-sool" in text
    assert "the nearest is gpt-6.2-sol |" in text
    assert "OPENAI_MODEL" in text


def test_probe_recognises_a_refused_port_and_names_the_usual_ones(
    lab: "GuardedLab", run_cli: "RunCli", closed_port: int
) -> None:
    env = lab.here("openai") | {"VLLM_API_BASE": f"http://127.0.0.1:{closed_port}/v1"}
    [(severity, text)] = findings_of(examine(run_cli, "--probe", env=env), "vllm")
    assert severity == "problem"
    assert "the connection was refused" in text
    for port in ("11434", "8000", "1234", "9931", "8080", "3000"):
        assert port in text
    assert "VLLM_API_BASE" in text


def test_a_refused_address_far_away_is_told_without_local_ports(closed_port: int) -> None:
    facts = ProviderFacts("openai", "https://host.invalid/v1", base_url_var="OPENAI_API_BASE")
    refused = ProviderUnavailableError("the connection was refused", phase="connect", advice="Check the address.")
    [finding] = judge(Probed(facts, error=refused), {})
    assert (finding.severity, finding.remedy) == ("problem", "Check the address.")
    assert "11434" not in finding.text


def test_any_row_at_a_loopback_address_is_a_server_of_ones_own() -> None:
    facts = ProviderFacts("openai", "http://localhost:8001/v1", base_url_var="OPENAI_API_BASE")
    [finding] = judge(Probed(facts, error=ProviderUnavailableError("refused", phase="connect")), {})
    assert "11434 Ollama" in finding.text


def test_the_usual_port_that_answers_is_named() -> None:
    facts = ProviderFacts("vllm", "http://localhost:8001/v1", base_url_var="VLLM_API_BASE", is_local=True)
    refused = ProviderUnavailableError("the connection was refused", phase="connect")
    [finding] = judge(Probed(facts, error=refused), {"localhost": [11434]})
    assert "11434 answers (Ollama)" in finding.text
    [silent] = judge(Probed(facts, error=refused), {"localhost": []})
    assert "none of them answers" in silent.text
    assert "Start the server" in silent.remedy


async def test_listening_tells_open_ports_from_closed_ones(closed_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        opened = server.getsockname()[1]
        assert await listening("127.0.0.1", [closed_port, opened]) == [opened]


def test_the_usual_ports_are_those_of_the_wire_reference() -> None:
    """openai-chat.md 9.1 and llamacpp-completion.md 1."""
    assert set(USUAL_PORTS) == {11434, 8000, 1234, 9931, 8080, 3000}


OPENAI = ProviderFacts(
    "openai",
    "https://api.openai.com/v1",
    "OPENAI_API_BASE",
    "OPENAI_MODEL",
    "OPENAI_API_KEY",
    "openai-chat/openai",
    models=("gpt-6.2-sol",),
)
ELSEWHERE = ProviderFacts("openai", "https://gate.invalid/v1", "OPENAI_API_BASE", address_is_set=True)
FIREWORKS = ProviderFacts("fireworks", "https://api.fireworks.ai/inference/v1", dialect="openai-chat/fireworks")

JUDGED = {
    "a missing list route is no failure": (OPENAI, WrongEndpointError("no route", status=404), "note"),
    "a missing route at an address that was set": (ELSEWHERE, WrongEndpointError("no route", status=404), "problem"),
    "a redirect": (OPENAI, WrongEndpointError("elsewhere", status=307), "problem"),
    "a list route that refuses the question": (ELSEWHERE, RejectedRequestError("refused", status=400), "note"),
    "a rate limit shows a good key": (OPENAI, RateLimitError("busy", status=429), "note"),
    "no credit": (OPENAI, QuotaExceededError("no credit", status=402), "problem"),
    "a wrong key": (OPENAI, AuthenticationError("wrong key", status=401), "problem"),
    "a page instead of JSON": (ELSEWHERE, MalformedResponseError("HTML", status=200), "problem"),
    "no answer in time": (OPENAI, ProviderTimeoutError("late", phase="first byte"), "problem"),
    "a vendor in trouble": (OPENAI, ProviderUnavailableError("trouble", status=500), "problem"),
    "Fireworks' list route in trouble (openai-chat.md 9.5)": (
        FIREWORKS,
        ProviderUnavailableError("trouble", status=500),
        "note",
    ),
}


@pytest.mark.parametrize(("facts", "error", "severity"), JUDGED.values(), ids=JUDGED)
def test_an_error_of_the_list_route_is_judged(facts: ProviderFacts, error: LLMError, severity: str) -> None:
    [finding] = judge(Probed(facts, error=error), {})
    assert (finding.subject, finding.severity) == (facts.name, severity)


@pytest.mark.parametrize(
    ("model", "dialect", "listed", "severity"),
    [
        ("qwen3", "ollama-native", ("qwen3:latest",), "ok"),  # ollama-native.md 7.3
        ("qwen3:8b", "ollama-native", ("qwen3:latest",), "problem"),
        ("qwen3:8b", "openai-chat/vllm", ("qwen3",), "problem"),
        ("openai/gpt-oss-120b:fastest", "openai-chat/huggingface", ("openai/gpt-oss-120b",), "ok"),
        ("my-deployment", "openai-chat/azure", ("gpt-6.2-sol",), "note"),
        ("accounts/fireworks/models/x", "openai-chat/fireworks", ("accounts/fireworks/models/y",), "note"),
        ("m", "llamacpp-completion", ("m.gguf",), "note"),  # llamacpp-completion.md 7.4
        ("gpt-6.2-sol", "openai-chat/openai", (), "note"),
    ],
)
def test_a_model_is_compared_with_the_list_as_its_vendor_names_models(
    model: str, dialect: str, listed: tuple[str, ...], severity: str
) -> None:
    facts = ProviderFacts("x", "http://localhost:1", dialect=dialect, models=(model,), model_var="X_MODEL")
    [finding] = judge(Probed(facts, models=listed), {})
    assert finding.severity == severity


def test_a_local_server_without_any_model_is_a_problem() -> None:
    facts = ProviderFacts("vllm", "http://localhost:8000/v1", is_local=True, model_var="VLLM_MODEL")
    [finding] = judge(Probed(facts, models=()), {})
    assert finding.severity == "problem"
    assert "VLLM_MODEL" in finding.remedy


async def test_a_class_without_a_list_route_is_not_asked() -> None:
    probed = await probe(OPENAI, object(), SystemClock())
    [finding] = judge(probed, {})
    assert finding.severity == "note"
    assert "cannot be probed without cost" in finding.text


async def test_what_a_foreign_class_raises_is_told_by_its_type_alone() -> None:
    class Foreign:
        async def list_models(self, timeout: float) -> list[str]:
            raise ValueError(f"the key {KEY} is bad")

    [finding] = judge(await probe(OPENAI, Foreign(), SystemClock()), {})
    assert finding.severity == "problem"
    assert "ValueError" in finding.text
    assert KEY not in f"{finding}"


async def test_a_foreign_class_that_hangs_is_given_up() -> None:
    class Hanging:
        async def list_models(self, timeout: float) -> list[str]:
            await asyncio.Event().wait()
            return []

    [finding] = judge(await probe(OPENAI, Hanging(), SystemClock(), 0.02), {})
    assert finding.severity == "problem"


async def test_all_are_probed_at_once() -> None:
    """Each fake answers only when the other was asked too."""
    meeting = asyncio.Barrier(2)

    class Meeting(FakeProvider):
        async def list_models(self, timeout: float) -> list[str]:
            async with asyncio.timeout(5):
                await meeting.wait()
            return ["fake-model"]

    async with open_container(providers={"one": Meeting(), "other": Meeting()}) as container:
        findings = await probe_all(container, gather(container))
    assert [finding.severity for finding in findings] == ["ok", "ok"]


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_without_no_color(
    process_env: dict[str, str], tmp_path: Path, more: dict[str, str], coloured: bool
) -> None:
    ours, theirs = pty.openpty()
    env = process_env | {"TERM": "xterm-256color"} | more
    subprocess.run(
        [sys.executable, "-m", "faultmaven.cli", "doctor"],
        env=env,
        stdout=theirs,
        check=False,
        timeout=30,
        cwd=tmp_path,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "no provider is configured" in shown
    assert bool(re.search(r"\x1b\[3\dm", shown)) is coloured


def test_the_text_tells_problem_remedy_and_verdict(run_cli: "RunCli") -> None:
    result = run_cli("doctor", env=TWO | {"OPENAI_API_KEY": "your-key"})
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "problem  openai: OPENAI_API_KEY holds a placeholder",
        "  Put the real key in its place.",
    ]
    assert "1 thing is wrong." in result.stdout
    assert "\x1b" not in result.stdout


def test_every_mistake_is_found_in_one_round(run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / "rows.toml").write_text('[providers.groq]\nmodel_var = "GROQ_MODEL"\n')
    wrong = {
        "LLM_DEDLINE": "1",
        "LLM_DEADLINE": "soon",
        "OPENAI_API_KEY": "a b",
        "CHAT_PROVIDER": "opnai",
        "GROQ_API_BASE": "nope",
        "LLM_PROVIDERS_FILE": "rows.toml",
    }
    report = examine(run_cli, env=wrong)
    told = "\n".join(finding["text"] for finding in report["findings"])
    for expected in (
        "LLM_DEDLINE (process environment) is unknown",
        "LLM_DEADLINE (process environment): must be a number",
        "OPENAI_API_KEY (process environment) is no key",
        "CHAT_PROVIDER (process environment) names an unknown provider 'opnai'",
        "GROQ_API_BASE (process environment) is no address",
        "provider 'groq' stands in two sources",
        "'provider_class' is missing",
    ):
        assert expected in told


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize("probe", [(), ("--probe",)])
def test_no_secret_is_shown(run_cli: "RunCli", more: tuple[str, ...], probe: tuple[str, ...]) -> None:
    planted = "Zq7wXk2pLm9vRt4yBn6c"
    env = {
        "OPENAI_API_KEY": planted,
        "OPENAI_API_BASE": f"http://me:{planted}@127.0.0.1:9/v1",
        "GROQ_API_KEY": f"{planted} with a space",
        "LLM_DEADLINE": planted,
    }
    for variables in (env, {name: value for name, value in env.items() if name.startswith("OPENAI")}):
        result = run_cli("doctor", *probe, *more, env=variables)
        assert result.exit_code == 1 or not probe
        assert planted[:8] not in result.output
