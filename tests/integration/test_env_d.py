"""The environments of examples/env.d pass `config --check` unchanged; the air-gapped one sends nothing to vendors."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dotenv
import pytest

from faultmaven import AllProvidersFailedError, LLMError, ProviderUnavailableError, create_container, open_container
from faultmaven.application.generation import ROLES
from faultmaven.infrastructure.http.types import WireRequest
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.infrastructure.settings import VARIABLES
from faultmaven.testing import FakeClock

if TYPE_CHECKING:
    from tests.integration.conftest import RunCli

FOLDER = Path(__file__).parents[2] / "examples" / "env.d"
NAMES = ["air-gapped", "development", "production", "staging"]
VENDORS = {name: row for name, row in PROVIDER_SCHEMA.items() if row.get("key") != "optional"}
LOCAL = PROVIDER_SCHEMA.keys() - VENDORS.keys()
KNOWN = {
    *VARIABLES,
    *(name for row in PROVIDER_SCHEMA.values() for name in (row["api_key_var"], row["model_var"], row["base_url_var"])),
    *(f"{row['api_key_var']}_FILE" for row in PROVIDER_SCHEMA.values()),
}


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.env").read_text("utf-8")


def install(name: str, folder: Path) -> None:
    """Install an example as `.env.<name>` in `folder`, and create the secret files that the example names."""
    secrets = folder / "secrets"
    secrets.mkdir(exist_ok=True)
    text = text_of(name).replace("/run/secrets/", f"{secrets}/")
    (folder / f".env.{name}").write_text(text, "utf-8")
    for path in re.findall(r"_FILE=(.+)", text):
        Path(path).write_text("a-key-of-the-test\n")


def test_folder_contains_exactly_named_examples() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == [f"{name}.env" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_example_passes_check_and_doctor(name: str, run_cli: "RunCli", tmp_path: Path) -> None:
    install(name, tmp_path)
    result = run_cli("config", "--check", name)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    findings = json.loads(run_cli("doctor", "--json", env={"FAULTMAVEN_ENV": name}).stdout)["findings"]
    unhealthy = [finding for finding in findings if finding["severity"] in ("problem", "warning")]
    assert [finding["subject"] for finding in unhealthy] == (["LLM_FALLBACK_CHAIN"] if name == "development" else [])


def test_all_examples_pass_one_check(run_cli: "RunCli", tmp_path: Path) -> None:
    for name in NAMES:
        install(name, tmp_path)
    result = run_cli("config", "--check", *NAMES, "--json")
    assert json.loads(result.stdout)["ok"] is True
    diff = json.loads(run_cli("config", "--diff", "staging", "production", "--json").stdout)
    assert diff["configured"] == {"first": [], "second": ["gemini"]}


@pytest.mark.parametrize("name", NAMES)
def test_example_documents_usage_and_known_variables(name: str) -> None:
    text = text_of(name)
    assert f"#   cp examples/env.d/{name}.env .env.{name}\n#   export FAULTMAVEN_ENV={name}\n" in text
    named = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", text, flags=re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) <= KNOWN


@pytest.mark.parametrize("name", NAMES)
def test_example_contains_no_key(name: str) -> None:
    values = dotenv.dotenv_values(FOLDER / f"{name}.env")
    assert not {row["api_key_var"] for row in PROVIDER_SCHEMA.values()} & values.keys()


def test_development_example_works_without_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install("development", tmp_path)
    monkeypatch.setenv("FAULTMAVEN_ENV", "development")
    assert create_container().registry().get_available_providers() == ["ollama"]
    (tmp_path / ".env").write_text("GROQ_API_KEY=k\n")
    assert create_container().registry().get_available_providers() == ["groq", "ollama"]
    assert create_container().registry().get_fallback_chain() == ["ollama", "groq"]


class RefusingTransport:
    """A transport that refuses every request and records the host names of the requests."""

    def __init__(self) -> None:
        self.hosts: set[str | None] = set()

    async def send(self, sent: WireRequest, timeout: float | None) -> Any:
        """Refuse the request."""
        self.hosts.add(urlsplit(sent.url).hostname)
        raise ProviderUnavailableError("nobody is here")

    async def open(self, sent: WireRequest, timeout: float | None) -> Any:
        """Refuse the request."""
        return await self.send(sent, timeout)

    async def aclose(self) -> None:
        """Close nothing."""


class TestAirGapped:
    """Only local servers receive requests, even if the process has keys of vendors."""

    @pytest.fixture(params=[False, True], ids=["no key of a vendor", "keys of all vendors"])
    def air_gapped(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        install("air-gapped", tmp_path)
        monkeypatch.setenv("FAULTMAVEN_ENV", "air-gapped")
        for row in VENDORS.values() if request.param else ():
            monkeypatch.setenv(row["api_key_var"], "left-over")
            if not row["default_base_url"]:
                monkeypatch.setenv(row["base_url_var"], "https://mine.invalid/v1")

    def test_air_gapped_example_configures_no_vendor(self, run_cli: "RunCli", tmp_path: Path) -> None:
        install("air-gapped", tmp_path)
        rows = json.loads(run_cli("providers", "--json", env={"FAULTMAVEN_ENV": "air-gapped"}).stdout)
        assert {row["name"] for row in rows if row["available"]} == {"vllm", "llamacpp", "ollama"} <= LOCAL

    @pytest.mark.usefixtures("air_gapped")
    async def test_air_gapped_chains_send_only_local_requests(self) -> None:
        transport = RefusingTransport()
        models = ("", *(row["default_model"] for row in VENDORS.values()))
        async with open_container(transport=transport, clock=FakeClock()) as container:
            for role in ROLES:
                assert container.registry().generation().chains[role] == ("vllm", "llamacpp", "ollama")
                for model in models:
                    with pytest.raises(AllProvidersFailedError):
                        await container.llm(role=role).generate("ping", model or None)
            with pytest.raises(LLMError):
                async with container.llm().stream("ping"):
                    pass
        assert transport.hosts == {"vllm.internal", "llamacpp.internal", "ollama.internal"}
