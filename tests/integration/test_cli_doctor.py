"""`faultmaven doctor`: the command finds each misconfiguration and names a remedy."""

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
from faultmaven.cli.commands.doctor import gather_facts, probe_providers
from faultmaven.cli.diagnosis import ProviderFacts, is_placeholder
from faultmaven.cli.provider_probe import (
    USUAL_PORTS,
    ProbeResult,
    diagnose_probe,
    find_open_ports,
    run_doctor_probe,
)
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.testing import FakeProvider

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab, RunCli

KEY = "Zq7wXk2pLm9vRt4y"
TWO_PROVIDERS = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A bound loopback port without a listener; the port stays bound, so that no other process can open it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def run_doctor(run_cli: "RunCli", *arguments: str, env: Mapping[str, str]) -> dict[str, Any]:
    result = run_cli("doctor", "--json", *arguments, env=env)
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if report["healthy"] else 1)
    return report


def findings_of(report: Mapping[str, Any], subject: str) -> list[tuple[str, str]]:
    return [
        (finding["severity"], f"{finding['text']} | {finding['remedy']}")
        for finding in report["findings"]
        if finding["subject"] == subject
    ]


def test_doctor_finds_two_providers_healthy(run_cli: "RunCli") -> None:
    report = run_doctor(run_cli, env=TWO_PROVIDERS)
    assert report == {"healthy": True, "chain": ["openai", "anthropic"], "findings": []}
    assert "No problem was found." in run_cli("doctor", env=TWO_PROVIDERS).stdout


def test_missing_configuration_is_problem_naming_key_variables(run_cli: "RunCli") -> None:
    [(severity, text)] = findings_of(run_doctor(run_cli, env={}), "configuration")
    assert severity == "problem"
    assert "OPENAI_API_KEY" in text


def test_every_configuration_fault_is_a_finding(run_cli: "RunCli") -> None:
    env = TWO_PROVIDERS | {"CHAT_PROVIDER": "opneai", "LLM_FALLBACK_CHAIN": "gorq"}
    report = run_doctor(run_cli, env=env)
    assert [severity for severity, _ in findings_of(report, "configuration")] == ["problem", "problem"]
    assert "CHAT_PROVIDER" in report["findings"][0]["text"]
    assert "LLM_FALLBACK_CHAIN" in report["findings"][1]["text"]


def test_single_configuration_fault_includes_advice(run_cli: "RunCli") -> None:
    env = TWO_PROVIDERS | {"OPENAI_API_BASE": "localhost:8000"}
    [(severity, text)] = findings_of(run_doctor(run_cli, env=env), "configuration")
    assert severity == "problem"
    assert "OPENAI_API_BASE" in text
    assert "http://" in text


def test_environment_name_fault_includes_remedy(run_cli: "RunCli") -> None:
    report = run_doctor(run_cli, env=TWO_PROVIDERS | {"FAULTMAVEN_ENV": "../elsewhere"})
    [finding] = report["findings"]
    assert "FAULTMAVEN_ENV" in finding["text"]
    assert "staging" in finding["remedy"]


def test_registry_warning_is_a_finding(run_cli: "RunCli") -> None:
    [(severity, text)] = findings_of(run_doctor(run_cli, env=TWO_PROVIDERS | {"HF_TOKEN": "x"}), "configuration")
    assert severity == "warning"
    assert "HUGGINGFACE_API_KEY" in text


# By case: variables added to those of two providers, then the subject, the severity and a part of the finding's text.
MISCONFIGURATIONS = {
    "a placeholder key": ({"OPENAI_API_KEY": "your-openai-api-key"}, "openai", "problem", "OPENAI_API_KEY holds a pl"),
    "a route in the base URL": (
        {"OPENAI_API_BASE": "https://host.invalid/v1/chat/completions"},
        "openai",
        "problem",
        "Remove /chat/completions from OPENAI_API_BASE",
    ),
    "a query in the base URL": (
        {"OPENAI_API_BASE": "https://host.invalid/v1?api-version=1"},
        "configuration",
        "problem",
        "no ? and no #",
    ),
    "a local server without an address": (
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
    "strict mode with a fallback chain": (
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
    "a confidence threshold above every provider": (
        {"LLM_CONFIDENCE_THRESHOLD": "0.95"},
        "LLM_CONFIDENCE_THRESHOLD",
        "warning",
        "below the threshold (0.95)",
    ),
    # wire/ai21.md, Status; wire/openai-chat.md 9.5
    "AI21's key": ({"AI21_API_KEY": KEY}, "AI21_API_KEY", "note", "retired on 2026-08-09"),
    "Perplexity's key": ({"PERPLEXITY_API_KEY": KEY}, "PERPLEXITY_API_KEY", "note", "v1/agent"),
}


@pytest.mark.parametrize(
    ("variables", "subject", "severity", "expected_text"), MISCONFIGURATIONS.values(), ids=MISCONFIGURATIONS
)
def test_doctor_finds_each_misconfiguration(
    run_cli: "RunCli", variables: dict[str, str], subject: str, severity: str, expected_text: str
) -> None:
    report = run_doctor(run_cli, env=TWO_PROVIDERS | variables)
    [(found_severity, text)] = findings_of(report, subject)
    assert found_severity == severity
    assert expected_text in text
    assert report["healthy"] is (severity == "note")


def test_single_provider_chain_is_note_unless_strict(run_cli: "RunCli") -> None:
    one = {"OPENAI_API_KEY": KEY}
    [(severity, text)] = findings_of(run_doctor(run_cli, env=one), "chain")
    assert severity == "note"
    assert "openai is the only provider of the chain" in text
    assert findings_of(run_doctor(run_cli, env=one | {"STRICT_PROVIDER_MODE": "true"}), "chain") == []


def test_deadline_equal_to_timeout_is_no_finding(run_cli: "RunCli") -> None:
    env = TWO_PROVIDERS | {"LLM_DEADLINE": "20", "LLM_REQUEST_TIMEOUT": "20"}
    assert run_doctor(run_cli, env=env)["findings"] == []


def test_findings_are_sorted_by_severity(run_cli: "RunCli") -> None:
    env = {"OPENAI_API_KEY": "your-key", "AI21_API_KEY": KEY, "HF_TOKEN": KEY}
    severities = [finding["severity"] for finding in run_doctor(run_cli, env=env)["findings"]]
    assert severities == ["problem", "warning", "note", "note"]


@pytest.mark.parametrize("key", ["your-anthropic-api-key", "<key>", "changeme", "YOUR_KEY"])
def test_placeholder_keys_are_recognised(key: str) -> None:
    assert is_placeholder(key)
    assert not is_placeholder(KEY)


def test_doctor_without_probe_sends_no_request(lab: "GuardedLab", run_cli: "RunCli") -> None:
    report = run_doctor(run_cli, env=lab.local_env("openai", "anthropic"))
    assert report["healthy"]
    assert lab.requests == []


def test_probe_requests_each_model_list_once(lab: "GuardedLab", run_cli: "RunCli") -> None:
    report = run_doctor(run_cli, "--probe", env=lab.local_env("openai", "anthropic", "gemini"))
    requests = sorted((request.provider, request.method, request.path) for request in lab.requests)
    # wire/README.md, probe
    assert requests == [
        ("anthropic", "GET", "/v1/models"),
        ("gemini", "GET", "/v1beta/models"),
        ("openai", "GET", "/v1/models"),
    ]
    assert report["healthy"]
    assert [severity for name in ("openai", "anthropic", "gemini") for severity, _ in findings_of(report, name)] == [
        "ok",
        "ok",
        "ok",
    ]


def test_probe_recognises_wrong_key(lab: "GuardedLab", run_cli: "RunCli") -> None:
    env = lab.local_env("openai", "anthropic") | {"OPENAI_API_KEY": KEY}
    report = run_doctor(run_cli, "--probe", env=env)
    [(severity, text)] = findings_of(report, "openai")
    assert severity == "problem"
    assert "HTTP 401" in text
    assert "Verify that OPENAI_API_KEY is correct and has proper permissions." in text
    assert findings_of(report, "anthropic")[0][0] == "ok"
    assert KEY[:8] not in json.dumps(report)


def test_probe_recognises_wrong_path(lab: "GuardedLab", run_cli: "RunCli") -> None:
    env = lab.local_env("openai", "anthropic") | {"OPENAI_API_BASE": f"{lab.address}/openai"}
    [(severity, text)] = findings_of(run_doctor(run_cli, "--probe", env=env), "openai")
    assert severity == "problem"
    assert "HTTP 404" in text
    assert "Check if OPENAI_API_BASE is set correctly." in text


def test_probe_suggests_nearest_name_for_unknown_model(lab: "GuardedLab", run_cli: "RunCli") -> None:
    env = lab.local_env("openai", "anthropic") | {"OPENAI_MODEL": "gpt-6.2-sool"}
    [(severity, text)] = findings_of(run_doctor(run_cli, "--probe", env=env), "openai")
    assert severity == "problem"
    assert "gpt-6.2-sool" in text
    assert "the nearest is gpt-6.2-sol |" in text
    assert "OPENAI_MODEL" in text


def test_probe_of_refused_port_names_usual_ports(lab: "GuardedLab", run_cli: "RunCli", closed_port: int) -> None:
    env = lab.local_env("openai") | {"VLLM_API_BASE": f"http://127.0.0.1:{closed_port}/v1"}
    [(severity, text)] = findings_of(run_doctor(run_cli, "--probe", env=env), "vllm")
    assert severity == "problem"
    assert "the connection was refused" in text
    for port in ("11434", "8000", "1234", "9931", "8080", "3000"):
        assert port in text
    assert "VLLM_API_BASE" in text


def test_refused_remote_address_names_no_local_ports(closed_port: int) -> None:
    facts = ProviderFacts("openai", "https://host.invalid/v1", base_url_var="OPENAI_API_BASE")
    refused = ProviderUnavailableError("the connection was refused", phase="connect", advice="Check the address.")
    [finding] = diagnose_probe(ProbeResult(facts, error=refused), {})
    assert (finding.severity, finding.remedy) == ("problem", "Check the address.")
    assert "11434" not in finding.text


def test_provider_at_loopback_address_counts_as_local() -> None:
    facts = ProviderFacts("openai", "http://localhost:8001/v1", base_url_var="OPENAI_API_BASE")
    [finding] = diagnose_probe(ProbeResult(facts, error=ProviderUnavailableError("refused", phase="connect")), {})
    assert "11434 Ollama" in finding.text


def test_finding_names_usual_port_that_answers() -> None:
    facts = ProviderFacts("vllm", "http://localhost:8001/v1", base_url_var="VLLM_API_BASE", is_local=True)
    refused = ProviderUnavailableError("the connection was refused", phase="connect")
    [finding] = diagnose_probe(ProbeResult(facts, error=refused), {"localhost": [11434]})
    assert "11434 answers (Ollama)" in finding.text
    [without_open_port] = diagnose_probe(ProbeResult(facts, error=refused), {"localhost": []})
    assert "none of these ports answers" in without_open_port.text
    assert "Start the server" in without_open_port.remedy


async def test_find_open_ports_returns_only_open_ports(closed_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_port = server.getsockname()[1]
        assert await find_open_ports("127.0.0.1", [closed_port, open_port]) == [open_port]


def test_usual_ports_match_wire_reference() -> None:
    """Sources: openai-chat.md 9.1 and llamacpp-completion.md 1."""
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
OPENAI_AT_CUSTOM_ADDRESS = ProviderFacts("openai", "https://gate.invalid/v1", "OPENAI_API_BASE", address_is_set=True)
FIREWORKS = ProviderFacts("fireworks", "https://api.fireworks.ai/inference/v1", dialect="openai-chat/fireworks")

LIST_ROUTE_ERRORS = {
    "a missing list route at the default address": (OPENAI, WrongEndpointError("no route", status=404), "note"),
    "a missing list route at a custom address": (
        OPENAI_AT_CUSTOM_ADDRESS,
        WrongEndpointError("no route", status=404),
        "problem",
    ),
    "a redirect": (OPENAI, WrongEndpointError("elsewhere", status=307), "problem"),
    "a list route that rejects the request": (
        OPENAI_AT_CUSTOM_ADDRESS,
        RejectedRequestError("refused", status=400),
        "note",
    ),
    "a rate limit": (OPENAI, RateLimitError("busy", status=429), "note"),
    "no credit": (OPENAI, QuotaExceededError("no credit", status=402), "problem"),
    "a wrong key": (OPENAI, AuthenticationError("wrong key", status=401), "problem"),
    "HTML instead of JSON": (OPENAI_AT_CUSTOM_ADDRESS, MalformedResponseError("HTML", status=200), "problem"),
    "a timeout": (OPENAI, ProviderTimeoutError("late", phase="first byte"), "problem"),
    "a server error": (OPENAI, ProviderUnavailableError("trouble", status=500), "problem"),
    "a server error of the Fireworks list route (openai-chat.md 9.5)": (
        FIREWORKS,
        ProviderUnavailableError("trouble", status=500),
        "note",
    ),
}


@pytest.mark.parametrize(("facts", "error", "severity"), LIST_ROUTE_ERRORS.values(), ids=LIST_ROUTE_ERRORS)
def test_list_route_error_has_expected_severity(facts: ProviderFacts, error: LLMError, severity: str) -> None:
    [finding] = diagnose_probe(ProbeResult(facts, error=error), {})
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
def test_model_lookup_follows_vendor_naming(model: str, dialect: str, listed: tuple[str, ...], severity: str) -> None:
    facts = ProviderFacts("x", "http://localhost:1", dialect=dialect, models=(model,), model_var="X_MODEL")
    [finding] = diagnose_probe(ProbeResult(facts, models=listed), {})
    assert finding.severity == severity


def test_local_server_without_models_is_problem() -> None:
    facts = ProviderFacts("vllm", "http://localhost:8000/v1", is_local=True, model_var="VLLM_MODEL")
    [finding] = diagnose_probe(ProbeResult(facts, models=()), {})
    assert finding.severity == "problem"
    assert "VLLM_MODEL" in finding.remedy


async def test_provider_without_list_route_is_not_probed() -> None:
    probed = await run_doctor_probe(OPENAI, object(), SystemClock())
    [finding] = diagnose_probe(probed, {})
    assert finding.severity == "note"
    assert "cannot be probed without cost" in finding.text


async def test_third_party_exception_shows_only_type() -> None:
    class RaisingProvider:
        async def list_models(self, timeout: float) -> list[str]:
            raise ValueError(f"the key {KEY} is bad")

    [finding] = diagnose_probe(await run_doctor_probe(OPENAI, RaisingProvider(), SystemClock()), {})
    assert finding.severity == "problem"
    assert "ValueError" in finding.text
    assert KEY not in f"{finding}"


async def test_hanging_third_party_probe_times_out() -> None:
    class HangingProvider:
        async def list_models(self, timeout: float) -> list[str]:
            await asyncio.Event().wait()
            return []

    [finding] = diagnose_probe(await run_doctor_probe(OPENAI, HangingProvider(), SystemClock(), 0.02), {})
    assert finding.severity == "problem"


async def test_providers_are_probed_concurrently() -> None:
    """Each fake answers only after the other fake has received its probe, too."""
    barrier = asyncio.Barrier(2)

    class BarrierProvider(FakeProvider):
        async def list_models(self, timeout: float) -> list[str]:
            async with asyncio.timeout(5):
                await barrier.wait()
            return ["fake-model"]

    async with open_container(providers={"one": BarrierProvider(), "other": BarrierProvider()}) as container:
        findings = await probe_providers(container, gather_facts(container))
    assert [finding.severity for finding in findings] == ["ok", "ok"]


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_doctor_colours_respect_no_color(
    process_env: dict[str, str], tmp_path: Path, variables: dict[str, str], coloured: bool
) -> None:
    controller, terminal = pty.openpty()
    env = process_env | {"TERM": "xterm-256color"} | variables
    subprocess.run(
        [sys.executable, "-m", "faultmaven.cli", "doctor"],
        env=env,
        stdout=terminal,
        check=False,
        timeout=30,
        cwd=tmp_path,
    )
    os.close(terminal)
    output = os.read(controller, 65536).decode()
    os.close(controller)
    assert "no provider is configured" in output
    assert bool(re.search(r"\x1b\[3\dm", output)) is coloured


def test_text_output_shows_problem_remedy_and_summary(run_cli: "RunCli") -> None:
    result = run_cli("doctor", env=TWO_PROVIDERS | {"OPENAI_API_KEY": "your-key"})
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "problem  openai: OPENAI_API_KEY holds a placeholder",
        "  Replace the placeholder with the real key.",
    ]
    assert "1 finding needs a fix." in result.stdout
    assert "\x1b" not in result.stdout


def test_doctor_reports_all_mistakes_in_one_run(run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / "rows.toml").write_text('[providers.groq]\nmodel_var = "GROQ_MODEL"\n')
    wrong = {
        "LLM_DEDLINE": "1",
        "LLM_DEADLINE": "soon",
        "OPENAI_API_KEY": "a b",
        "CHAT_PROVIDER": "opnai",
        "GROQ_API_BASE": "nope",
        "LLM_PROVIDERS_FILE": "rows.toml",
    }
    report = run_doctor(run_cli, env=wrong)
    text = "\n".join(finding["text"] for finding in report["findings"])
    for expected in (
        "LLM_DEDLINE (process environment) is unknown",
        "LLM_DEADLINE (process environment): must be a number",
        "OPENAI_API_KEY (process environment) is not a key",
        "CHAT_PROVIDER (process environment) names an unknown provider 'opnai'",
        "GROQ_API_BASE (process environment) is not an address",
        "provider 'groq' is defined in two sources",
        "'provider_class' is missing",
    ):
        assert expected in text


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("probe_options", [(), ("--probe",)])
def test_doctor_output_contains_no_secret(
    run_cli: "RunCli", options: tuple[str, ...], probe_options: tuple[str, ...]
) -> None:
    secret = "Zq7wXk2pLm9vRt4yBn6c"
    env = {
        "OPENAI_API_KEY": secret,
        "OPENAI_API_BASE": f"http://me:{secret}@127.0.0.1:9/v1",
        "GROQ_API_KEY": f"{secret} with a space",
        "LLM_DEADLINE": secret,
    }
    for variables in (env, {name: value for name, value in env.items() if name.startswith("OPENAI")}):
        result = run_cli("doctor", *probe_options, *options, env=variables)
        assert result.exit_code == 1 or not probe_options
        assert secret[:8] not in result.output
