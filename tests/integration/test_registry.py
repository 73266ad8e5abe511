"""The registry: four ways to add a row, what counts as configured, who is asked in which order."""

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
    """A class of the guide's form, for `package.module:Class`."""

    async def generate(self, prompt: Any, *_: Any, **options: Any) -> LLMResponse:
        """Return a constant."""
        return LLMResponse(f"heard {prompt}", 1.0, "itself", "m", None, 0.0)


def registry_of(**variables: str) -> ProviderRegistry:
    return create_container(variables).registry()


def fault_of(**variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        create_container(variables)
    return str(caught.value)


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Give a function that installs a package, in the form pip leaves behind: a module and its dist-info."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    made: list[str] = []

    def put(package: str, module: str, entry: str = "acme = {module}:ROW") -> None:
        name = package.replace("-", "_")
        made.append(name)
        (site / f"{name}.py").write_text(module)
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[faultmaven.providers]\n{entry.format(module=name)}\n")

    yield put
    for name in made:
        sys.modules.pop(name, None)


# --- four ways to add the same row -----------------------------------------------------------------------------------

Way = Callable[[dict[str, str]], Container]


@pytest.fixture(params=["schema", "file", "package", "register_provider"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, install: Install) -> Way:
    """Give a function of an environment that returns a container with the row `acme`, added in one of four ways."""
    kind = request.param
    variables: dict[str, str] = {}
    if kind == "schema":
        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME)
    elif kind == "file":
        (tmp_path / "rows.toml").write_text(ACME_TOML)
        variables["LLM_PROVIDERS_FILE"] = str(tmp_path / "rows.toml")
    elif kind == "package":
        install("acme-llm", ACME_MODULE)

    def opened(env: dict[str, str]) -> Container:
        container = create_container(env | variables, http_client=FaultLab().client())
        if kind == "register_provider":
            container.registry().register_provider("acme", ACME)
        return container

    return opened


class TestFourWays:
    """One row, nothing else edited."""

    def test_without_its_key_it_is_there_and_not_available(self, way: Way) -> None:
        registry = way({}).registry()
        shipped = [name for name in PROVIDER_SCHEMA if name != "acme"]
        assert registry.get_all_provider_names() == [*shipped, "acme"]
        assert "acme" not in registry.get_available_providers()
        status = registry.get_provider_status()["acme"]
        assert (status["available"], status["missing"]) == (False, "ACME_API_KEY is not set")

    async def test_with_its_key_it_is_available_in_the_chain_and_answers(self, way: Way) -> None:
        container = way({"ACME_API_KEY": "k", "GROQ_API_KEY": "k"})
        registry = container.registry()
        assert registry.get_available_providers() == ["groq", "acme"]
        assert registry.get_fallback_chain() == ["acme", "groq"]  # 0.95 is above groq's 0.8
        status = registry.get_provider_status()["acme"]
        assert (status["available"], status["key"], status["position"]) == (True, "set", 1)
        assert (status["model"], status["base_url"]) == ("acme-1", "http://lab.invalid/acme/v1")
        response = await container.llm().generate("ping")
        assert (response.provider, response.model) == ("acme", "acme-1")
        assert (await registry.get_provider("acme").generate("ping")).provider == "acme"
        await container.aclose()

    def test_the_configuration_lists_its_variables(self, way: Way) -> None:
        entries = {entry.variable: entry for entry in way({"ACME_API_KEY": KEY}).configuration()}
        assert (entries["ACME_API_KEY"].value, entries["ACME_API_KEY"].source) == ("set", "argument")
        assert (entries["ACME_MODEL"].value, entries["ACME_MODEL"].source) == ("acme-1", "default of the row")
        assert KEY[:8] not in repr(list(entries.values()))

    def test_its_variables_take_effect_and_their_near_misses_are_told(self, way: Way) -> None:
        registry = way({"ACME_API_KEY": "k", "ACME_MODEL": "acme-9", "ACME_API_BAS": "http://x"}).registry()
        assert registry.get_provider_status()["acme"]["models"] == ["acme-9"]
        assert registry.get_provider("acme").get_supported_models() == ["acme-9"]
        assert "ACME_API_BAS (argument) is not read; did you mean ACME_API_BASE?" in registry.warnings

    def test_the_same_name_from_another_source_is_an_error_that_names_both(self, way: Way) -> None:
        container = way({"ACME_API_KEY": "k"})
        source = container.registry().get_provider_status()["acme"]["source"]
        with pytest.raises(ConfigurationError) as caught:
            container.registry().register_provider("acme", ACME)
        twice = "provider 'acme' is already registered"
        both = f"provider 'acme' stands in two sources: {source} and register_provider"
        assert str(caught.value) == f"{twice if source == 'register_provider' else both}."
        assert container.registry().get_available_providers() == ["acme"]


def test_a_row_of_a_file_shows_in_the_command_line(tmp_path: Path) -> None:
    pytest.importorskip("click", reason="the cli extra is not installed")
    (tmp_path / "rows.toml").write_text(ACME_TOML)
    env = {"PYTHONPATH": ROOT, "LLM_PROVIDERS_FILE": "rows.toml", "ACME_API_KEY": KEY}
    command = [sys.executable, "-m", "faultmaven.cli", "providers", "--json"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    (acme,) = [row for row in json.loads(done.stdout) if row["name"] == "acme"]
    assert (acme["available"], acme["position"]) == (True, 1)
    assert KEY[:8] not in done.stdout + done.stderr


# --- sources that are wrong ------------------------------------------------------------------------------------------


class TestWrongSources:
    """Every fault of every source in one error."""

    def test_one_error_lists_every_fault_with_source_and_nearest_name(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, install: Install
    ) -> None:
        monkeypatch.setitem(PROVIDER_SCHEMA, "bad", ACME | {"timout": 5})
        (tmp_path / "rows.toml").write_text(
            ACME_TOML.replace("OpenAIProvider", "OpenAIProvidr")
            + ACME_TOML.replace(".acme]", ".openai]")
            + ACME_TOML.replace(".acme]", ".none]").replace('"OpenAIProvider"', '"no.such.module:Class"')
        )
        install("broken-llm", "raise RuntimeError('secret words')", "broken = {module}:ROW")
        told = fault_of(
            LLM_PROVIDERS_FILE=str(tmp_path / "rows.toml"),
            CHAT_PROVIDER="opnai",
            LLM_FALLBACK_CHAIN="groq,bad,grok,broken",
            OPENAI_API_KEY="two words",
            GROQ_API_BASE="groq.example",
        )
        file = f"LLM_PROVIDERS_FILE {tmp_path}/rows.toml"
        assert [line.removeprefix("- ").rstrip(".") for line in told.splitlines()] == [
            "9 faults in the configuration:",
            "provider 'bad' (PROVIDER_SCHEMA): unknown field 'timout'; did you mean 'timeout'?",
            f"provider 'acme' ({file}): 'provider_class' must be the name of a provider class or "
            "package.module:Class, not 'OpenAIProvidr'; did you mean 'OpenAIProvider'?",
            f"provider 'openai' stands in two sources: PROVIDER_SCHEMA and {file}",
            f"provider 'none' ({file}): 'provider_class' must be a class that can be imported; "
            "no.such.module:Class cannot (ModuleNotFoundError)",
            "provider 'broken' (entry point of broken-llm): its row must be one that loads; "
            "broken_llm:ROW does not (RuntimeError)",
            "OPENAI_API_KEY (argument) is no key that an HTTP header can carry. Copy the key again, without spaces, "
            "line breaks or quotation marks",
            "GROQ_API_BASE (argument) is no address. Write it like https://api.groq.com/openai/v1: http:// or "
            "https://, no ? and no #",
            "CHAT_PROVIDER (argument) names an unknown provider 'opnai'; did you mean 'openai'?",
            "LLM_FALLBACK_CHAIN (argument) names an unknown provider 'grok'; did you mean 'groq'?",
        ]

    def test_a_file_that_is_not_there_is_an_error(self) -> None:
        told = fault_of(LLM_PROVIDERS_FILE="absent.toml")
        assert told == "LLM_PROVIDERS_FILE absent.toml cannot be read: FileNotFoundError."

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[providers.acme\n", "is no TOML: "),
            ("providers = 5\n", "'providers' is no table"),
            ("[provider.acme]\n", "unknown table 'provider'; did you mean 'providers'?"),
            ("[providers]\nacme = 5\n", "its row is a int, not a mapping"),
            ("[providers.acme]\nprovider_class = 5\n", "'provider_class' must be a provider class"),
        ],
    )
    def test_a_file_of_another_shape_is_an_error_that_names_it(self, tmp_path: Path, text: str, told: str) -> None:
        (tmp_path / "rows.toml").write_text(text)
        fault = fault_of(LLM_PROVIDERS_FILE="rows.toml")
        assert "LLM_PROVIDERS_FILE rows.toml" in fault
        assert told in fault

    def test_an_empty_file_adds_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "rows.toml").write_text("")
        assert registry_of(LLM_PROVIDERS_FILE="rows.toml").get_all_provider_names() == list(PROVIDER_SCHEMA)

    @pytest.mark.parametrize("name", ["acme_classes:Absent", "acme_classes:WORD", ":Class", "acme_broken:Class"])
    def test_a_class_that_cannot_be_had_is_a_fault_and_never_an_exception_of_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.syspath_prepend(str(tmp_path))
        (tmp_path / "acme_classes.py").write_text("WORD = 'no class'\n")
        (tmp_path / "acme_broken.py").write_text("this is no python\n")
        (tmp_path / "rows.toml").write_text(ACME_TOML.replace("OpenAIProvider", name))
        told = fault_of(LLM_PROVIDERS_FILE="rows.toml")
        assert told.startswith("provider 'acme' (LLM_PROVIDERS_FILE rows.toml): 'provider_class' must be a ")

    async def test_a_class_by_module_and_name_works(self, tmp_path: Path) -> None:
        (tmp_path / "rows.toml").write_text(ACME_TOML.replace("OpenAIProvider", f"{__name__}:TimedProvider"))
        container = create_container({"LLM_PROVIDERS_FILE": "rows.toml", "ACME_API_KEY": "k"})
        response = await container.llm().generate("ping")
        assert (response.content, response.provider) == ("heard ping", "acme")

    def test_two_packages_with_one_name_are_an_error_that_names_both(self, install: Install) -> None:
        install("acme-llm", ACME_MODULE)
        install("acme-other", ACME_MODULE)
        told = fault_of()
        assert "provider 'acme' stands in two sources: entry point of " in told
        assert {"acme-llm", "acme-other"} <= set(told.rstrip(".").split())

    def test_a_setting_that_names_a_faulty_row_is_not_blamed_as_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME | {"timeout": 0})
        told = fault_of(CHAT_PROVIDER="acme", ACME_API_KEY="k")
        assert told == "provider 'acme' (PROVIDER_SCHEMA): 'timeout' must be a number of seconds above 0."

    def test_a_class_that_raises_when_made_is_a_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Broken(TimedProvider):
            def is_available(self) -> bool:
                raise KeyError(KEY)

        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME | {"provider_class": Broken})
        assert fault_of(ACME_API_KEY="k") == "provider 'acme': Broken cannot be made (KeyError)."

    def test_a_class_that_says_no_is_not_available(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Shut(TimedProvider):
            def is_available(self) -> bool:
                return False

        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME | {"provider_class": Shut})
        registry = registry_of(ACME_API_KEY="k")
        assert "acme" not in registry.get_available_providers()
        assert registry.get_provider_status()["acme"]["missing"] == "its class says that it is not available"

    def test_a_faulty_row_at_run_time_changes_nothing(self) -> None:
        registry = registry_of(GROQ_API_KEY="k")
        with pytest.raises(ConfigurationError) as caught:
            registry.register_provider("acme", {"modelvar": "X"})
        assert "provider 'acme' (register_provider): unknown field 'modelvar'; did you mean 'model_var'?" in str(
            caught.value
        )
        assert "acme" not in registry.get_all_provider_names()
        registry.register_provider("acme", ACME)
        assert "acme" in registry.get_all_provider_names()

    def test_a_key_pasted_where_a_name_belongs_is_not_shown(self) -> None:
        told = fault_of(CHAT_PROVIDER=KEY)
        assert told.startswith("CHAT_PROVIDER (argument) names an unknown provider of 27 characters; known: anthropic,")
        assert KEY[:8] not in told

    def test_a_source_is_named_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path(".env").write_text("CHAT_PROVIDER=opnai\n")
        monkeypatch.setenv("CODE_PROVIDER", "opnai")
        with pytest.raises(ConfigurationError) as caught:
            create_container()
        assert "CHAT_PROVIDER (.env) names" in str(caught.value)
        assert "CODE_PROVIDER (process environment) names" in str(caught.value)


# --- configured means ------------------------------------------------------------------------------------------------

NEEDS_KEY = [name for name, row in PROVIDER_SCHEMA.items() if row.get("key") != "optional"]
LOCAL = [name for name, row in PROVIDER_SCHEMA.items() if row.get("key") == "optional"]


class TestConfigured:
    """The key where it is needed; elsewhere one of the row's variables, or a setting that names the row."""

    @pytest.mark.parametrize("name", NEEDS_KEY)
    def test_a_vendor_is_configured_by_its_key_alone(self, name: str) -> None:
        row = PROVIDER_SCHEMA[name]
        assert registry_of(**{row["model_var"]: "m"}).get_available_providers() == []
        address = {} if row["default_base_url"] else {row["base_url_var"]: "https://mine.example/v1"}
        registry = registry_of(**{row["api_key_var"]: "k"}, **address)
        assert registry.get_available_providers() == [name]
        assert registry.get_fallback_chain() == [name]

    def test_no_local_server_enters_by_itself(self) -> None:
        registry = registry_of(OPENAI_API_KEY="k")
        assert registry.get_fallback_chain() == ["openai"]
        status = registry.get_provider_status()["ollama"]
        assert (status["key"], status["in_chain"], status["position"]) == ("not needed", False, None)
        assert status["missing"] == "none of OLLAMA_API_KEY, OLLAMA_MODEL, OLLAMA_API_BASE is set"

    @pytest.mark.parametrize("name", LOCAL)
    @pytest.mark.parametrize(
        ("field", "value"), [("api_key_var", "k"), ("model_var", "m"), ("base_url_var", "http://h")]
    )
    def test_one_of_its_variables_configures_a_local_server(self, name: str, field: str, value: str) -> None:
        registry = registry_of(**{PROVIDER_SCHEMA[name][field]: value})  # type: ignore[literal-required]
        assert registry.get_available_providers() == [name]

    def test_a_key_file_configures_a_local_server(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("k\n")
        assert registry_of(VLLM_API_KEY_FILE="key").get_available_providers() == ["vllm"]

    @pytest.mark.parametrize("variable", ["CHAT_PROVIDER", "CODE_PROVIDER", "LLM_FALLBACK_CHAIN"])
    def test_a_setting_that_names_it_configures_a_local_server(self, variable: str) -> None:
        registry = registry_of(**{variable: "ollama"})
        assert registry.get_available_providers() == ["ollama"]
        assert registry.get_provider_status()["ollama"]["base_url"] == "http://localhost:11434"

    def test_azure_needs_its_address_as_well(self) -> None:
        registry = registry_of(AZURE_API_KEY="k")
        assert registry.get_provider_status()["azure"]["missing"] == "AZURE_API_BASE is not set"
        both = registry_of().get_provider_status()["azure"]["missing"]
        assert both == "AZURE_API_KEY and AZURE_API_BASE are not set"

    async def test_nothing_configured_opens_and_generate_names_the_key_variables(self) -> None:
        container = create_container({})
        assert container.registry().get_available_providers() == container.registry().get_fallback_chain() == []
        assert not container.llm().is_available()
        with pytest.raises(ConfigurationError) as caught:
            await container.llm().generate("ping")
        for name in NEEDS_KEY:
            assert PROVIDER_SCHEMA[name]["api_key_var"] in str(caught.value)

    def test_models_are_comma_separated_and_the_first_is_the_default(self) -> None:
        registry = registry_of(OPENAI_API_KEY="k", OPENAI_MODEL=" gpt-a, gpt-b ,,gpt-a")
        listed = PROVIDER_SCHEMA["openai"]["models"]
        assert registry.get_provider("openai").get_supported_models() == ["gpt-a", "gpt-b", *listed]
        assert registry.get_provider_status()["openai"]["model"] == "gpt-a"

    def test_the_rows_further_models_stand_behind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME | {"models": ["acme-2", "acme-1"]})
        assert registry_of(ACME_API_KEY="k").get_provider_status()["acme"]["models"] == ["acme-1", "acme-2"]
        chosen = registry_of(ACME_API_KEY="k", ACME_MODEL="acme-9").get_provider_status()["acme"]["models"]
        assert chosen == ["acme-9", "acme-2", "acme-1"]

    def test_a_base_url_loses_its_last_slash_and_hides_its_password(self) -> None:
        registry = registry_of(OPENAI_API_KEY="k", OPENAI_API_BASE="https://user:pass@gateway.example/v1/")
        assert registry.get_provider_status()["openai"]["base_url"] == "https://***@gateway.example/v1"
        (entry,) = [entry for entry in registry.entries() if entry.variable == "OPENAI_API_BASE"]
        assert entry.value == "https://***@gateway.example/v1"

    def test_a_model_that_the_settings_limit_is_limited(self) -> None:
        variables = {"OPENAI_API_KEY": "k", "LLM_REQUEST_TIMEOUT": "5", "LLM_MAX_RETRIES": "0", "LLM_MAX_TOKENS": "9"}
        config = registry_of(**variables).get_provider("openai").config  # type: ignore[attr-defined]
        assert (config.timeout, config.max_retries, config.default_max_tokens) == (5, 0, 9)

    @pytest.mark.parametrize(
        ("variable", "told"),
        [
            ("CHAT_PROVIDER", "CHAT_PROVIDER (argument) names 'groq', which is not configured: GROQ_API_KEY is not"),
            ("CODE_PROVIDER", "CODE_PROVIDER (argument) names 'groq', which is not configured: GROQ_API_KEY is not"),
        ],
    )
    def test_a_named_primary_that_is_not_configured_is_an_error_at_open(self, variable: str, told: str) -> None:
        assert fault_of(**{variable: "groq", "OPENAI_API_KEY": "k"}).startswith(told)


# --- chain, strict, roles --------------------------------------------------------------------------------------------


async def asked_first(container: Container, role: str | None = None, **options: Any) -> str:
    return (await container.llm(role=role).generate("ping", **options)).provider


def lab_container(*names: str, lab: FaultLab | None = None, **variables: str) -> Container:
    lab = lab or FaultLab()
    return create_container(lab.env(*names) | {"LLM_MAX_RETRIES": "0"} | variables, http_client=lab.client())


class TestChain:
    """Primary, then the explicit chain or the rest by weight and schema order."""

    def test_by_weight_then_schema_order(self) -> None:
        container = lab_container("deepinfra", "groq", "gemini", "cohere", "openai")
        # openai 0.9, gemini 0.85, cohere and groq 0.8 in schema order, deepinfra 0.75
        assert container.registry().get_fallback_chain() == ["openai", "gemini", "cohere", "groq", "deepinfra"]

    def test_the_primary_comes_first(self) -> None:
        container = lab_container("groq", "gemini", "openai", CHAT_PROVIDER="groq")
        assert container.registry().get_fallback_chain() == ["groq", "openai", "gemini"]

    def test_an_explicit_chain_replaces_the_rest(self) -> None:
        container = lab_container("groq", "gemini", "openai", CHAT_PROVIDER="groq", LLM_FALLBACK_CHAIN="gemini")
        assert container.registry().get_fallback_chain() == ["groq", "gemini"]

    async def test_a_chain_entry_that_is_not_configured_is_skipped(self) -> None:
        lab = FaultLab()
        lab.script("openai", "overloaded")
        container = lab_container("groq", "openai", lab=lab, LLM_FALLBACK_CHAIN="mistral,groq", CHAT_PROVIDER="openai")
        assert container.registry().get_fallback_chain() == ["openai", "groq"]
        assert container.registry().get_provider_status()["mistral"]["in_chain"] is False
        assert await asked_first(container) == "groq"
        assert [request.provider for request in lab.requests] == ["openai", "groq"]

    def test_rows_below_the_threshold_come_last(self) -> None:
        chain = lab_container("deepinfra", "groq", "openai", LLM_CONFIDENCE_THRESHOLD="0.85").registry()
        assert chain.get_fallback_chain() == ["openai", "groq", "deepinfra"]
        explicit = lab_container(
            "deepinfra", "groq", "openai", "xai", LLM_FALLBACK_CHAIN="groq,xai", LLM_CONFIDENCE_THRESHOLD="0.85"
        )
        assert explicit.registry().get_fallback_chain() == ["openai", "xai", "groq"]

    async def test_strict_asks_the_primary_only(self) -> None:
        lab = FaultLab()
        lab.script("openai", "overloaded")
        container = lab_container("openai", "groq", lab=lab, STRICT_PROVIDER_MODE="true")
        assert container.registry().get_fallback_chain() == ["openai"]
        with pytest.raises(faultmaven.ProviderUnavailableError):
            await container.llm().generate("ping")
        assert len(lab.requests) == 1

    @pytest.mark.parametrize("role", ["multimodal", "synthesis", "classifier", "code"])
    async def test_a_role_has_its_own_primary_in_front_of_the_chat_chain(self, role: str) -> None:
        lab = FaultLab()
        container = lab_container("openai", "groq", "gemini", lab=lab, **{f"{role.upper()}_PROVIDER": "groq"})
        assert await asked_first(container, role) == "groq"
        assert await asked_first(container) == "openai"
        lab.script("groq", "overloaded")
        assert await asked_first(container, role) == "openai"

    async def test_a_role_without_a_primary_is_the_chat(self) -> None:
        container = lab_container("openai", "groq", CHAT_PROVIDER="groq")
        for role in ("chat", "multimodal", "synthesis", "classifier", "code"):
            assert await asked_first(container, role) == "groq"

    async def test_a_strict_role_asks_its_primary_only(self) -> None:
        lab = FaultLab()
        lab.script("groq", "overloaded")
        container = lab_container("openai", "groq", lab=lab, CODE_PROVIDER="groq", STRICT_PROVIDER_MODE="1")
        with pytest.raises(faultmaven.ProviderUnavailableError):
            await container.llm(role="code").generate("ping")
        assert [request.provider for request in lab.requests] == ["groq"]

    async def test_an_image_without_a_role_goes_to_the_multimodal_primary(self) -> None:
        names = {"chatty": FakeProvider("chatty"), "seer": FakeProvider("seer")}
        env = {"MULTIMODAL_PROVIDER": "seer", "CHAT_PROVIDER": "chatty"}
        container = create_container(env, providers=names)
        picture = [Message.user("What is this?", Image.from_bytes(b"\x89PNG\r\n\x1a\n", "image/png"))]
        assert (await container.llm().generate(picture)).provider == "seer"
        assert (await container.llm().generate("ping")).provider == "chatty"
        assert (await container.llm(role="chat").generate(picture)).provider == "chatty"

    def test_an_unknown_role_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(InvalidRequestError, match=r"unknown role 'synthesys'; did you mean 'synthesis'\?"):
            lab_container("openai").llm(role="synthesys")

    async def test_a_pinned_provider_is_asked_alone(self) -> None:
        lab = FaultLab()
        lab.script("groq", "overloaded")
        container = lab_container("openai", "groq", lab=lab)
        with pytest.raises(faultmaven.ProviderUnavailableError):
            await container.llm(provider="groq").generate("ping")
        assert [request.provider for request in lab.requests] == ["groq"]


# --- the registry's other names --------------------------------------------------------------------------------------


class TestGetProvider:
    """One provider by name."""

    def test_an_unknown_one_is_told_with_the_nearest(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^unknown provider 'opnai'; did you mean 'openai'\?"):
            registry_of().get_provider("opnai")
        with pytest.raises(ConfigurationError, match=r"^unknown provider 'opnai'; did you mean 'openai'\?"):
            create_container({}).llm(provider="opnai")

    def test_one_that_is_not_configured_is_told_with_what_it_lacks(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^openai is not configured: OPENAI_API_KEY is not set"):
            registry_of().get_provider("openai")

    async def test_it_asks_its_vendor_alone(self) -> None:
        lab = FaultLab()
        lab.script("openai", "overloaded")
        container = lab_container("openai", "groq", lab=lab)
        with pytest.raises(faultmaven.ProviderUnavailableError):
            await container.registry().get_provider("openai").generate("ping")
        assert [request.provider for request in lab.requests] == ["openai"]


class TestProcessWide:
    """`get_registry()`: built from the environment on first use, one for the process."""

    def test_it_is_one_until_it_is_reset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = get_registry()
        monkeypatch.setenv("GROQ_API_KEY", "k")
        assert get_registry() is first
        assert first.get_available_providers() == []
        reset_registry()
        assert get_registry().get_available_providers() == ["groq"]

    def test_it_reads_the_env_file(self) -> None:
        Path(".env").write_text("export GROQ_API_KEY='k' # mine\n")
        assert get_registry().get_available_providers() == ["groq"]

    def test_it_never_imports_the_container(self) -> None:
        script = """
            import sys
            from faultmaven.infrastructure.llm.providers import get_registry
            assert len(get_registry().get_all_provider_names()) >= 22
            assert "faultmaven.container" not in sys.modules
            assert "dependency_injector" not in sys.modules
        """
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, env={"PYTHONPATH": ROOT})


class TestReload:
    """A new generation beside the old, swapped in whole."""

    def test_a_new_key_counts_and_rows_of_run_time_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        registry = create_container().registry()
        registry.register_provider("acme", ACME)
        Path(".env").write_text("ACME_API_KEY=k\n")
        assert registry.get_available_providers() == []
        registry.reload()
        assert registry.get_available_providers() == ["acme"]
        monkeypatch.setenv("GROQ_API_KEY", "k")
        registry.reload()
        assert registry.get_available_providers() == ["groq", "acme"]

    def test_a_row_added_to_the_schema_counts_after_a_reload(self, monkeypatch: pytest.MonkeyPatch) -> None:
        registry = registry_of(ACME_API_KEY="k")
        monkeypatch.setitem(PROVIDER_SCHEMA, "acme", ACME)
        registry.reload()
        assert registry.get_fallback_chain() == ["acme"]

    def test_a_package_installed_meanwhile_counts_after_a_reload_and_is_gone_when_removed(
        self, tmp_path: Path, install: Install
    ) -> None:
        registry = create_container({}, http_client=FaultLab().client()).registry()
        os.utime(tmp_path / "site", (0, 0))  # changed long ago, whatever the resolution of the disk's times
        registry.reload()
        assert "acme" not in registry.get_all_provider_names()
        install("acme-llm", ACME_MODULE)
        registry.reload()
        assert "acme" in registry.get_all_provider_names()
        shutil.rmtree(tmp_path / "site" / "acme_llm-1.0.dist-info")
        os.utime(tmp_path / "site", (1, 1))
        registry.reload()
        assert "acme" not in registry.get_all_provider_names()

    def test_a_bad_new_configuration_raises_and_leaves_the_old_in_force(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GROQ_API_KEY", "k")
        container = create_container()
        for wrong in ({"CHAT_PROVIDER": "nobody"}, {"LLM_DEADLINE": "soon"}, {"LLM_PROVIDERS_FILE": "absent"}):
            with monkeypatch.context() as changed:
                changed.setattr(os, "environ", os.environ | wrong)
                with pytest.raises(ConfigurationError):
                    container.registry().reload()
            assert container.registry().get_fallback_chain() == ["groq"]
            assert container.settings().deadline == 120


def test_two_containers_in_one_process_never_see_each_other() -> None:
    one = create_container({"GROQ_API_KEY": "k", "LLM_DEADLINE": "5"})
    two = create_container({"OPENAI_API_KEY": "k", "CHAT_PROVIDER": "openai"})
    one.registry().register_provider("acme", ACME)
    assert one.registry().get_available_providers() == ["groq"]
    assert two.registry().get_available_providers() == ["openai"]
    assert "acme" not in two.registry().get_all_provider_names()
    assert (one.settings().deadline, two.settings().deadline) == (5, 120)
    assert (one.settings().chat_provider, two.settings().chat_provider) == (None, "openai")
    assert one.transport() is not two.transport()
