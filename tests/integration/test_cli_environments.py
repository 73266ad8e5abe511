"""`faultmaven config` over named environments: one shown, several checked, two compared; and the schema of rows."""

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


def write_two() -> None:
    """Write a shared file and two environments over it."""
    write(".env", f"GROQ_API_KEY={KEY}", f"OPENAI_API_KEY={KEY}", "LLM_DEADLINE=60")
    write(".env.staging", "CHAT_PROVIDER=groq", "LLM_DEADLINE=20")
    write(".env.production", f"OPENAI_API_KEY={OTHER_KEY}", f"MISTRAL_API_KEY={KEY}", "CHAT_PROVIDER=openai")


def diff(run_cli: "RunCli", *more: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    result = run_cli("config", "--diff", "staging", "production", "--json", *more, env=env or {})
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def cells_of(text: str, variable: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.split()[:1] == [variable])
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


class TestOne:
    """A named environment is read as FAULTMAVEN_ENV=<name> would."""

    def test_it_is_shown_whatever_the_process_says(self, run_cli: "RunCli") -> None:
        write_two()
        by_name = run_cli("config", "staging", "--json", env={"FAULTMAVEN_ENV": "production"})
        by_variable = run_cli("config", "--json", env={"FAULTMAVEN_ENV": "staging"})
        named, chosen = json.loads(by_name.stdout), json.loads(by_variable.stdout)
        other = [entry for entry in named["entries"] if entry["variable"] != "FAULTMAVEN_ENV"]
        assert other == [entry for entry in chosen["entries"] if entry["variable"] != "FAULTMAVEN_ENV"]
        (told,) = [entry for entry in named["entries"] if entry["variable"] == "FAULTMAVEN_ENV"]
        assert (told["value"], told["source"]) == ("staging", "argument")

    def test_a_name_without_a_file_is_an_error_with_the_nearest(self, run_cli: "RunCli") -> None:
        write_two()
        result = run_cli("config", "stagin")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "there is no .env.stagin" in result.stderr
        assert "did you mean 'staging'?" in result.stderr

    def test_faults_are_one_error(self, run_cli: "RunCli") -> None:
        write(".env.staging", "LLM_DEADLINE=soon", "CHAT_PROVIDER=grok")
        result = run_cli("config", "staging", "--json")
        assert result.exit_code == 1
        error = json.loads(result.stdout)["error"]
        assert error["type"] == "ConfigurationError"
        assert error["message"].startswith("2 faults in the configuration:\n- LLM_DEADLINE (.env.staging)")

    def test_the_files_alone_leave_the_process_out(self, run_cli: "RunCli") -> None:
        write(".env.staging", "OPENAI_MODEL=${MINE:-none}", "HOST=host.invalid", "OPENAI_API_BASE=https://${HOST}")
        env = {"LLM_DEADLINE": "5", "MINE": "process", "HOST": "elsewhere.invalid", "OPENAI_API_KEY": KEY}
        for more, expected in ((), ["5", "set", "process"]), (("--files-only",), ["120", "unset", "none"]):
            result = run_cli("config", "staging", "--json", *more, env=env)
            values = {entry["variable"]: entry["value"] for entry in json.loads(result.stdout)["entries"]}
            assert [values[name] for name in ("LLM_DEADLINE", "OPENAI_API_KEY", "OPENAI_MODEL")] == expected
            assert values["OPENAI_API_BASE"] == "https://host.invalid"

    def test_the_process_picks_the_file_when_no_name_is_given(self, run_cli: "RunCli") -> None:
        write_two()
        result = run_cli("config", "--files-only", "--json", env={"FAULTMAVEN_ENV": "staging", "LLM_DEADLINE": "5"})
        values = {entry["variable"]: entry["value"] for entry in json.loads(result.stdout)["entries"]}
        assert (values["FAULTMAVEN_ENV"], values["LLM_DEADLINE"]) == ("staging", "20")


class TestDiff:
    """Two environments side by side."""

    def test_values_that_differ_are_told_with_their_sources(self, run_cli: "RunCli") -> None:
        write_two()
        values = {value["variable"]: value for value in diff(run_cli)["values"]}
        assert set(values) == {"CHAT_PROVIDER", "LLM_DEADLINE", "OPENAI_API_KEY", "MISTRAL_API_KEY"}
        assert values["LLM_DEADLINE"] == {
            "variable": "LLM_DEADLINE",
            "provider": "",
            "first": {"value": "20", "source": ".env.staging"},
            "second": {"value": "60", "source": ".env"},
            "hidden": False,
        }

    def test_keys_show_as_set_unset_or_differing_only(self, run_cli: "RunCli") -> None:
        write_two()
        values = {value["variable"]: value for value in diff(run_cli)["values"]}
        key, set_in_one = values["OPENAI_API_KEY"], values["MISTRAL_API_KEY"]
        assert (key["first"]["value"], key["second"]["value"], key["hidden"]) == ("set", "set", True)
        assert (set_in_one["first"]["value"], set_in_one["second"]["value"]) == ("unset", "set")
        text = run_cli("config", "--diff", "staging", "production").output
        assert cells_of(text, "OPENAI_API_KEY")[1:] == ["set (differs)", ".env", "set (differs)", ".env.production"]
        for planted in (KEY, OTHER_KEY):
            assert planted[:6] not in text + json.dumps(diff(run_cli))

    def test_credentials_in_addresses_are_hidden_and_compared(self, run_cli: "RunCli") -> None:
        write(".env.staging", "HTTPS_PROXY=http://me:pa@ssQx83@proxy.invalid:3128")
        write(".env.production", "HTTPS_PROXY=http://me:pa@ssQx84@proxy.invalid:3128")
        (value,) = diff(run_cli)["values"]
        assert value["first"]["value"] == value["second"]["value"] == "http://***@proxy.invalid:3128"
        assert value["hidden"]
        assert "Qx8" not in run_cli("config", "--diff", "staging", "production").output

    def test_what_follows_is_told(self, run_cli: "RunCli") -> None:
        write_two()
        found = diff(run_cli)
        assert found["chains"]["chat"] == {"first": ["groq", "openai"], "second": ["openai", "groq", "mistral"]}
        assert found["configured"] == {"first": [], "second": ["mistral"]}
        text = run_cli("config", "--diff", "staging", "production").stdout
        told = "asked for chat, multimodal, synthesis, classifier, code: groq, openai in staging; openai, groq, mistral"
        assert told in text
        assert "configured in production only: mistral\n" in text

    def test_a_warning_in_one_only_is_told(self, run_cli: "RunCli") -> None:
        write(".env.staging", "LLM_DEDLINE=3")
        write(".env.production", "LLM_DEDLINE=3", "LLM_CACHE_SECOND=1")
        warnings = diff(run_cli)["warnings"]
        assert warnings["first"] == []
        assert [warning.split()[0] for warning in warnings["second"]] == ["LLM_CACHE_SECOND"]
        assert (
            "warning in production only: LLM_CACHE_SECOND"
            in run_cli("config", "--diff", "staging", "production").stdout
        )

    def test_nothing_differs_and_it_says_so(self, run_cli: "RunCli") -> None:
        write(".env.staging", "LLM_DEADLINE=20")
        write(".env.production", "LLM_DEADLINE=20.0")
        result = run_cli("config", "--diff", "staging", "production")
        assert (result.exit_code, result.output) == (0, "staging and production do not differ.\n")
        assert diff(run_cli)["equal"] is True

    def test_the_process_counts_for_both_unless_left_out(self, run_cli: "RunCli") -> None:
        write_two()
        env = {"LLM_DEADLINE": "5", "FAULTMAVEN_ENV": "nobody"}
        assert "LLM_DEADLINE" not in {value["variable"] for value in diff(run_cli, env=env)["values"]}
        assert "LLM_DEADLINE" in {value["variable"] for value in diff(run_cli, "--files-only", env=env)["values"]}
        note = "The process environment applies to both"
        assert note in run_cli("config", "--diff", "staging", "production", env=env).stderr
        assert note not in run_cli("config", "--diff", "staging", "production", "--files-only", env=env).stderr

    def test_a_name_without_a_file_is_an_error_with_the_nearest(self, run_cli: "RunCli") -> None:
        write_two()
        result = run_cli("config", "--diff", "stagin", "production")
        assert result.exit_code == 1
        assert "fault in stagin: there is no .env.stagin" in result.stdout
        assert "did you mean 'staging'?" in result.stdout
        assert "CHAT_PROVIDER" not in result.stdout

    def test_faults_of_one_do_not_hide_the_other(self, run_cli: "RunCli") -> None:
        write(".env.staging", "LLM_DEADLINE=soon", f"CHAT_PROVIDER={KEY}{KEY}", "LOG_LEVEL=DEBUG")
        write(".env.production", "LLM_DEADLINE=20", "LLM_DEDLINE=3")
        result = run_cli("config", "--diff", "staging", "production", "--json")
        assert result.exit_code == 1
        found = json.loads(result.stdout)
        assert [value["variable"] for value in found["values"]] == ["LOG_LEVEL"]
        assert [len(found["faults"][side]) for side in ("first", "second")] == [2, 0]
        assert len(found["warnings"]["second"]) == 1
        assert (found["chains"], found["configured"], found["equal"]) == (None, None, False)
        text = run_cli("config", "--diff", "staging", "production")
        assert text.exit_code == 1
        assert "fault in staging: LLM_DEADLINE (.env.staging): must be a number\n" in text.stdout
        assert "Who is asked is not compared" in text.stdout
        assert KEY not in text.output + result.output

    def test_a_row_that_one_has_not_is_told(self, run_cli: "RunCli") -> None:
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
        assert cells_of(text, "ACME_MODEL")[1:] == ["acme-1", "default of the row", "-", "no row reads it"]


class TestCheck:
    """Several environments in one go."""

    def test_every_environment_is_checked_whatever_the_first_has(self, run_cli: "RunCli") -> None:
        write_two()
        write(".env.staging", "LLM_DEADLINE=soon")
        write(".env.broken", "LLM_DEDLINE=3")
        result = run_cli("config", "--check", "staging", "broken", "production", "absent")
        assert result.exit_code == 1
        starts = [line[:30] for line in result.stdout.splitlines()]
        assert starts == [
            "staging: fault: LLM_DEADLINE (",
            "broken: warning: LLM_DEDLINE (",
            "production: nothing is wrong; ",
            "absent: fault: there is no .en",
        ]

    def test_as_json_each_has_its_own_object(self, run_cli: "RunCli") -> None:
        write_two()
        write(".env.broken", "LLM_DEADLINE=soon")
        result = run_cli("config", "--check", "staging", "broken", "--json")
        assert result.exit_code == 1
        found = json.loads(result.stdout)
        assert found["ok"] is False
        assert {name: report["ok"] for name, report in found["environments"].items()} == {
            "staging": True,
            "broken": False,
        }
        assert set(found["environments"]["broken"]) == {"ok", "faults", "warnings", "entries"}

    def test_all_is_well(self, run_cli: "RunCli") -> None:
        write_two()
        result = run_cli("config", "--check", "staging", "production")
        assert (result.exit_code, result.stdout) == (
            0,
            "staging: nothing is wrong; asked: groq, openai\n"
            "production: nothing is wrong; asked: openai, groq, mistral\n",
        )

    def test_an_extra_that_is_not_installed_is_a_fault(
        self, run_cli: "RunCli", monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
def test_what_does_not_go_together_is_a_usage_error(run_cli: "RunCli", arguments: tuple[str, ...]) -> None:
    assert run_cli("config", *arguments).exit_code == 2


@pytest.mark.parametrize("name", ["../secrets", "-", "a b"])
def test_a_name_that_is_no_plain_name_is_an_error(run_cli: "RunCli", name: str) -> None:
    result = run_cli("config", "--", name)
    assert result.exit_code == 1
    assert "the environment's name is not a plain name" in result.stderr


def test_the_schema_is_printed_and_takes_a_row(run_cli: "RunCli") -> None:
    result = run_cli("config", "--schema", env={"LLM_DEADLINE": "soon"})  # no configuration is read
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
