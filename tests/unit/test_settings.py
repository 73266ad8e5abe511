"""Tests for settings: layers of sources, provenance, typed values, and warnings about likely mistakes."""

import subprocess
import sys
from pathlib import Path

import pytest

import faultmaven
from faultmaven.domain.errors import ConfigurationError
from faultmaven.infrastructure.configuration.config_sources import settings_entries
from faultmaven.infrastructure.configuration.environment_warnings import VENDOR_NAMES, environment_warnings
from faultmaven.infrastructure.configuration.settings import (
    VARIABLES,
    ConfigValue,
    Environment,
    Layer,
    Settings,
    load_settings,
    read_environment,
)
from faultmaven.infrastructure.llm.providers.registry import PROVIDER_SCHEMA, read_sources

ROW_VARIABLES = [
    row[name]
    for row in PROVIDER_SCHEMA.values()
    for name in ("api_key_var", "model_var", "base_url_var")
    if name in row
]
KEY_VARIABLES = [row["api_key_var"] for row in PROVIDER_SCHEMA.values() if "api_key_var" in row]
SECRET = "sk-live-0123456789abcdef"


def write(name: str, text: str | bytes) -> None:
    """Write a file into the working directory, which is empty at the start of each test."""
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())


def settings_of(**variables: str) -> Settings:
    return load_settings(read_environment(variables))


def warnings_of(variables: dict[str, str]) -> list[str]:
    return environment_warnings(read_environment(variables), ROW_VARIABLES, KEY_VARIABLES)


class TestPrecedence:
    """Precedence of sources: argument, process environment, `.env.<FAULTMAVEN_ENV>`, `.env`, default."""

    def test_stronger_layer_wins_and_names_overridden_layers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAULTMAVEN_ENV", "staging")
        write(".env", "LLM_DEADLINE=1\n")
        assert read_environment().find("LLM_DEADLINE") == ConfigValue("1", ".env")
        write(".env.staging", "LLM_DEADLINE=2\n")
        assert read_environment().find("LLM_DEADLINE") == ConfigValue("2", ".env.staging", (".env",))
        monkeypatch.setenv("LLM_DEADLINE", "3")
        config_value = read_environment().find("LLM_DEADLINE")
        assert config_value == ConfigValue("3", "process environment", (".env.staging", ".env"))
        assert read_environment({"LLM_DEADLINE": "4"}).find("LLM_DEADLINE") == ConfigValue("4", "argument")
        assert read_environment({}).find("LLM_DEADLINE") is None

    def test_mapping_argument_is_the_only_source(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "from-process")
        monkeypatch.setenv("FAULTMAVEN_ENV", "not/a/name")
        write(".env", b"\xff\xfe unreadable")
        environment = read_environment({"GROQ_API_KEY": "k"})
        assert environment.variables() == {"GROQ_API_KEY": "argument"}
        assert load_settings(environment) == Settings()

    def test_mapping_value_must_be_a_string(self) -> None:
        with pytest.raises(ConfigurationError, match=r"LLM_DEADLINE \(argument\) is a int, not a string"):
            read_environment({"LLM_DEADLINE": 5})  # type: ignore[dict-item]

    @pytest.mark.parametrize("blank", ["", "   ", '""', "''", '"  "'])
    def test_blank_value_falls_through_to_lower_layer(self, monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
        monkeypatch.setenv("FAULTMAVEN_ENV", "staging")
        monkeypatch.setenv("LLM_DEADLINE", "")
        write(".env.staging", f"LLM_DEADLINE={blank}\n")
        write(".env", "LLM_DEADLINE=7\n")
        assert read_environment().find("LLM_DEADLINE") == ConfigValue("7", ".env")
        assert load_settings(read_environment()).deadline == 7

    def test_dotenv_is_read_from_working_directory_only(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        write(".env", "LLM_DEADLINE=7\n")
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        assert read_environment().find("LLM_DEADLINE") is None

    def test_reading_settings_changes_no_process_variable(self) -> None:
        write(".env", "LLM_DEADLINE=7\n")
        script = (
            "import os; before = dict(os.environ)\n"
            "from faultmaven.infrastructure.configuration.settings import read_environment\n"
            "assert read_environment().get('LLM_DEADLINE') == '7'\n"
            "assert dict(os.environ) == before\n"
        )
        root = str(Path(faultmaven.__file__).parents[1])
        subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": root})


class TestFaultmavenEnv:
    """`FAULTMAVEN_ENV` selects the file that overrides `.env`."""

    def test_faultmaven_env_selects_whole_configuration(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write(".env.staging", "CHAT_PROVIDER=groq\nGROQ_API_KEY=s\nLLM_DEADLINE=5\n")
        write(".env.production", "CHAT_PROVIDER=openai\nOPENAI_API_KEY=p\nSTRICT_PROVIDER_MODE=true\n")
        monkeypatch.setenv("FAULTMAVEN_ENV", "staging")
        staging = read_sources()
        monkeypatch.setenv("FAULTMAVEN_ENV", "production")
        production = read_sources()
        assert (staging.settings.chat_provider, staging.settings.deadline) == ("groq", 5)
        assert (production.settings.chat_provider, production.settings.deadline) == ("openai", 120)
        assert production.settings.strict_provider_mode
        assert not staging.settings.strict_provider_mode
        assert staging.environment.get("OPENAI_API_KEY") == production.environment.get("GROQ_API_KEY") == ""

    def test_faultmaven_env_in_file_is_ignored(self) -> None:
        write(".env", "FAULTMAVEN_ENV=staging\nLLM_DEADLINE=1\n")
        write(".env.staging", "LLM_DEADLINE=2\n")
        environment = read_environment()
        assert environment.get("LLM_DEADLINE") == "1"
        assert load_settings(environment).faultmaven_env is None
        assert "FAULTMAVEN_ENV in .env is not read; set it in the process environment" in environment.notes

    def test_faultmaven_env_refuses_a_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAULTMAVEN_ENV", "../../etc/passwd")
        with pytest.raises(ConfigurationError, match="FAULTMAVEN_ENV is not a plain name"):
            read_environment()

    def test_missing_env_file_warns_with_nearest_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAULTMAVEN_ENV", "prodution")
        write(".env.production", "LLM_DEADLINE=1\n")
        write(".env.example", "")
        message = "FAULTMAVEN_ENV=prodution, but there is no .env.prodution; did you mean 'production'?"
        assert read_environment().notes == (message,)

    def test_faultmaven_env_needs_no_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAULTMAVEN_ENV", "production")
        write(".env", "LLM_DEADLINE=1\n")
        environment = read_environment()
        assert environment.notes == ()
        assert environment.name == "production"


class TestDotenv:
    """`.env` files have the syntax of python-dotenv."""

    @pytest.mark.parametrize(
        ("line", "value"),
        [
            ("KEY=plain", "plain"),
            ("KEY = spaced ", "spaced"),
            ('KEY="in double quotes"', "in double quotes"),
            ("KEY='in single quotes'", "in single quotes"),
            ("export KEY=exported", "exported"),
            ("KEY=value # a comment", "value"),
            ("KEY=value#no-comment", "value#no-comment"),
            ('KEY="value # no comment"', "value # no comment"),
            ("# a comment\nKEY=after", "after"),
            ("KEY=first\nKEY=last", "last"),
            ('KEY="two\\nlines"', "two\nlines"),
            ("KEY='raw\\nlines'", "raw\\nlines"),
            ("KEY=unix=with=equals", "unix=with=equals"),
            ("KEY=grüße", "grüße"),
            ("BASE=b\nKEY=${BASE}/v1", "b/v1"),
            ("KEY=${ABSENT:-fallback}", "fallback"),
            ("KEY=$BASE", "$BASE"),
            ("BASE=b\nKEY='${BASE}'", "b"),
        ],
    )
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_dotenv_line_is_parsed_to_value(self, line: str, value: str, newline: str, mark: bytes) -> None:
        write(".env", mark + (line.replace("\n", newline) + newline + "NEXT=1" + newline).encode())
        environment = read_environment()
        assert environment.get("KEY") == value
        assert environment.get("NEXT") == "1"
        assert environment.notes == ()

    def test_dotenv_name_without_equals_is_unset(self) -> None:
        write(".env", "LLM_DEADLINE\nLLM_MAX_TOKENS=5\n")
        environment = read_environment()
        assert environment.find("LLM_DEADLINE") is None
        assert environment.get("LLM_MAX_TOKENS") == "5"

    def test_interpolation_falls_back_to_process_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOST_OF_MINE", "gpu-1")
        write(".env", "VLLM_API_BASE=http://${HOST_OF_MINE}:8000/v1\n")
        assert read_environment().get("VLLM_API_BASE") == "http://gpu-1:8000/v1"

    @pytest.mark.parametrize("text", ['OPENAI_API_KEY="never closed\nLLM_DEADLINE=5\n', "LLM_DEADLINE=5\n\nno name\n"])
    def test_unreadable_line_is_reported_by_number_only(self, text: str) -> None:
        write(".env", text)
        environment = read_environment()
        assert environment.get("LLM_DEADLINE") == "5"
        wrong = 1 + [line.startswith(("OPENAI", "no")) for line in text.splitlines()].index(True)
        assert environment.notes == (f".env, line {wrong}: not NAME=value, left out",)

    def test_dotenv_in_another_encoding_is_refused(self) -> None:
        write(".env", "LLM_DEADLINE=5\n".encode("utf-16"))
        with pytest.raises(ConfigurationError, match=r"^\.env cannot be read: UnicodeDecodeError\.$"):
            read_environment()


class TestKeys:
    """API keys from a variable, or from a file that a variable names."""

    def test_key_is_read_from_named_file(self, tmp_path: Path) -> None:
        secret = tmp_path / "key"
        secret.write_bytes(b"\xef\xbb\xbf" + SECRET.encode() + b"\r\n")
        config_value = read_environment({"OPENAI_API_KEY_FILE": str(secret)}).find_secret("OPENAI_API_KEY")
        assert config_value is not None
        assert config_value.value == SECRET
        assert config_value.source == "file named by OPENAI_API_KEY_FILE (argument)"

    def test_key_and_key_file_conflict_names_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)
        write(".env", "OPENAI_API_KEY_FILE=key\n")
        with pytest.raises(ConfigurationError) as caught:
            read_environment().find_secret("OPENAI_API_KEY")
        message = "OPENAI_API_KEY (process environment) and OPENAI_API_KEY_FILE (.env) are both set."
        assert str(caught.value).startswith(message)

    @pytest.mark.parametrize(
        ("content", "message"),
        [(None, "cannot be read: FileNotFoundError"), (b" \n", "is empty"), (b"\xff", "cannot be read: Unicode")],
    )
    def test_key_file_without_key_is_refused(self, tmp_path: Path, content: bytes | None, message: str) -> None:
        if content is not None:
            (tmp_path / "key").write_bytes(content)
        with pytest.raises(ConfigurationError, match=rf"OPENAI_API_KEY_FILE \(argument\) names a file that {message}"):
            read_environment({"OPENAI_API_KEY_FILE": str(tmp_path / "key")}).find_secret("OPENAI_API_KEY")

    @pytest.mark.parametrize("key", ["sk-a b", "sk-ü", "sk-\u200bx", "sk-a\nsk-b", '"sk-quoted"', "'sk-quoted'"])
    def test_invalid_key_is_refused_without_showing_value(self, key: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read_environment({"OPENAI_API_KEY": key}).find_secret("OPENAI_API_KEY")
        assert str(caught.value).startswith("OPENAI_API_KEY (argument) is not a key")
        assert key not in str(caught.value)
        assert "sk-" not in str(caught.value)

    def test_environment_repr_shows_no_secret(self) -> None:
        environment = read_environment({"OPENAI_API_KEY": SECRET})
        assert SECRET not in repr(environment)
        assert SECRET not in repr(environment.find_secret("OPENAI_API_KEY"))


class TestTypedSettings:
    """Types, ranges and defaults of the variables in section 6 of the design."""

    def test_setting_defaults_match_the_design(self) -> None:
        settings = Settings()
        assert set(settings.role_providers.values()) == {None}
        assert settings.fallback_chain == ()
        assert settings.strict_provider_mode is False
        assert settings.request_timeout is None
        assert settings.deadline == 120
        assert settings.max_retries is None
        assert settings.max_tokens is None
        assert settings.confidence_threshold == 0
        assert settings.http_carrier == "auto"
        assert settings.http_connections_per_host is None
        assert settings.http_keep_alive == 30
        assert settings.http2 is False
        assert settings.providers_file is None
        assert settings.log_level == "INFO"
        assert settings.log_format is None

    def test_every_design_variable_is_read(self) -> None:
        assert set(VARIABLES) >= {
            "CHAT_PROVIDER",
            "MULTIMODAL_PROVIDER",
            "SYNTHESIS_PROVIDER",
            "CLASSIFIER_PROVIDER",
            "CODE_PROVIDER",
            "LLM_FALLBACK_CHAIN",
            "STRICT_PROVIDER_MODE",
            "LLM_REQUEST_TIMEOUT",
            "LLM_DEADLINE",
            "LLM_MAX_RETRIES",
            "LLM_MAX_TOKENS",
            "LLM_CONFIDENCE_THRESHOLD",
            "LLM_HTTP_CARRIER",
            "LLM_HTTP_CONNECTIONS_PER_HOST",
            "LLM_HTTP_KEEP_ALIVE",
            "LLM_HTTP2",
            "LLM_PROVIDERS_FILE",
            "FAULTMAVEN_ENV",
            "LOG_LEVEL",
            "LOG_FORMAT",
        }

    @pytest.mark.parametrize(
        ("variable", "text", "name", "value"),
        [
            ("CHAT_PROVIDER", "groq", "chat_provider", "groq"),
            ("LLM_FALLBACK_CHAIN", " groq, openai ,,", "fallback_chain", ("groq", "openai")),
            ("STRICT_PROVIDER_MODE", "TRUE", "strict_provider_mode", True),
            ("STRICT_PROVIDER_MODE", "0", "strict_provider_mode", False),
            ("LLM_REQUEST_TIMEOUT", "2.5", "request_timeout", 2.5),
            ("LLM_DEADLINE", "30", "deadline", 30),
            ("LLM_MAX_RETRIES", "0", "max_retries", 0),
            ("LLM_MAX_TOKENS", "1", "max_tokens", 1),
            ("LLM_CONFIDENCE_THRESHOLD", "0.8", "confidence_threshold", 0.8),
            ("LLM_HTTP_CARRIER", "HTTPX", "http_carrier", "httpx"),
            ("LLM_HTTP_CARRIER", "aiohttp", "http_carrier", "aiohttp"),
            ("LLM_HTTP_CONNECTIONS_PER_HOST", "20", "http_connections_per_host", 20),
            ("LLM_HTTP_KEEP_ALIVE", "7.5", "http_keep_alive", 7.5),
            ("LLM_HTTP_CARRIER", "httpx2", "http_carrier", "httpx2"),
            ("LLM_HTTP2", "true", "http2", True),
            ("LLM_PROVIDERS_FILE", "rows.toml", "providers_file", "rows.toml"),
            ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
            ("LOG_FORMAT", "JSON", "log_format", "json"),
            ("NO_PROXY", "a, .b", "no_proxy", ("a", ".b")),
            ("https_proxy", "http://p:1", "https_proxy", "http://p:1"),
        ],
    )
    def test_setting_value_is_parsed_by_type(self, variable: str, text: str, name: str, value: object) -> None:
        assert getattr(settings_of(**{variable: text}), name) == value

    @pytest.mark.parametrize(
        ("variable", "text"),
        [
            ("STRICT_PROVIDER_MODE", "maybe"),
            ("LLM_REQUEST_TIMEOUT", "0"),
            ("LLM_REQUEST_TIMEOUT", "inf"),
            ("LLM_DEADLINE", "-1"),
            ("LLM_DEADLINE", "120s"),
            ("LLM_DEADLINE", "nan"),
            ("LLM_MAX_RETRIES", "-1"),
            ("LLM_MAX_RETRIES", "1.5"),
            ("LLM_MAX_TOKENS", "0"),
            ("LLM_CONFIDENCE_THRESHOLD", "1.1"),
            ("LLM_CONFIDENCE_THRESHOLD", "nan"),
            ("LLM_HTTP_CARRIER", "carrier-pigeon"),
            ("LLM_HTTP_CONNECTIONS_PER_HOST", "0"),
            ("LLM_HTTP_CONNECTIONS_PER_HOST", "2.5"),
            ("LLM_HTTP_KEEP_ALIVE", "0"),
            ("LLM_HTTP_KEEP_ALIVE", "inf"),
            ("LLM_HTTP2", "h2"),
            ("LLM_HEDGE_AFTER", "0"),
            ("LLM_HEDGE_AFTER", "chta=5"),
            ("LLM_HEDGE_AFTER", "chat=5, chat=6"),
            ("LLM_HEDGE_AFTER", "\u0665"),  # a digit outside ASCII
            ("LOG_LEVEL", "LOUD"),
            ("LOG_FORMAT", "xml"),
        ],
    )
    def test_invalid_value_error_names_variable_and_source(self, variable: str, text: str) -> None:
        with pytest.raises(ConfigurationError, match=rf"^{variable} \(argument\): "):
            settings_of(**{variable: text})

    def test_one_error_lists_all_faults_without_values(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLM_DEADLINE", SECRET)
        write(".env", f"LOG_LEVEL={SECRET}\nSTRICT_PROVIDER_MODE=ture\nLOG_FORMAT=jsno\nLLM_MAX_TOKENS=many\n")
        with pytest.raises(ConfigurationError) as caught:
            load_settings(read_environment())
        message = str(caught.value)
        assert message.startswith("5 faults in the environment:")
        assert "\n- LLM_DEADLINE (process environment): " in message
        assert "\n- LLM_MAX_TOKENS (.env): " in message
        assert "\n- STRICT_PROVIDER_MODE (.env): must be one of true, false; did you mean 'true'?" in message
        assert "\n- LOG_FORMAT (.env): must be one of json, console; did you mean 'json'?" in message
        assert "\n- LOG_LEVEL (.env): must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL" in message
        assert SECRET[:8] not in message
        assert SECRET[:8] not in repr(caught.value.__context__)

    def test_settings_refuse_unknown_names(self) -> None:
        with pytest.raises(ValueError, match="extra"):
            Settings(deadlin=5)  # type: ignore[call-arg]


class TestEntries:
    """The entries that `faultmaven config` prints for the settings."""

    def test_every_setting_has_entry_with_source(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLM_DEADLINE", "5")
        write(".env", "LLM_DEADLINE=6\nLLM_FALLBACK_CHAIN=groq,openai\nHTTPS_PROXY=http://user:pass@proxy:3128\n")
        environment = read_environment()
        entries = {entry.variable: entry for entry in settings_entries(environment, load_settings(environment))}
        assert set(entries) == set(VARIABLES)
        deadline = entries["LLM_DEADLINE"]
        assert (deadline.value, deadline.source, deadline.overrode) == ("5", "process environment", (".env",))
        assert (entries["LLM_FALLBACK_CHAIN"].value, entries["LLM_FALLBACK_CHAIN"].source) == ("groq, openai", ".env")
        assert (entries["LLM_MAX_TOKENS"].value, entries["LLM_MAX_TOKENS"].source) == ("", "default")
        assert (entries["STRICT_PROVIDER_MODE"].value, entries["LLM_CONFIDENCE_THRESHOLD"].value) == ("false", "0")
        assert entries["HTTPS_PROXY"].value == "http://***@proxy:3128"


class TestAliases:
    """`LOCAL_LLM_URL` is an alias of `LOCAL_LLM_BASE_URL`."""

    def test_local_llm_url_is_accepted_as_alias(self) -> None:
        config_value = read_environment({"LOCAL_LLM_URL": "http://gpu:8000"}).find("LOCAL_LLM_BASE_URL")
        assert config_value == ConfigValue("http://gpu:8000", "argument as LOCAL_LLM_URL")
        assert warnings_of({"LOCAL_LLM_URL": "http://gpu:8000"}) == []

    def test_main_name_wins_over_alias_within_layer(self) -> None:
        both = {"LOCAL_LLM_URL": "http://a", "LOCAL_LLM_BASE_URL": "http://b"}
        config_value = read_environment(both).find("LOCAL_LLM_BASE_URL")
        assert config_value == ConfigValue("http://b", "argument", ("argument as LOCAL_LLM_URL",))

    def test_stronger_layer_wins_under_either_name(self) -> None:
        layers = (
            Layer("process environment", {"LOCAL_LLM_URL": "http://a"}),
            Layer(".env", {"LOCAL_LLM_BASE_URL": "http://b"}),
        )
        config_value = Environment(layers).find("LOCAL_LLM_BASE_URL")
        assert config_value == ConfigValue("http://a", "process environment as LOCAL_LLM_URL", (".env",))


class TestWarnings:
    """Warnings about variables that are set and never read."""

    @pytest.mark.parametrize(("vendor_name", "own_name"), sorted(VENDOR_NAMES.items()))
    def test_vendor_variable_name_suggests_own_name(self, vendor_name: str, own_name: str) -> None:
        assert warnings_of({vendor_name: "x"}) == [f"{vendor_name} (argument) is not read here; set {own_name}"]
        assert warnings_of({vendor_name: "x", own_name: "y"}) == []

    def test_vendor_names_include_those_of_design(self) -> None:
        names = {"OPENAI_BASE_URL", "GOOGLE_API_KEY", "CO_API_KEY", "HF_TOKEN", "OLLAMA_HOST", "AZURE_OPENAI_API_KEY"}
        assert names <= set(VENDOR_NAMES)
        assert set(VENDOR_NAMES.values()) <= set(ROW_VARIABLES)

    def test_key_file_suppresses_vendor_name_warning(self) -> None:
        assert warnings_of({"GOOGLE_API_KEY": "x", "GEMINI_API_KEY_FILE": "/run/secrets/gemini"}) == []

    def test_vendor_name_read_by_row_is_accepted(self) -> None:
        environment = read_environment({"HF_TOKEN": "x"})
        assert environment_warnings(environment, [*ROW_VARIABLES, "HF_TOKEN"], KEY_VARIABLES) == []

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            ("LLM_DEADLNE", "LLM_DEADLINE"),
            ("LLM_TIMEOUT", "LLM_REQUEST_TIMEOUT"),
            ("LLM_FALLBACK", "LLM_FALLBACK_CHAIN"),
            ("LLM_MAX_TOKEN", "LLM_MAX_TOKENS"),
        ],
    )
    def test_unknown_llm_variable_suggests_nearest_name(self, wrong: str, right: str) -> None:
        assert warnings_of({wrong: "1"}) == [f"{wrong} (argument) is unknown; did you mean {right!r}?"]

    def test_unlike_llm_variable_lists_llm_names(self) -> None:
        (message,) = warnings_of({"LLM_ZZZQQQXXX": "1"})
        assert message.startswith(
            "LLM_ZZZQQQXXX (argument) is unknown; known: LLM_BREAKER_MIN_CALLS, LLM_BREAKER_OPEN_SECONDS, "
        )
        assert "OPENAI" not in message

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            ("OPENAI_KEY", "OPENAI_API_KEY"),
            ("OPENAI_APIKEY", "OPENAI_API_KEY"),
            ("ANTHROPIC_API_KEYS", "ANTHROPIC_API_KEY"),
            ("GROQ_MODLE", "GROQ_MODEL"),
            ("FIREWORKS_API_BASE_URL", "FIREWORKS_API_BASE"),
            ("CHAT_PROVDER", "CHAT_PROVIDER"),
            ("STRICT_PROVIDER", "STRICT_PROVIDER_MODE"),
            ("OPENAI_API_KEY_FIEL", "OPENAI_API_KEY_FILE"),
        ],
    )
    def test_misspelt_variable_suggests_the_right_name(self, wrong: str, right: str) -> None:
        assert warnings_of({wrong: "1"}) == [f"{wrong} (argument) is not read; did you mean {right}?"]

    def test_custom_key_variable_may_have_file(self) -> None:
        environment = read_environment({"ACME_TOKEN_FILE": "/run/secrets/acme"})
        assert environment_warnings(environment, ["ACME_TOKEN"], ["ACME_TOKEN"]) == []

    def test_unrelated_variables_cause_no_warning(self) -> None:
        unrelated = ("PATH", "HOME", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "OPENAI_ORG_ID", "PYTHONPATH", "LOGNAME")
        assert warnings_of(dict.fromkeys(unrelated, "x")) == []

    def test_known_variables_cause_no_warning(self) -> None:
        known = [*VARIABLES, *ROW_VARIABLES, *(f"{name}_FILE" for name in KEY_VARIABLES)]
        assert warnings_of(dict.fromkeys(known, "x")) == []

    def test_warning_never_shows_a_value(self) -> None:
        assert SECRET[:8] not in str(warnings_of({"OPENAI_KEY": SECRET, "LLM_API_KEY": SECRET, "HF_TOKEN": SECRET}))
