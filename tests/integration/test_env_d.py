"""The environments of examples/env.d pass `config --check` as they stand; the air-gapped one asks no vendor."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dotenv
import pytest

from faultmaven import AllProvidersFailedError, LLMError, ProviderUnavailableError, create_container, open_container
from faultmaven.application.configuration import ROLES
from faultmaven.infrastructure.configuration.settings import VARIABLES
from faultmaven.infrastructure.http.types import WireRequest
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
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
    """Copy an example to where it is read, and make the secrets that it names, in a folder of the test."""
    secrets = folder / "secrets"
    secrets.mkdir(exist_ok=True)
    text = text_of(name).replace("/run/secrets/", f"{secrets}/")
    (folder / f".env.{name}").write_text(text, "utf-8")
    for path in re.findall(r"_FILE=(.+)", text):
        Path(path).write_text("a-key-of-the-test\n")


def test_the_folder_holds_these_and_nothing_else() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == [f"{name}.env" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_check_and_the_doctor(name: str, run_cli: "RunCli", tmp_path: Path) -> None:
    install(name, tmp_path)
    result = run_cli("config", "--check", name)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    found = json.loads(run_cli("doctor", "--json", env={"FAULTMAVEN_ENV": name}).stdout)["findings"]
    wrong = [finding for finding in found if finding["severity"] in ("problem", "warning")]
    assert [finding["subject"] for finding in wrong] == (["LLM_FALLBACK_CHAIN"] if name == "development" else [])


def test_all_of_them_are_checked_side_by_side(run_cli: "RunCli", tmp_path: Path) -> None:
    for name in NAMES:
        install(name, tmp_path)
    result = run_cli("config", "--check", *NAMES, "--json")
    assert json.loads(result.stdout)["ok"] is True
    diff = json.loads(run_cli("config", "--diff", "staging", "production", "--json").stdout)
    assert diff["configured"] == {"first": [], "second": ["gemini"]}


@pytest.mark.parametrize("name", NAMES)
def test_it_says_how_it_is_used_and_every_variable_is_read(name: str) -> None:
    text = text_of(name)
    assert f"#   cp examples/env.d/{name}.env .env.{name}\n#   export FAULTMAVEN_ENV={name}\n" in text
    named = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", text, flags=re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) <= KNOWN


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_no_key(name: str) -> None:
    values = dotenv.dotenv_values(FOLDER / f"{name}.env")
    assert not {row["api_key_var"] for row in PROVIDER_SCHEMA.values()} & values.keys()


def test_development_works_with_its_key_and_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install("development", tmp_path)
    monkeypatch.setenv("FAULTMAVEN_ENV", "development")
    assert create_container().registry().get_available_providers() == ["ollama"]
    (tmp_path / ".env").write_text("GROQ_API_KEY=k\n")
    assert create_container().registry().get_available_providers() == ["groq", "ollama"]
    assert create_container().registry().get_fallback_chain() == ["ollama", "groq"]


class NoServer:
    """A transport without any server behind it; it keeps the addresses that it was asked for."""

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
    """Only servers of one's own are asked, even where vendors' keys lie around."""

    @pytest.fixture(params=[False, True], ids=["no vendor's key", "every vendor's key in the process"])
    def asked(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        install("air-gapped", tmp_path)
        monkeypatch.setenv("FAULTMAVEN_ENV", "air-gapped")
        for row in VENDORS.values() if request.param else ():
            monkeypatch.setenv(row["api_key_var"], "left-over")
            if not row["default_base_url"]:
                monkeypatch.setenv(row["base_url_var"], "https://mine.invalid/v1")

    def test_without_keys_no_vendor_is_configured(self, run_cli: "RunCli", tmp_path: Path) -> None:
        install("air-gapped", tmp_path)
        rows = json.loads(run_cli("providers", "--json", env={"FAULTMAVEN_ENV": "air-gapped"}).stdout)
        assert {row["name"] for row in rows if row["available"]} == {"vllm", "llamacpp", "ollama"} <= LOCAL

    @pytest.mark.usefixtures("asked")
    async def test_every_chain_is_local_and_no_request_goes_elsewhere(self) -> None:
        transport = NoServer()
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
