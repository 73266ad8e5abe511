"""`faultmaven providers` and `faultmaven config`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA

if TYPE_CHECKING:
    from tests.integration.conftest import RunCli

KEY = "Zq7wXk2pLm9vRt4y"


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.split()[:1] == [name])


def test_providers_lists_every_row(run_cli: "RunCli") -> None:
    result = run_cli("providers", "--json")
    assert result.exit_code == 0
    assert {row["name"] for row in json.loads(result.stdout)} == set(PROVIDER_SCHEMA)


def test_providers_puts_the_chain_first_in_its_order(run_cli: "RunCli") -> None:
    env = {"GROQ_API_KEY": KEY, "OPENAI_API_KEY": KEY, "CHAT_PROVIDER": "groq"}
    rows = json.loads(run_cli("providers", "--json", env=env).stdout)
    assert [(row["name"], row["available"], row["position"]) for row in rows[:2]] == [
        ("groq", True, 1),
        ("openai", True, 2),
    ]
    assert not any(row["available"] for row in rows[2:])


def test_a_configured_provider_outside_the_chain_stands_before_the_unconfigured(run_cli: "RunCli") -> None:
    env = {"MISTRAL_API_KEY": KEY, "XAI_API_KEY": KEY, "CHAT_PROVIDER": "xai", "STRICT_PROVIDER_MODE": "true"}
    rows = json.loads(run_cli("providers", "--json", env=env).stdout)
    assert [(row["name"], row["position"]) for row in rows[:2]] == [("xai", 1), ("mistral", None)]


def test_the_table_says_what_an_unconfigured_provider_lacks(run_cli: "RunCli") -> None:
    result = run_cli("providers", env={"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "gpt-6.1-sol"})
    assert line_of(result.stdout, "openai").split() == [
        "openai",
        "yes",
        "gpt-6.1-sol",
        "https://api.openai.com/v1",
        "1",
        "0.90",
    ]
    assert "no: GROQ_API_KEY is not set" in line_of(result.stdout, "groq")
    assert "AZURE_API_KEY and AZURE_API_BASE are not set" in line_of(result.stdout, "azure")


def test_a_row_from_a_file_is_in_the_table(run_cli: "RunCli", tmp_path: Path) -> None:
    row = (
        '[providers.acme]\nmodel_var = "ACME_MODEL"\ndefault_base_url = "https://acme.invalid/v1"\n'
        'api_key_var = "ACME_API_KEY"\ndefault_model = "acme-1"\nprovider_class = "OpenAIProvider"\n'
        "max_retries = 1\ntimeout = 30\nconfidence_score = 0.5\n"
    )
    (tmp_path / "rows.toml").write_text(row)
    result = run_cli("providers", env={"LLM_PROVIDERS_FILE": "rows.toml", "ACME_API_KEY": KEY})
    assert line_of(result.stdout, "acme").split()[1:3] == ["yes", "acme-1"]


def test_config_tells_value_source_and_what_was_overridden(run_cli: "RunCli", tmp_path: Path) -> None:
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
    assert "60" in line_of(table, "LLM_DEADLINE")
    assert ".env.staging, .env" in line_of(table, "LLM_DEADLINE")


@pytest.mark.parametrize("command", [("config",), ("config", "--json"), ("providers",), ("providers", "--json")])
def test_no_secret_is_shown(run_cli: "RunCli", command: tuple[str, ...]) -> None:
    env = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_API_BASE": "https://me:pa@ssQx81@host.invalid/v1",
        "HTTPS_PROXY": "me:pa@ssQx83@proxy.invalid:3128",
    }
    result = run_cli(*command, env=env)
    assert result.exit_code == 0
    assert "host.invalid" in result.stdout
    for planted in (KEY[:8], "Qx81", "Qx83"):
        assert planted not in result.output


def test_a_key_shows_as_set_or_unset(run_cli: "RunCli") -> None:
    entries = json.loads(run_cli("config", "--json", env={"OPENAI_API_KEY": KEY}).stdout)["entries"]
    keys = {entry["variable"]: entry["value"] for entry in entries if entry["variable"].endswith("_API_KEY")}
    assert keys["OPENAI_API_KEY"] == "set"
    assert set(keys.values()) == {"set", "unset"}


def test_check_is_content_without_warnings(run_cli: "RunCli") -> None:
    assert run_cli("config", "--check", env={"OPENAI_API_KEY": KEY}).exit_code == 0


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_check_fails_on_a_warning_and_the_warning_is_shown(run_cli: "RunCli", more: Any) -> None:
    env = {"OPENAI_API_KEY": KEY, "LLM_DEADLNE": "3"}
    result = run_cli("config", "--check", *more, env=env)
    assert result.exit_code == 1
    assert "LLM_DEADLINE" in (json.loads(result.stdout)["warnings"][0] if more else result.stdout.splitlines()[-1])
    assert run_cli("config", *more, env=env).exit_code == 0


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_check_fails_on_a_fault_and_lists_them_all(run_cli: "RunCli", more: Any) -> None:
    env = {"LLM_DEADLINE": "soon", "CHAT_PROVIDER": "grok", "LLM_DEDLINE": "3"}
    result = run_cli("config", "--check", *more, env=env)
    assert (result.exit_code, result.stderr) == (1, "")
    found = json.loads(result.stdout) if more else {}
    faults = found.get("faults") or [line.removeprefix("fault: ") for line in result.stdout.splitlines()[:2]]
    assert faults[0] == "LLM_DEADLINE (process environment): must be a number"
    assert faults[1].startswith("CHAT_PROVIDER (process environment) names an unknown provider 'grok'; did you mean")
    warnings = found.get("warnings") or result.stdout.splitlines()[2:]
    assert len(faults) == 2
    assert len(warnings) == 1
    assert "LLM_DEDLINE (process environment) is unknown" in warnings[0]
    assert found.get("ok", False) is False


def test_the_entries_of_a_faulty_configuration_show_no_faulty_value(run_cli: "RunCli") -> None:
    env = {"CHAT_PROVIDER": KEY, "OPENAI_API_BASE": KEY, "OPENAI_API_KEY": f"{KEY} {KEY}", "LLM_DEADLINE": "30"}
    result = run_cli("config", "--check", "--json", env=env)
    entries = {entry["variable"]: entry["value"] for entry in json.loads(result.stdout)["entries"]}
    assert {entries[name] for name in ("CHAT_PROVIDER", "OPENAI_API_BASE", "OPENAI_API_KEY")} == {"faulty"}
    assert entries["LLM_DEADLINE"] == "30"
    assert KEY[:8] not in "".join(entries.values())


def test_check_as_json_says_that_all_is_well(run_cli: "RunCli") -> None:
    found = json.loads(run_cli("config", "--check", "--json", env={"OPENAI_API_KEY": KEY}).stdout)
    assert (found["ok"], found["faults"], found["warnings"]) == (True, [], [])
    assert len(found["entries"]) > len(PROVIDER_SCHEMA)


def test_text_for_a_pipe_is_not_folded(run_cli: "RunCli") -> None:
    result = run_cli("providers", env={"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "m" * 300})
    assert "m" * 300 in line_of(result.stdout, "openai")
    assert "\x1b" not in result.stdout
