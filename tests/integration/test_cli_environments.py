"""`faultmaven config` with named environments: show one, check several, compare two, and print the row schema."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import RunCli

KEY, OTHER_KEY = "Zq7wXk2pLm9vRt4y", "Hd3sVb8nQc5jWf6u"


def write(name: str, *lines: str) -> None:
    Path(name).write_text("".join(f"{line}\n" for line in lines))


def write_two_environments() -> None:
    """Write a shared .env and two environment files that override it."""
    write(".env", f"GROQ_API_KEY={KEY}", f"OPENAI_API_KEY={KEY}", "LLM_DEADLINE=60")
    write(".env.staging", "CHAT_PROVIDER=groq", "LLM_DEADLINE=20")
    write(".env.production", f"OPENAI_API_KEY={OTHER_KEY}", f"MISTRAL_API_KEY={KEY}", "CHAT_PROVIDER=openai")


def diff(run_cli: "RunCli", *options: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    result = run_cli("config", "--diff", "staging", "production", "--json", *options, env=env or {})
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def cells_of(text: str, variable: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.split()[:1] == [variable])
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


class TestNamedEnvironment:
    """The argument `<name>` has the effect of FAULTMAVEN_ENV=<name>."""

    def test_named_environment_overrides_process_variable(self, run_cli: "RunCli") -> None:
        write_two_environments()
        by_name = run_cli("config", "staging", "--json", env={"FAULTMAVEN_ENV": "production"})
        by_variable = run_cli("config", "--json", env={"FAULTMAVEN_ENV": "staging"})
        named, selected = json.loads(by_name.stdout), json.loads(by_variable.stdout)
        other = [entry for entry in named["entries"] if entry["variable"] != "FAULTMAVEN_ENV"]
        assert other == [entry for entry in selected["entries"] if entry["variable"] != "FAULTMAVEN_ENV"]
        (variable,) = [entry for entry in named["entries"] if entry["variable"] == "FAULTMAVEN_ENV"]
        assert (variable["value"], variable["source"]) == ("staging", "argument")

    def test_missing_environment_file_error_suggests_nearest(self, run_cli: "RunCli") -> None:
        write_two_environments()
        result = run_cli("config", "stagin")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "there is no .env.stagin" in result.stderr
        assert "did you mean 'staging'?" in result.stderr

    def test_faults_of_environment_are_one_error(self, run_cli: "RunCli") -> None:
        write(".env.staging", "LLM_DEADLINE=soon", "CHAT_PROVIDER=grok")
        result = run_cli("config", "staging", "--json")
        assert result.exit_code == 1
        error = json.loads(result.stdout)["error"]
        assert error["type"] == "ConfigurationError"
        assert error["message"].startswith("2 faults in the configuration:\n- LLM_DEADLINE (.env.staging)")

    def test_files_only_ignores_process_environment(self, run_cli: "RunCli") -> None:
        write(".env.staging", "OPENAI_MODEL=${MINE:-none}", "HOST=host.invalid", "OPENAI_API_BASE=https://${HOST}")
        env = {"LLM_DEADLINE": "5", "MINE": "process", "HOST": "elsewhere.invalid", "OPENAI_API_KEY": KEY}
        for options, expected in ((), ["5", "set", "process"]), (("--files-only",), ["120", "unset", "none"]):
            result = run_cli("config", "staging", "--json", *options, env=env)
            values = {entry["variable"]: entry["value"] for entry in json.loads(result.stdout)["entries"]}
            assert [values[name] for name in ("LLM_DEADLINE", "OPENAI_API_KEY", "OPENAI_MODEL")] == expected
            assert values["OPENAI_API_BASE"] == "https://host.invalid"

    def test_process_variable_selects_unnamed_environment(self, run_cli: "RunCli") -> None:
        write_two_environments()
        result = run_cli("config", "--files-only", "--json", env={"FAULTMAVEN_ENV": "staging", "LLM_DEADLINE": "5"})
        values = {entry["variable"]: entry["value"] for entry in json.loads(result.stdout)["entries"]}
        assert (values["FAULTMAVEN_ENV"], values["LLM_DEADLINE"]) == ("staging", "20")


class TestDiff:
    """`config --diff` compares two environments."""

    def test_diff_lists_differing_values_with_sources(self, run_cli: "RunCli") -> None:
        write_two_environments()
        values = {value["variable"]: value for value in diff(run_cli)["values"]}
        assert set(values) == {"CHAT_PROVIDER", "LLM_DEADLINE", "OPENAI_API_KEY", "MISTRAL_API_KEY"}
        assert values["LLM_DEADLINE"] == {
            "variable": "LLM_DEADLINE",
            "provider": "",
            "first": {"value": "20", "source": ".env.staging"},
            "second": {"value": "60", "source": ".env"},
            "hidden": False,
        }

    def test_diff_hides_the_values_of_keys(self, run_cli: "RunCli") -> None:
        write_two_environments()
        values = {value["variable"]: value for value in diff(run_cli)["values"]}
        key, set_in_one = values["OPENAI_API_KEY"], values["MISTRAL_API_KEY"]
        assert (key["first"]["value"], key["second"]["value"], key["hidden"]) == ("set", "set", True)
        assert (set_in_one["first"]["value"], set_in_one["second"]["value"]) == ("unset", "set")
        text = run_cli("config", "--diff", "staging", "production").output
        assert cells_of(text, "OPENAI_API_KEY")[1:] == ["set (differs)", ".env", "set (differs)", ".env.production"]
        for secret in (KEY, OTHER_KEY):
            assert secret[:6] not in text + json.dumps(diff(run_cli))

    def test_diff_compares_and_hides_url_credentials(self, run_cli: "RunCli") -> None:
        write(".env.staging", "HTTPS_PROXY=http://me:pa@ssQx83@proxy.invalid:3128")
        write(".env.production", "HTTPS_PROXY=http://me:pa@ssQx84@proxy.invalid:3128")
        (value,) = diff(run_cli)["values"]
        assert value["first"]["value"] == value["second"]["value"] == "http://***@proxy.invalid:3128"
        assert value["hidden"]
        assert "Qx8" not in run_cli("config", "--diff", "staging", "production").output

    def test_diff_shows_chains_and_configured_providers(self, run_cli: "RunCli") -> None:
        write_two_environments()
        report = diff(run_cli)
        assert report["chains"]["chat"] == {"first": ["groq", "openai"], "second": ["openai", "groq", "mistral"]}
        assert report["configured"] == {"first": [], "second": ["mistral"]}
        text = run_cli("config", "--diff", "staging", "production").stdout
        expected = (
            "chain for chat, multimodal, synthesis, classifier, code: groq, openai in staging; openai, groq, mistral"
        )
        assert expected in text
        assert "configured in production only: mistral\n" in text

    def test_diff_shows_warning_of_one_environment(self, run_cli: "RunCli") -> None:
        write(".env.staging", "LLM_DEDLINE=3")
        write(".env.production", "LLM_DEDLINE=3", "LLM_CACHE_SECOND=1")
        warnings = diff(run_cli)["warnings"]
        assert warnings["first"] == []
        assert [warning.split()[0] for warning in warnings["second"]] == ["LLM_CACHE_SECOND"]
        assert (
            "warning in production only: LLM_CACHE_SECOND"
            in run_cli("config", "--diff", "staging", "production").stdout
        )

    def test_diff_reports_equal_environments(self, run_cli: "RunCli") -> None:
        write(".env.staging", "LLM_DEADLINE=20")
        write(".env.production", "LLM_DEADLINE=20.0")
        result = run_cli("config", "--diff", "staging", "production")
        assert (result.exit_code, result.output) == (0, "staging and production do not differ.\n")
        assert diff(run_cli)["equal"] is True

    def test_process_environment_applies_to_both_sides(self, run_cli: "RunCli") -> None:
        write_two_environments()
        env = {"LLM_DEADLINE": "5", "FAULTMAVEN_ENV": "nobody"}
        assert "LLM_DEADLINE" not in {value["variable"] for value in diff(run_cli, env=env)["values"]}
        assert "LLM_DEADLINE" in {value["variable"] for value in diff(run_cli, "--files-only", env=env)["values"]}
        note = "The process environment applies to both environments"
        assert note in run_cli("config", "--diff", "staging", "production", env=env).stderr
        assert note not in run_cli("config", "--diff", "staging", "production", "--files-only", env=env).stderr

    def test_diff_of_missing_file_suggests_nearest(self, run_cli: "RunCli") -> None:
        write_two_environments()
        result = run_cli("config", "--diff", "stagin", "production")
        assert result.exit_code == 1
        assert "fault in stagin: there is no .env.stagin" in result.stdout
        assert "did you mean 'staging'?" in result.stdout
        assert "CHAT_PROVIDER" not in result.stdout

    def test_faults_of_one_side_keep_comparison(self, run_cli: "RunCli") -> None:
        write(".env.staging", "LLM_DEADLINE=soon", f"CHAT_PROVIDER={KEY}{KEY}", "LOG_LEVEL=DEBUG")
        write(".env.production", "LLM_DEADLINE=20", "LLM_DEDLINE=3")
        result = run_cli("config", "--diff", "staging", "production", "--json")
        assert result.exit_code == 1
        report = json.loads(result.stdout)
        assert [value["variable"] for value in report["values"]] == ["LOG_LEVEL"]
        assert [len(report["faults"][side]) for side in ("first", "second")] == [2, 0]
        assert len(report["warnings"]["second"]) == 2  # the other warning says that no provider is configured
        assert (report["chains"], report["configured"], report["equal"]) == (None, None, False)
        text = run_cli("config", "--diff", "staging", "production")
        assert text.exit_code == 1
        assert "fault in staging: LLM_DEADLINE (.env.staging): must be a number\n" in text.stdout
        assert "The chains are not compared" in text.stdout
        assert KEY not in text.output + result.output

    def test_diff_shows_row_of_one_environment(self, run_cli: "RunCli") -> None:
        row = (
            '[providers.acme]\nmodel_var = "ACME_MODEL"\ndefault_base_url = "https://acme.invalid/v1"\n'
            'default_model = "acme-1"\nprovider_class = "OpenAIProvider"\n'
            "max_retries = 1\ntimeout = 30\nconfidence_score = 0.5\n"
        )
        write("rows.toml", row)
        write(".env.staging", "LLM_PROVIDERS_FILE=rows.toml")
        write(".env.production", "")
        values = {value["variable"]: value for value in diff(run_cli)["values"]}
        assert values["ACME_MODEL"]["first"] == {"value": "acme-1", "source": "default of the row"}
        assert values["ACME_MODEL"]["second"] is None
        text = run_cli("config", "--diff", "staging", "production").stdout
        assert cells_of(text, "ACME_MODEL")[1:] == ["acme-1", "default of the row", "-", "no row reads the variable"]


class TestCheck:
    """`config --check` checks several environments in one run."""

    def test_check_continues_after_faulty_environment(self, run_cli: "RunCli") -> None:
        write_two_environments()
        write(".env.staging", "LLM_DEADLINE=soon")
        write(".env.broken", "LLM_DEDLINE=3")
        result = run_cli("config", "--check", "staging", "broken", "production", "absent")
        assert result.exit_code == 1
        starts = [line[:30] for line in result.stdout.splitlines()]
        assert starts == [
            "staging: fault: LLM_DEADLINE (",
            "broken: warning: LLM_DEDLINE (",
            "production: the configuration ",
            "absent: fault: there is no .en",
        ]

    def test_check_fails_without_configured_provider(self, run_cli: "RunCli") -> None:
        result = run_cli("config", "--check")
        assert result.exit_code == 1
        assert "warning: no provider is configured. Set one of OPENAI_API_KEY" in result.stdout
        assert run_cli("config", "--check", env={"GROQ_API_KEY": "k"}).exit_code == 0

    def test_json_check_has_object_per_environment(self, run_cli: "RunCli") -> None:
        write_two_environments()
        write(".env.broken", "LLM_DEADLINE=soon")
        result = run_cli("config", "--check", "staging", "broken", "--json")
        assert result.exit_code == 1
        report = json.loads(result.stdout)
        assert report["ok"] is False
        assert {name: environment["ok"] for name, environment in report["environments"].items()} == {
            "staging": True,
            "broken": False,
        }
        assert set(report["environments"]["broken"]) == {"ok", "faults", "warnings", "entries"}

    def test_check_of_sound_environments_succeeds(self, run_cli: "RunCli") -> None:
        write_two_environments()
        result = run_cli("config", "--check", "staging", "production")
        assert (result.exit_code, result.stdout) == (
            0,
            "staging: the configuration is valid; chain: groq, openai\n"
            "production: the configuration is valid; chain: openai, groq, mistral\n",
        )

    def test_check_reports_missing_extra_as_fault(self, run_cli: "RunCli", monkeypatch: pytest.MonkeyPatch) -> None:
        write(".env.staging", "LLM_WATCH_FILES=true")
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        result = run_cli("config", "--check", "staging")
        assert result.exit_code == 1
        assert 'pip install "faultmaven[watch]"' in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--check", "--diff", "a", "b"),
        ("--schema", "a"),
        ("--schema", "--files-only"),
        ("--diff", "a"),
        ("--diff", "a", "b", "c"),
        ("a", "b"),
        ("--check", ""),
    ],
)
def test_conflicting_arguments_are_usage_error(run_cli: "RunCli", arguments: tuple[str, ...]) -> None:
    assert run_cli("config", *arguments).exit_code == 2


@pytest.mark.parametrize("name", ["../secrets", "-", "a b"])
def test_invalid_environment_name_is_error(run_cli: "RunCli", name: str) -> None:
    result = run_cli("config", "--", name)
    assert result.exit_code == 1
    assert "the environment's name is not a plain name" in result.stderr


def test_schema_option_prints_usable_row_schema(run_cli: "RunCli") -> None:
    result = run_cli("config", "--schema", env={"LLM_DEADLINE": "soon"})  # the invalid value is not read
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    row = {
        "model_var": "ACME_MODEL",
        "default_base_url": "https://acme.invalid/v1",
        "default_model": "acme-1",
        "provider_class": "OpenAIProvider",
        "max_retries": 1,
        "timeout": 30,
        "confidence_score": 0.5,
    }
    assert jsonschema_rs.is_valid(schema, {"providers": {"acme": row}})
    assert not jsonschema_rs.is_valid(schema, {"providers": {"acme": {**row, "time_out": 30}}})
