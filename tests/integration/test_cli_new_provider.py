"""`faultmaven new-provider`: what it writes passes its own test and opens in a container; it writes all or nothing."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest

from faultmaven import create_container
from faultmaven.cli import exit_codes as exits
from faultmaven.cli.scaffold import CLASSES, WRITTEN_OUT, NewProvider, files_of, write_all
from faultmaven.infrastructure.llm.dialects.registry import DIALECT_MODULES, DIALECTS
from faultmaven.infrastructure.llm.providers.registry import exported_classes
from faultmaven.infrastructure.llm.providers.rows.spec import row_faults

RunCli = Callable[..., click.testing.Result]

FORMS = {
    "acme": [],
    "my-gateway": ["--dialect", "anthropic-messages", "--base-url", "https://gateway.example/llm/v1"],
    "own_server": ["--dialect", "ollama-native"],
    "handmade": ["--class"],
    "hand-made-2": ["--class", "--dialect", "anthropic-messages"],
}


def names_in(directory: str) -> list[str]:
    return sorted(path.name for path in Path(directory).iterdir())


def test_what_it_writes_passes_its_own_test(run_cli: RunCli, process_env: dict[str, str]) -> None:
    for name, options in FORMS.items():
        written = run_cli("new-provider", name, *options)
        assert written.exit_code == exits.OK, written.output
    Path("pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n", "utf-8")
    arguments = ["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run([sys.executable, *arguments], env=process_env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "failed" not in done.stdout
    for name in FORMS:
        assert Path(f"test_{name.replace('-', '_')}_provider.py").exists()


@pytest.mark.parametrize("name", FORMS)
def test_the_row_opens_in_a_container(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert run_cli("new-provider", name, *FORMS[name]).exit_code == exits.OK
    monkeypatch.syspath_prepend(Path.cwd())
    prefix = name.replace("-", "_").upper()
    env = {
        "LLM_PROVIDERS_FILE": f"{name}.toml",
        f"{prefix}_API_KEY": "k",
        f"{prefix}_API_BASE": "http://localhost:1/v1",
    }
    registry = create_container(env).registry()
    assert registry.get_available_providers() == [name]
    assert registry.warnings == ()


def test_the_page_has_every_variable_of_the_row_and_every_file() -> None:
    for has_class in (False, True):
        new = NewProvider("my-vendor", has_class=has_class)
        texts = files_of(new)
        page = texts["my-vendor.md"]
        row = tomllib.loads(texts["my-vendor.toml"])["providers"]["my-vendor"]
        assert {row["api_key_var"], row["model_var"], row["base_url_var"]} == set(new.variables)
        assert all(variable in page for variable in new.variables)
        assert all(name in page for name in texts if not name.endswith(".md"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_makes_a_sound_row(dialect: str) -> None:
    text = files_of(NewProvider("acme", dialect))["acme.toml"]
    row = tomllib.loads(text)["providers"]["acme"]
    row["provider_class"] = exported_classes()[row["provider_class"]]
    assert row_faults("acme", row) == []
    assert dialect in text or dialect == "openai-chat"


def test_there_is_a_class_for_every_wire_and_a_template_for_what_is_written_out() -> None:
    assert set(CLASSES) == set(DIALECT_MODULES)
    for dialect in WRITTEN_OUT:
        compile(files_of(NewProvider("acme", dialect, has_class=True))["acme_provider.py"], "acme_provider.py", "exec")


def test_it_prints_what_it_wrote_and_what_comes_next(run_cli: RunCli) -> None:
    Path("providers").mkdir()
    told = run_cli("new-provider", "acme", "--class", "--directory", "providers").stdout
    for name in ("acme.toml", "acme_provider.py", "test_acme_provider.py", "acme.md"):
        assert f"  {Path('providers', name)}\n" in told
        assert Path("providers", name).is_file()
    assert "pytest test_acme_provider.py" in told
    assert 'faultmaven ask "ping" --provider acme' in told
    assert names_in("providers") == ["acme.md", "acme.toml", "acme_provider.py", "test_acme_provider.py"]


def test_it_tells_programs_the_same(run_cli: RunCli) -> None:
    told = json.loads(run_cli("new-provider", "acme", "--json").stdout)
    assert told["name"] == "acme"
    assert told["files"] == ["acme.toml", "test_acme_provider.py", "acme.md"]
    assert told["variables"] == ["ACME_API_KEY", "ACME_MODEL", "ACME_API_BASE"]
    assert told["next"][0] == "pytest test_acme_provider.py"


REFUSED = {
    "capital letters": (["Acme"], "lower-case letters"),
    "a digit first": (["4all"], "a letter first"),
    "a blank": (["my vendor"], "lower-case letters"),
    "a path": (["../acme"], "lower-case letters"),
    "an end in a dash": (["acme-"], "single dashes"),
    "another alphabet": (["ácme"], "lower-case letters"),
    "a row that ships": (["groq"], "there is a provider 'groq' already"),
    "another row's variables": (["local-llm"], "LOCAL_LLM_API_KEY"),
    "another tool's variable": (["google"], "GOOGLE_API_KEY"),
    "an unknown dialect": (["acme", "--dialect", "openai-cat"], "did you mean 'openai-chat'?"),
    "a class that is not written": (["acme", "--class", "--dialect", "cohere-v2-chat"], "CohereProvider speaks it"),
    "no address": (["acme", "--base-url", "acme.example"], "begins with http://"),
    "an address that is no TOML": (["acme", "--base-url", 'https://acme.example/"'], "quotation marks"),
    "a directory that is not there": (["acme", "--directory", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_not_be_used_is_refused_and_nothing_written(run_cli: RunCli, case: str) -> None:
    arguments, told = REFUSED[case]
    result = run_cli("new-provider", *arguments)
    assert result.exit_code == exits.USAGE
    assert told in " ".join(result.stderr.split())
    assert names_in(".") == []


def test_nothing_is_replaced_unless_it_is_told_to(run_cli: RunCli) -> None:
    Path("acme.md").write_text("mine", "utf-8")
    refused = run_cli("new-provider", "acme")
    assert refused.exit_code == exits.USAGE
    assert "acme.md would be replaced; --force does it" in " ".join(refused.stderr.split())
    assert names_in(".") == ["acme.md"]
    assert Path("acme.md").read_text("utf-8") == "mine"
    assert run_cli("new-provider", "acme", "--force").exit_code == exits.OK
    assert Path("acme.md").read_text("utf-8").startswith("# Acme\n")


def test_a_directory_in_the_way_is_refused_with_force_too(run_cli: RunCli) -> None:
    Path("acme.md").mkdir()
    refused = run_cli("new-provider", "acme", "--force")
    assert refused.exit_code == exits.USAGE
    assert names_in(".") == ["acme.md"]


def test_a_disk_that_is_full_leaves_nothing_half_written(monkeypatch: pytest.MonkeyPatch) -> None:
    write_text: Any = Path.write_text
    left = iter(range(2))

    def write(self: Path, text: str, encoding: str) -> int:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        return int(write_text(self, text, encoding))

    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(OSError, match="No space left"):
        write_all(files_of(NewProvider("acme")), Path())
    assert names_in(".") == []
