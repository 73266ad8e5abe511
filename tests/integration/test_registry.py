"""The registry: four sources of rows, the conditions for a configured provider, and the order of the chain."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import faultmaven
from faultmaven import ConfigurationError, Container, Image, InvalidRequestError, Message, create_container
from faultmaven.infrastructure.llm.providers import (
    PROVIDER_SCHEMA,
    BaseLLMProvider,
    LLMResponse,
    OpenAIProvider,
    ProviderRegistry,
    get_registry,
    reset_registry,
)
from faultmaven.testing import FakeProvider, FaultLab

ROOT = str(Path(faultmaven.__file__).parents[1])
KEY = "sk-planted-0123456789abcdef"

ACME: dict[str, Any] = {
    "api_key_var": "ACME_API_KEY",
    "model_var": "ACME_MODEL",
    "base_url_var": "ACME_API_BASE",
    "default_base_url": "http://lab.invalid/acme/v1",
    "default_model": "acme-1",
    "provider_class": OpenAIProvider,
    "max_retries": 3,
    "timeout": 30,
    "confidence_score": 0.95,
}
ACME_TOML = """
[providers.acme]
api_key_var = "ACME_API_KEY"
model_var = "ACME_MODEL"
base_url_var = "ACME_API_BASE"
default_base_url = "http://lab.invalid/acme/v1"
default_model = "acme-1"
provider_class = "OpenAIProvider"
max_retries = 3
timeout = 30
confidence_score = 0.95
"""
ACME_MODULE = """
from faultmaven.infrastructure.llm.providers import OpenAIProvider

ROW = {
    "api_key_var": "ACME_API_KEY",
    "model_var": "ACME_MODEL",
    "base_url_var": "ACME_API_BASE",
    "default_base_url": "http://lab.invalid/acme/v1",
    "default_model": "acme-1",
    "provider_class": OpenAIProvider,
    "max_retries": 3,
    "timeout": 30,
    "confidence_score": 0.95,
}
"""


class TimedProvider(BaseLLMProvider):
    """A provider class in the form of the guide, loaded by `package.module:Class`."""

    async def generate(self, prompt: Any, *_: Any, **options: Any) -> LLMResponse:
        """Return a constant."""
        return LLMResponse(f"heard {prompt}", 1.0, "itself", "m", None, 0.0)


def registry_of(**variables: str) -> ProviderRegistry:
    return create_container(variables).registry()


def configuration_error(**variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        create_container(variables)
    return str(caught.value)


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a package as pip does: a module and a dist-info directory."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    installed: list[str] = []

    def write_package(package: str, module: str, entry: str = "acme = {module}:ROW") -> None:
        name = package.replace("-", "_")
        installed.append(name)
        (site / f"{name}.py").write_text(module)
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[faultmaven.providers]\n{entry.format(module=name)}\n")

    yield write_package
    for name in installed:
        sys.modules.pop(name, None)


# --- four sources of the same row ------------------------------------------------------------------------------------

OpenWithAcme = Callable[[dict[str, str]], Container]


@pytest.fixture(params=["schema", "file", "package", "register_provider"])
def open_with_acme(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, install: Install
) -> OpenWithAcme:
    """Return a function that creates a container with the row `acme` from one of four sources."""
    source = request.param
    variables: dict[str, str] = {}
    if source == "schema":
        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME)
    elif source == "file":
        (tmp_path / "rows.toml").write_text(ACME_TOML)
        variables["LLM_PROVIDERS_FILE"] = str(tmp_path / "rows.toml")
    elif source == "package":
        install("acme-llm", ACME_MODULE)

    def create(env: dict[str, str]) -> Container:
        container = create_container(env | variables, http_client=FaultLab().client())
        if source == "register_provider":
            container.registry().register_provider("acme", ACME)
        return container

    return create


class TestRowSources:
    """A row from any source behaves the same, with no other change."""

    def test_row_without_key_is_listed_but_unavailable(self, open_with_acme: OpenWithAcme) -> None:
        registry = open_with_acme({}).registry()
        shipped = [name for name in PROVIDER_SCHEMA if name != "acme"]
        assert registry.get_all_provider_names() == [*shipped, "acme"]
        assert "acme" not in registry.get_available_providers()
        status = registry.get_provider_status()["acme"]
        assert (status["available"], status["missing"]) == (False, "ACME_API_KEY is not set")

    async def test_row_with_key_joins_chain_and_answers(self, open_with_acme: OpenWithAcme) -> None:
        container = open_with_acme({"ACME_API_KEY": "k", "GROQ_API_KEY": "k"})
        registry = container.registry()
        assert registry.get_available_providers() == ["groq", "acme"]
        assert registry.get_fallback_chain() == ["acme", "groq"]  # the weight 0.95 is above the 0.8 of groq
        status = registry.get_provider_status()["acme"]
        assert (status["available"], status["key"], status["position"]) == (True, "set", 1)
        assert (status["model"], status["base_url"]) == ("acme-1", "http://lab.invalid/acme/v1")
        response = await container.llm().generate("ping")
        assert (response.provider, response.model) == ("acme", "acme-1")
        assert (await registry.get_provider("acme").generate("ping")).provider == "acme"
        await container.aclose()

    def test_configuration_lists_row_variables(self, open_with_acme: OpenWithAcme) -> None:
        entries = {entry.variable: entry for entry in open_with_acme({"ACME_API_KEY": KEY}).configuration()}
        assert (entries["ACME_API_KEY"].value, entries["ACME_API_KEY"].source) == ("set", "argument")
        assert (entries["ACME_MODEL"].value, entries["ACME_MODEL"].source) == ("acme-1", "default of the row")
        assert KEY[:8] not in repr(list(entries.values()))

    def test_row_variables_apply_and_typos_warn(self, open_with_acme: OpenWithAcme) -> None:
        registry = open_with_acme({"ACME_API_KEY": "k", "ACME_MODEL": "acme-9", "ACME_API_BAS": "http://x"}).registry()
        assert registry.get_provider_status()["acme"]["models"] == ["acme-9"]
        assert registry.get_provider("acme").get_supported_models() == ["acme-9"]
        assert "ACME_API_BAS (argument) is not read; did you mean ACME_API_BASE?" in registry.warnings

    def test_duplicate_row_name_error_names_sources(self, open_with_acme: OpenWithAcme) -> None:
        container = open_with_acme({"ACME_API_KEY": "k"})
        source = container.registry().get_provider_status()["acme"]["source"]
        with pytest.raises(ConfigurationError) as caught:
            container.registry().register_provider("acme", ACME)
        twice = "provider 'acme' is already registered"
        both = f"provider 'acme' is defined in two sources: {source} and register_provider"
        assert str(caught.value) == f"{twice if source == 'register_provider' else both}."
        assert container.registry().get_available_providers() == ["acme"]


def test_command_line_lists_file_row(tmp_path: Path) -> None:
    pytest.importorskip("click", reason="the cli extra is not installed")
    (tmp_path / "rows.toml").write_text(ACME_TOML)
    env = {"PYTHONPATH": ROOT, "LLM_PROVIDERS_FILE": "rows.toml", "ACME_API_KEY": KEY}
    command = [sys.executable, "-m", "faultmaven.cli", "providers", "--json"]
    completed = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    (acme,) = [row for row in json.loads(completed.stdout) if row["name"] == "acme"]
    assert (acme["available"], acme["position"]) == (True, 1)
    assert KEY[:8] not in completed.stdout + completed.stderr


# --- faulty sources --------------------------------------------------------------------------------------------------


class TestFaultySources:
    """Faulty rows and settings raise one `ConfigurationError`."""

    def test_configuration_error_lists_every_fault(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, install: Install
    ) -> None:
        monkeypatch.setitem(PROVIDER_SCHEMA, "bad", ACME | {"timout": 5})
        (tmp_path / "rows.toml").write_text(
            ACME_TOML.replace("OpenAIProvider", "OpenAIProvidr")
            + ACME_TOML.replace(".acme]", ".openai]")
            + ACME_TOML.replace(".acme]", ".none]").replace('"OpenAIProvider"', '"no.such.module:Class"')
        )
        install("broken-llm", "raise RuntimeError('secret words')", "broken = {module}:ROW")
        message = configuration_error(
            LLM_PROVIDERS_FILE=str(tmp_path / "rows.toml"),
            CHAT_PROVIDER="opnai",
            LLM_FALLBACK_CHAIN="groq,bad,grok,broken",
            OPENAI_API_KEY="two words",
            GROQ_API_BASE="groq.example",
        )
        file = f"LLM_PROVIDERS_FILE {tmp_path}/rows.toml"
        assert [line.removeprefix("- ").rstrip(".") for line in message.splitlines()] == [
            "9 faults in the configuration:",
            "provider 'bad' (PROVIDER_SCHEMA): unknown field 'timout'; did you mean 'timeout'?",
            f"provider 'acme' ({file}): 'provider_class' must be the name of a provider class or "
            "package.module:Class, not 'OpenAIProvidr'; did you mean 'OpenAIProvider'?",
            f"provider 'openai' is defined in two sources: PROVIDER_SCHEMA and {file}",
            f"provider 'none' ({file}): 'provider_class' must be a class that can be imported; "
            "no.such.module:Class cannot (ModuleNotFoundError)",
            "provider 'broken' (entry point of broken-llm): its row must be one that loads; "
            "broken_llm:ROW does not (RuntimeError)",
            "OPENAI_API_KEY (argument) is not a key that an HTTP header can carry. Copy the key again, without spaces, "
            "line breaks or quotation marks",
            "GROQ_API_BASE (argument) is not an address. Write the address like https://api.groq.com/openai/v1: "
            "http:// or https://, no ? and no #",
            "CHAT_PROVIDER (argument) names an unknown provider 'opnai'; did you mean 'openai'?",
            "LLM_FALLBACK_CHAIN (argument) names an unknown provider 'grok'; did you mean 'groq'?",
        ]

    def test_missing_providers_file_is_an_error(self) -> None:
        message = configuration_error(LLM_PROVIDERS_FILE="absent.toml")
        assert message == "LLM_PROVIDERS_FILE absent.toml cannot be read: FileNotFoundError."

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[providers.acme\n", "is not TOML: "),
            ("providers = 5\n", "'providers' is not a table"),
            ("[provider.acme]\n", "unknown table 'provider'; did you mean 'providers'?"),
            ("[providers]\nacme = 5\n", "its row is a int, not a mapping"),
            ("[providers.acme]\nprovider_class = 5\n", "'provider_class' must be a provider class"),
        ],
    )
    def test_malformed_providers_file_error_names_file(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "rows.toml").write_text(text)
        fault = configuration_error(LLM_PROVIDERS_FILE="rows.toml")
        assert "LLM_PROVIDERS_FILE rows.toml" in fault
        assert message in fault

    def test_empty_providers_file_adds_no_rows(self, tmp_path: Path) -> None:
        (tmp_path / "rows.toml").write_text("")
        assert registry_of(LLM_PROVIDERS_FILE="rows.toml").get_all_provider_names() == list(PROVIDER_SCHEMA)

    @pytest.mark.parametrize("name", ["acme_classes:Absent", "acme_classes:WORD", ":Class", "acme_broken:Class"])
    def test_unimportable_provider_class_is_configuration_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.syspath_prepend(str(tmp_path))
        (tmp_path / "acme_classes.py").write_text("WORD = 'no class'\n")
        (tmp_path / "acme_broken.py").write_text("this is no python\n")
        (tmp_path / "rows.toml").write_text(ACME_TOML.replace("OpenAIProvider", name))
        message = configuration_error(LLM_PROVIDERS_FILE="rows.toml")
        assert message.startswith("provider 'acme' (LLM_PROVIDERS_FILE rows.toml): 'provider_class' must be a ")

    async def test_provider_class_loads_by_module_path(self, tmp_path: Path) -> None:
        (tmp_path / "rows.toml").write_text(ACME_TOML.replace("OpenAIProvider", f"{__name__}:TimedProvider"))
        container = create_container({"LLM_PROVIDERS_FILE": "rows.toml", "ACME_API_KEY": "k"})
        response = await container.llm().generate("ping")
        assert (response.content, response.provider) == ("heard ping", "acme")

    def test_duplicate_entry_points_error_names_packages(self, install: Install) -> None:
        install("acme-llm", ACME_MODULE)
        install("acme-other", ACME_MODULE)
        message = configuration_error()
        assert "provider 'acme' is defined in two sources: entry point of " in message
        assert {"acme-llm", "acme-other"} <= set(message.rstrip(".").split())

    def test_faulty_row_is_reported_only_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME | {"timeout": 0})
        message = configuration_error(CHAT_PROVIDER="acme", ACME_API_KEY="k")
        assert message == "provider 'acme' (PROVIDER_SCHEMA): 'timeout' must be a number of seconds above 0."

    def test_raising_provider_class_is_configuration_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Broken(TimedProvider):
            def is_available(self) -> bool:
                raise KeyError(KEY)

        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME | {"provider_class": Broken})
        assert configuration_error(ACME_API_KEY="k") == "provider 'acme': Broken cannot be created (KeyError)."

    def test_is_available_false_excludes_provider(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Unavailable(TimedProvider):
            def is_available(self) -> bool:
                return False

        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME | {"provider_class": Unavailable})
        registry = registry_of(ACME_API_KEY="k")
        assert "acme" not in registry.get_available_providers()
        assert (
            registry.get_provider_status()["acme"]["missing"] == "the class reports that the provider is not available"
        )

    def test_invalid_registered_row_changes_nothing(self) -> None:
        registry = registry_of(GROQ_API_KEY="k")
        with pytest.raises(ConfigurationError) as caught:
            registry.register_provider("acme", {"modelvar": "X"})
        assert "provider 'acme' (register_provider): unknown field 'modelvar'; did you mean 'model_var'?" in str(
            caught.value
        )
        assert "acme" not in registry.get_all_provider_names()
        registry.register_provider("acme", ACME)
        assert "acme" in registry.get_all_provider_names()

    def test_key_in_provider_setting_stays_hidden(self) -> None:
        message = configuration_error(CHAT_PROVIDER=KEY)
        assert message.startswith(
            "CHAT_PROVIDER (argument) names an unknown provider of 27 characters; known: anthropic,"
        )
        assert KEY[:8] not in message

    def test_error_names_source_of_each_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path(".env").write_text("CHAT_PROVIDER=opnai\n")
        monkeypatch.setenv("CODE_PROVIDER", "opnai")
        with pytest.raises(ConfigurationError) as caught:
            create_container()
        assert "CHAT_PROVIDER (.env) names" in str(caught.value)
        assert "CODE_PROVIDER (process environment) names" in str(caught.value)


# --- configured providers --------------------------------------------------------------------------------------------

NEEDS_KEY = [name for name, row in PROVIDER_SCHEMA.items() if row.get("key") != "optional"]
LOCAL = [name for name, row in PROVIDER_SCHEMA.items() if row.get("key") == "optional"]


class TestConfigured:
    """A vendor needs the key of the row; a local server needs any variable of the row or a setting with the name."""

    @pytest.mark.parametrize("name", NEEDS_KEY)
    def test_key_alone_configures_vendor(self, name: str) -> None:
        row = PROVIDER_SCHEMA[name]
        assert registry_of(**{row["model_var"]: "m"}).get_available_providers() == []
        address = {} if row["default_base_url"] else {row["base_url_var"]: "https://mine.example/v1"}
        registry = registry_of(**{row["api_key_var"]: "k"}, **address)
        assert registry.get_available_providers() == [name]
        assert registry.get_fallback_chain() == [name]

    def test_local_server_needs_explicit_configuration(self) -> None:
        registry = registry_of(OPENAI_API_KEY="k")
        assert registry.get_fallback_chain() == ["openai"]
        status = registry.get_provider_status()["ollama"]
        assert (status["key"], status["in_chain"], status["position"]) == ("not needed", False, None)
        assert status["missing"] == "none of OLLAMA_API_KEY, OLLAMA_MODEL, OLLAMA_API_BASE is set"

    @pytest.mark.parametrize("name", LOCAL)
    @pytest.mark.parametrize(
        ("field", "value"), [("api_key_var", "k"), ("model_var", "m"), ("base_url_var", "http://h")]
    )
    def test_any_row_variable_configures_local_server(self, name: str, field: str, value: str) -> None:
        registry = registry_of(**{PROVIDER_SCHEMA[name][field]: value})  # type: ignore[literal-required]
        assert registry.get_available_providers() == [name]

    def test_key_file_configures_local_server(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("k\n")
        assert registry_of(VLLM_API_KEY_FILE="key").get_available_providers() == ["vllm"]

    @pytest.mark.parametrize("variable", ["CHAT_PROVIDER", "CODE_PROVIDER", "LLM_FALLBACK_CHAIN"])
    def test_provider_setting_configures_local_server(self, variable: str) -> None:
        registry = registry_of(**{variable: "ollama"})
        assert registry.get_available_providers() == ["ollama"]
        assert registry.get_provider_status()["ollama"]["base_url"] == "http://localhost:11434"

    def test_azure_requires_key_and_base_url(self) -> None:
        registry = registry_of(AZURE_API_KEY="k")
        assert registry.get_provider_status()["azure"]["missing"] == "AZURE_API_BASE is not set"
        both = registry_of().get_provider_status()["azure"]["missing"]
        assert both == "AZURE_API_KEY and AZURE_API_BASE are not set"

    async def test_empty_configuration_error_lists_key_variables(self) -> None:
        container = create_container({})
        assert container.registry().get_available_providers() == container.registry().get_fallback_chain() == []
        assert not container.llm().is_available()
        with pytest.raises(ConfigurationError) as caught:
            await container.llm().generate("ping")
        for name in NEEDS_KEY:
            assert PROVIDER_SCHEMA[name]["api_key_var"] in str(caught.value)

    def test_first_comma_separated_model_is_default(self) -> None:
        registry = registry_of(OPENAI_API_KEY="k", OPENAI_MODEL=" gpt-a, gpt-b ,,gpt-a")
        listed = PROVIDER_SCHEMA["openai"]["models"]
        assert registry.get_provider("openai").get_supported_models() == ["gpt-a", "gpt-b", *listed]
        assert registry.get_provider_status()["openai"]["model"] == "gpt-a"

    def test_row_models_follow_configured_models(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME | {"models": ["acme-2", "acme-1"]})
        assert registry_of(ACME_API_KEY="k").get_provider_status()["acme"]["models"] == ["acme-1", "acme-2"]
        chosen = registry_of(ACME_API_KEY="k", ACME_MODEL="acme-9").get_provider_status()["acme"]["models"]
        assert chosen == ["acme-9", "acme-2", "acme-1"]

    def test_base_url_loses_slash_and_hides_password(self) -> None:
        registry = registry_of(OPENAI_API_KEY="k", OPENAI_API_BASE="https://user:pass@gateway.example/v1/")
        assert registry.get_provider_status()["openai"]["base_url"] == "https://***@gateway.example/v1"
        (entry,) = [entry for entry in registry.entries() if entry.variable == "OPENAI_API_BASE"]
        assert entry.value == "https://***@gateway.example/v1"

    def test_settings_override_timeout_retries_and_tokens(self) -> None:
        variables = {"OPENAI_API_KEY": "k", "LLM_REQUEST_TIMEOUT": "5", "LLM_MAX_RETRIES": "0", "LLM_MAX_TOKENS": "9"}
        config = registry_of(**variables).get_provider("openai").config  # type: ignore[attr-defined]
        assert (config.timeout, config.max_retries, config.default_max_tokens) == (5, 0, 9)

    @pytest.mark.parametrize(
        ("variable", "message"),
        [
            ("CHAT_PROVIDER", "CHAT_PROVIDER (argument) names 'groq', which is not configured: GROQ_API_KEY is not"),
            ("CODE_PROVIDER", "CODE_PROVIDER (argument) names 'groq', which is not configured: GROQ_API_KEY is not"),
        ],
    )
    def test_unconfigured_primary_is_an_opening_error(self, variable: str, message: str) -> None:
        assert configuration_error(**{variable: "groq", "OPENAI_API_KEY": "k"}).startswith(message)


# --- chain, strict mode, roles ---------------------------------------------------------------------------------------


async def answering_provider(container: Container, role: str | None = None, **options: Any) -> str:
    return (await container.llm(role=role).generate("ping", **options)).provider


def lab_container(*names: str, lab: FaultLab | None = None, **variables: str) -> Container:
    lab = lab or FaultLab()
    return create_container(lab.env(*names) | {"LLM_MAX_RETRIES": "0"} | variables, http_client=lab.client())


class TestChain:
    """The primary comes first, then the explicit chain, or all other rows by weight and schema order."""

    def test_chain_follows_weight_then_schema_order(self) -> None:
        container = lab_container("deepinfra", "groq", "gemini", "cohere", "openai")
        # openai 0.9, gemini 0.85, cohere and groq 0.8 in schema order, deepinfra 0.75
        assert container.registry().get_fallback_chain() == ["openai", "gemini", "cohere", "groq", "deepinfra"]

    def test_primary_comes_first_in_chain(self) -> None:
        container = lab_container("groq", "gemini", "openai", CHAT_PROVIDER="groq")
        assert container.registry().get_fallback_chain() == ["groq", "openai", "gemini"]

    def test_explicit_chain_replaces_default_order(self) -> None:
        container = lab_container("groq", "gemini", "openai", CHAT_PROVIDER="groq", LLM_FALLBACK_CHAIN="gemini")
        assert container.registry().get_fallback_chain() == ["groq", "gemini"]

    async def test_unconfigured_chain_entry_is_skipped(self) -> None:
        lab = FaultLab()
        lab.script("openai", "overloaded")
        container = lab_container("groq", "openai", lab=lab, LLM_FALLBACK_CHAIN="mistral,groq", CHAT_PROVIDER="openai")
        assert container.registry().get_fallback_chain() == ["openai", "groq"]
        assert container.registry().get_provider_status()["mistral"]["in_chain"] is False
        assert await answering_provider(container) == "groq"
        assert [request.provider for request in lab.requests] == ["openai", "groq"]

    def test_rows_below_confidence_threshold_come_last(self) -> None:
        chain = lab_container("deepinfra", "groq", "openai", LLM_CONFIDENCE_THRESHOLD="0.85").registry()
        assert chain.get_fallback_chain() == ["openai", "groq", "deepinfra"]
        explicit = lab_container(
            "deepinfra", "groq", "openai", "xai", LLM_FALLBACK_CHAIN="groq,xai", LLM_CONFIDENCE_THRESHOLD="0.85"
        )
        assert explicit.registry().get_fallback_chain() == ["openai", "xai", "groq"]

    async def test_strict_mode_calls_primary_only(self) -> None:
        lab = FaultLab()
        lab.script("openai", "overloaded")
        container = lab_container("openai", "groq", lab=lab, STRICT_PROVIDER_MODE="true")
        assert container.registry().get_fallback_chain() == ["openai"]
        with pytest.raises(faultmaven.ProviderUnavailableError):
            await container.llm().generate("ping")
        assert len(lab.requests) == 1

    @pytest.mark.parametrize("role", ["multimodal", "synthesis", "classifier", "code"])
    async def test_role_primary_precedes_chat_chain(self, role: str) -> None:
        lab = FaultLab()
        container = lab_container("openai", "groq", "gemini", lab=lab, **{f"{role.upper()}_PROVIDER": "groq"})
        assert await answering_provider(container, role) == "groq"
        assert await answering_provider(container) == "openai"
        lab.script("groq", "overloaded")
        assert await answering_provider(container, role) == "openai"

    async def test_role_without_primary_uses_chat_primary(self) -> None:
        container = lab_container("openai", "groq", CHAT_PROVIDER="groq")
        for role in ("chat", "multimodal", "synthesis", "classifier", "code"):
            assert await answering_provider(container, role) == "groq"

    async def test_strict_role_calls_role_primary_only(self) -> None:
        lab = FaultLab()
        lab.script("groq", "overloaded")
        container = lab_container("openai", "groq", lab=lab, CODE_PROVIDER="groq", STRICT_PROVIDER_MODE="1")
        with pytest.raises(faultmaven.ProviderUnavailableError):
            await container.llm(role="code").generate("ping")
        assert [request.provider for request in lab.requests] == ["groq"]

    async def test_image_request_goes_to_multimodal_primary(self) -> None:
        names = {"chatty": FakeProvider("chatty"), "seer": FakeProvider("seer")}
        env = {"MULTIMODAL_PROVIDER": "seer", "CHAT_PROVIDER": "chatty"}
        container = create_container(env, providers=names)
        picture = [Message.user("What is this?", Image.from_bytes(b"\x89PNG\r\n\x1a\n", "image/png"))]
        assert (await container.llm().generate(picture)).provider == "seer"
        assert (await container.llm().generate("ping")).provider == "chatty"
        assert (await container.llm(role="chat").generate(picture)).provider == "chatty"

    def test_unknown_role_error_suggests_nearest_name(self) -> None:
        with pytest.raises(InvalidRequestError, match=r"unknown role 'synthesys'; did you mean 'synthesis'\?"):
            lab_container("openai").llm(role="synthesys")

    async def test_pinned_provider_has_no_fallback(self) -> None:
        lab = FaultLab()
        lab.script("groq", "overloaded")
        container = lab_container("openai", "groq", lab=lab)
        with pytest.raises(faultmaven.ProviderUnavailableError):
            await container.llm(provider="groq").generate("ping")
        assert [request.provider for request in lab.requests] == ["groq"]


# --- other parts of the registry -------------------------------------------------------------------------------------


class TestGetProvider:
    """`get_provider` returns one provider by name."""

    def test_unknown_provider_error_suggests_nearest_name(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^unknown provider 'opnai'; did you mean 'openai'\?"):
            registry_of().get_provider("opnai")
        with pytest.raises(ConfigurationError, match=r"^unknown provider 'opnai'; did you mean 'openai'\?"):
            create_container({}).llm(provider="opnai")

    def test_unconfigured_provider_error_names_missing_variable(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^openai is not configured: OPENAI_API_KEY is not set"):
            registry_of().get_provider("openai")

    async def test_registry_provider_has_no_fallback(self) -> None:
        lab = FaultLab()
        lab.script("openai", "overloaded")
        container = lab_container("openai", "groq", lab=lab)
        with pytest.raises(faultmaven.ProviderUnavailableError):
            await container.registry().get_provider("openai").generate("ping")
        assert [request.provider for request in lab.requests] == ["openai"]


class TestProcessWide:
    """`get_registry()` builds one registry for the process from the environment on first use."""

    def test_registry_is_shared_until_reset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = get_registry()
        monkeypatch.setenv("GROQ_API_KEY", "k")
        assert get_registry() is first
        assert first.get_available_providers() == []
        reset_registry()
        assert get_registry().get_available_providers() == ["groq"]

    def test_get_registry_reads_env_file(self) -> None:
        Path(".env").write_text("export GROQ_API_KEY='k' # mine\n")
        assert get_registry().get_available_providers() == ["groq"]

    def test_get_registry_does_not_import_container(self) -> None:
        script = """
            import sys
            from faultmaven.infrastructure.llm.providers import get_registry
            assert len(get_registry().get_all_provider_names()) >= 22
            assert "faultmaven.container" not in sys.modules
            assert "dependency_injector" not in sys.modules
        """
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, env={"PYTHONPATH": ROOT})


class TestReload:
    """A reload builds a complete new configuration and then replaces the current one."""

    def test_reload_applies_key_and_keeps_registered_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        registry = create_container().registry()
        registry.register_provider("acme", ACME)
        Path(".env").write_text("ACME_API_KEY=k\n")
        assert registry.get_available_providers() == []
        registry.reload()
        assert registry.get_available_providers() == ["acme"]
        monkeypatch.setenv("GROQ_API_KEY", "k")
        registry.reload()
        assert registry.get_available_providers() == ["groq", "acme"]

    def test_reload_applies_new_schema_row(self, monkeypatch: pytest.MonkeyPatch) -> None:
        registry = registry_of(ACME_API_KEY="k")
        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME)
        registry.reload()
        assert registry.get_fallback_chain() == ["acme"]

    def test_reload_tracks_installed_and_removed_packages(self, tmp_path: Path, install: Install) -> None:
        registry = create_container({}, http_client=FaultLab().client()).registry()
        os.utime(tmp_path / "site", (0, 0))  # an old time, so that the resolution of file times does not matter
        registry.reload()
        assert "acme" not in registry.get_all_provider_names()
        install("acme-llm", ACME_MODULE)
        registry.reload()
        assert "acme" in registry.get_all_provider_names()
        shutil.rmtree(tmp_path / "site" / "acme_llm-1.0.dist-info")
        os.utime(tmp_path / "site", (1, 1))
        registry.reload()
        assert "acme" not in registry.get_all_provider_names()

    def test_invalid_reload_keeps_current_configuration(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GROQ_API_KEY", "k")
        container = create_container()
        for wrong in ({"CHAT_PROVIDER": "nobody"}, {"LLM_DEADLINE": "soon"}, {"LLM_PROVIDERS_FILE": "absent"}):
            with monkeypatch.context() as changed:
                changed.setattr(os, "environ", os.environ | wrong)
                with pytest.raises(ConfigurationError):
                    container.registry().reload()
            assert container.registry().get_fallback_chain() == ["groq"]
            assert container.settings().deadline == 120


def test_containers_in_one_process_are_isolated() -> None:
    one = create_container({"GROQ_API_KEY": "k", "LLM_DEADLINE": "5"})
    two = create_container({"OPENAI_API_KEY": "k", "CHAT_PROVIDER": "openai"})
    one.registry().register_provider("acme", ACME)
    assert one.registry().get_available_providers() == ["groq"]
    assert two.registry().get_available_providers() == ["openai"]
    assert "acme" not in two.registry().get_all_provider_names()
    assert (one.settings().deadline, two.settings().deadline) == (5, 120)
    assert (one.settings().chat_provider, two.settings().chat_provider) == (None, "openai")
    assert one.transport() is not two.transport()
