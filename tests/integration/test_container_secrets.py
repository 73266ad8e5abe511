"""API keys in files, as Docker and Kubernetes mount them: the variable `<key variable>_FILE` of every row."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faultmaven import ConfigurationError, Container, create_container
from faultmaven.infrastructure.configuration.file_state import file_state
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA

if TYPE_CHECKING:
    from tests.integration.conftest import RunCli

KEY = "Zq7wXk2pLm9vRt4y"
ACME = """
[providers.acme]
api_key_var = "ACME_TOKEN"
model_var = "ACME_MODEL"
default_base_url = "https://acme.invalid/v1"
default_model = "acme-1"
provider_class = "OpenAIProvider"
max_retries = 1
timeout = 30
confidence_score = 0.5
"""


@pytest.fixture
def acme(tmp_path: Path) -> dict[str, str]:
    """Return variables for a row of a TOML file; the key file ends with a newline."""
    (tmp_path / "rows.toml").write_text(ACME)
    (tmp_path / "token").write_text(f"{KEY}\n")
    return {"LLM_PROVIDERS_FILE": "rows.toml", "ACME_TOKEN_FILE": "token"}


def key_of(container: Container, name: str) -> str:
    provider: Any = container.registry().get_provider(name)
    return str(provider.config.api_key)


@pytest.mark.parametrize("name", list(PROVIDER_SCHEMA))
def test_every_row_reads_key_from_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY.encode() + b"\r\n")
    row = PROVIDER_SCHEMA[name]
    address = row["default_base_url"] or "https://mine.invalid/v1"
    container = create_container({f"{row['api_key_var']}_FILE": "key", row["base_url_var"]: address})
    assert key_of(container, name) == KEY
    assert container.registry().warnings == ()
    assert container.registry().get_provider_status()[name]["key"] == "set"


def test_row_of_toml_file_reads_key_file(acme: dict[str, str]) -> None:
    container = create_container(acme)
    assert key_of(container, "acme") == KEY
    assert container.registry().warnings == ()


def test_registered_row_reads_key_from_file(acme: dict[str, str]) -> None:
    container = create_container({"FURTHER_API_KEY_FILE": "token"})
    row: Any = {**PROVIDER_SCHEMA["openai"], "api_key_var": "FURTHER_API_KEY"}
    container.registry().register_provider("further", row)
    assert key_of(container, "further") == KEY


def test_config_shows_key_file_and_overridden_source(acme: dict[str, str], run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in acme.items()))
    (tmp_path / ".env.staging").write_text("ACME_TOKEN_FILE=token\n")
    result = run_cli("config", "staging", "--json")
    (entry,) = [entry for entry in json.loads(result.stdout)["entries"] if entry["variable"] == "ACME_TOKEN"]
    assert entry == {
        "variable": "ACME_TOKEN",
        "value": "set",
        "source": "file named by ACME_TOKEN_FILE (.env.staging)",
        "overrode": [".env"],
        "provider": "acme",
    }
    assert KEY not in result.output


def test_key_and_key_file_together_are_error(acme: dict[str, str], run_cli: "RunCli") -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_container({**acme, "ACME_TOKEN": KEY})
    assert (
        str(caught.value) == "ACME_TOKEN (argument) and ACME_TOKEN_FILE (argument) are both set. Keep one of the two."
    )
    checked = run_cli("config", "--check", env={**acme, "ACME_TOKEN": KEY})
    assert checked.exit_code == 1
    assert "ACME_TOKEN (process environment) and ACME_TOKEN_FILE (process environment) are both set" in checked.stdout


def test_diff_compares_contents_of_key_files(acme: dict[str, str], run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LLM_PROVIDERS_FILE=rows.toml\n")
    (tmp_path / "same").write_text(KEY)
    (tmp_path / "other").write_text("another")
    for environment, file in (("a", "token"), ("b", "same"), ("c", "other")):
        (tmp_path / f".env.{environment}").write_text(f"ACME_TOKEN_FILE={file}\n")
    assert json.loads(run_cli("config", "--diff", "a", "b", "--json").stdout)["values"] == []
    (value,) = json.loads(run_cli("config", "--diff", "a", "c", "--json").stdout)["values"]
    assert (value["variable"], value["hidden"]) == ("ACME_TOKEN", True)


def test_rotated_kubernetes_secret_applies_at_reload(acme: dict[str, str], tmp_path: Path) -> None:
    """A mounted secret is a link to ..data/<name>; ..data is a link to a folder, and a rotation replaces that link."""
    for folder, key in (("..one", "old"), ("..two", "new")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "token").write_text(key)
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "mounted").symlink_to("..data/token")
    container = create_container({**acme, "ACME_TOKEN_FILE": "mounted"})
    registry, path = container.registry(), tmp_path / "mounted"
    assert key_of(container, "acme") == "old"
    assert registry.files()[path] == file_state(path)
    (tmp_path / "..new").symlink_to("..two")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert registry.files()[path] != file_state(path)
    registry.reload()
    assert key_of(container, "acme") == "new"
