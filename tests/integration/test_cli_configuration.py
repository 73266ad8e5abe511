"""`faultmaven providers` and `faultmaven config`: tables, JSON, sources of values, checks and hidden secrets."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA

if TYPE_CHECKING:
    from tests.integration.conftest import RunCli

KEY = "Zq7wXk2pLm9vRt4y"


def row_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.split()[:1] == [name])


def test_providers_command_lists_every_provider(run_cli: "RunCli") -> None:
    result = run_cli("providers", "--json")
    assert result.exit_code == 0
    assert {row["name"] for row in json.loads(result.stdout)} == set(PROVIDER_SCHEMA)


def test_providers_lists_fallback_chain_first(run_cli: "RunCli") -> None:
    env = {"GROQ_API_KEY": KEY, "OPENAI_API_KEY": KEY, "CHAT_PROVIDER": "groq"}
    rows = json.loads(run_cli("providers", "--json", env=env).stdout)
    assert [(row["name"], row["available"], row["position"]) for row in rows[:2]] == [
        ("groq", True, 1),
        ("openai", True, 2),
    ]
    assert not any(row["available"] for row in rows[2:])


def test_configured_providers_precede_unconfigured_ones(run_cli: "RunCli") -> None:
    env = {"MISTRAL_API_KEY": KEY, "XAI_API_KEY": KEY, "CHAT_PROVIDER": "xai", "STRICT_PROVIDER_MODE": "true"}
    rows = json.loads(run_cli("providers", "--json", env=env).stdout)
    assert [(row["name"], row["position"]) for row in rows[:2]] == [("xai", 1), ("mistral", None)]


def test_providers_table_names_missing_variables(run_cli: "RunCli") -> None:
    result = run_cli("providers", env={"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "gpt-6.1-sol"})
    assert row_of(result.stdout, "openai").split() == [
        "openai",
        "yes",
        "gpt-6.1-sol",
        "https://api.openai.com/v1",
        "1",
        "0.90",
    ]
    assert "no: GROQ_API_KEY is not set" in row_of(result.stdout, "groq")
    assert "AZURE_API_KEY and AZURE_API_BASE are not set" in row_of(result.stdout, "azure")


def test_providers_table_includes_rows_of_file(run_cli: "RunCli", tmp_path: Path) -> None:
    row = (
        '[providers.acme]\nmodel_var = "ACME_MODEL"\ndefault_base_url = "https://acme.invalid/v1"\n'
        'api_key_var = "ACME_API_KEY"\ndefault_model = "acme-1"\nprovider_class = "OpenAIProvider"\n'
        "max_retries = 1\ntimeout = 30\nconfidence_score = 0.5\n"
    )
    (tmp_path / "rows.toml").write_text(row)
    result = run_cli("providers", env={"LLM_PROVIDERS_FILE": "rows.toml", "ACME_API_KEY": KEY})
    assert row_of(result.stdout, "acme").split()[1:3] == ["yes", "acme-1"]


def test_config_shows_value_source_and_overridden_sources(run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LLM_DEADLINE=30\nOPENAI_MODEL=gpt-6.1-sol\n")
    (tmp_path / ".env.staging").write_text("LLM_DEADLINE=45\n")
    env = {"FAULTMAVEN_ENV": "staging", "LLM_DEADLINE": "60"}
    result = run_cli("config", "--json", env=env)
    entries = {entry["variable"]: entry for entry in json.loads(result.stdout)["entries"]}
    assert entries["LLM_DEADLINE"] == {
        "variable": "LLM_DEADLINE",
        "value": "60",
        "source": "process environment",
        "overrode": [".env.staging", ".env"],
        "provider": "",
    }
    assert (entries["OPENAI_MODEL"]["value"], entries["OPENAI_MODEL"]["source"]) == ("gpt-6.1-sol", ".env")
    table = run_cli("config", env=env).stdout
    assert "60" in row_of(table, "LLM_DEADLINE")
    assert ".env.staging, .env" in row_of(table, "LLM_DEADLINE")


@pytest.mark.parametrize("command", [("config",), ("config", "--json"), ("providers",), ("providers", "--json")])
def test_configuration_output_contains_no_secret(run_cli: "RunCli", command: tuple[str, ...]) -> None:
    env = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_API_BASE": "https://me:pa@ssQx81@host.invalid/v1",
        "HTTPS_PROXY": "me:pa@ssQx83@proxy.invalid:3128",
    }
    result = run_cli(*command, env=env)
    assert result.exit_code == 0
    assert "host.invalid" in result.stdout
    for secret in (KEY[:8], "Qx81", "Qx83"):
        assert secret not in result.output


def test_keys_are_shown_as_set_or_unset(run_cli: "RunCli") -> None:
    entries = json.loads(run_cli("config", "--json", env={"OPENAI_API_KEY": KEY}).stdout)["entries"]
    keys = {entry["variable"]: entry["value"] for entry in entries if entry["variable"].endswith("_API_KEY")}
    assert keys["OPENAI_API_KEY"] == "set"
    assert set(keys.values()) == {"set", "unset"}


def test_check_succeeds_without_warnings(run_cli: "RunCli") -> None:
    assert run_cli("config", "--check", env={"OPENAI_API_KEY": KEY}).exit_code == 0


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_check_fails_and_shows_warning(run_cli: "RunCli", options: Any) -> None:
    env = {"OPENAI_API_KEY": KEY, "LLM_DEADLNE": "3"}
    result = run_cli("config", "--check", *options, env=env)
    assert result.exit_code == 1
    assert "LLM_DEADLINE" in (json.loads(result.stdout)["warnings"][0] if options else result.stdout.splitlines()[-1])
    assert run_cli("config", *options, env=env).exit_code == 0


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_check_fails_and_lists_every_fault(run_cli: "RunCli", options: Any) -> None:
    env = {"LLM_DEADLINE": "soon", "CHAT_PROVIDER": "grok", "LLM_DEDLINE": "3"}
    result = run_cli("config", "--check", *options, env=env)
    assert (result.exit_code, result.stderr) == (1, "")
    report = json.loads(result.stdout) if options else {}
    faults = report.get("faults") or [line.removeprefix("fault: ") for line in result.stdout.splitlines()[:2]]
    assert faults[0] == "LLM_DEADLINE (process environment): must be a number"
    assert faults[1].startswith("CHAT_PROVIDER (process environment) names an unknown provider 'grok'; did you mean")
    warnings = report.get("warnings") or result.stdout.splitlines()[2:]
    assert len(faults) == 2
    assert len(warnings) == 1
    assert "LLM_DEDLINE (process environment) is unknown" in warnings[0]
    assert report.get("ok", False) is False


def test_faulty_values_are_hidden_in_check(run_cli: "RunCli") -> None:
    env = {"CHAT_PROVIDER": KEY, "OPENAI_API_BASE": KEY, "OPENAI_API_KEY": f"{KEY} {KEY}", "LLM_DEADLINE": "30"}
    result = run_cli("config", "--check", "--json", env=env)
    entries = {entry["variable"]: entry["value"] for entry in json.loads(result.stdout)["entries"]}
    assert {entries[name] for name in ("CHAT_PROVIDER", "OPENAI_API_BASE", "OPENAI_API_KEY")} == {"faulty"}
    assert entries["LLM_DEADLINE"] == "30"
    assert KEY[:8] not in "".join(entries.values())


def test_json_check_reports_sound_configuration(run_cli: "RunCli") -> None:
    report = json.loads(run_cli("config", "--check", "--json", env={"OPENAI_API_KEY": KEY}).stdout)
    assert (report["ok"], report["faults"], report["warnings"]) == (True, [], [])
    assert len(report["entries"]) > len(PROVIDER_SCHEMA)


def test_piped_table_has_no_line_wrapping(run_cli: "RunCli") -> None:
    result = run_cli("providers", env={"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "m" * 300})
    assert "m" * 300 in row_of(result.stdout, "openai")
    assert "\x1b" not in result.stdout
