"""`faultmaven new-provider`: the written files pass the written test, open in a container, and are all or none."""

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
from faultmaven.cli import exit_codes
from faultmaven.cli.scaffold import CLASS_BY_DIALECT, CLASS_TEMPLATE_DIALECTS, NewProvider, build_files, write_files
from faultmaven.infrastructure.llm.dialects.registry import DIALECT_MODULES, DIALECTS
from faultmaven.infrastructure.llm.providers.registry import exported_classes
from faultmaven.infrastructure.llm.providers.rows.spec import row_faults

RunCli = Callable[..., click.testing.Result]

OPTIONS_BY_NAME = {
    "acme": [],
    "my-gateway": ["--dialect", "anthropic-messages", "--base-url", "https://gateway.example/llm/v1"],
    "own_server": ["--dialect", "ollama-native"],
    "handmade": ["--class"],
    "hand-made-2": ["--class", "--dialect", "anthropic-messages"],
}


def file_names_in(directory: str) -> list[str]:
    return sorted(path.name for path in Path(directory).iterdir())


def test_scaffolded_provider_passes_scaffolded_test(run_cli: RunCli, process_env: dict[str, str]) -> None:
    for name, options in OPTIONS_BY_NAME.items():
        result = run_cli("new-provider", name, *options)
        assert result.exit_code == exit_codes.OK, result.output
    Path("pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n", "utf-8")
    arguments = ["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:randomly"]
    completed = subprocess.run(
        [sys.executable, *arguments], env=process_env, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout
    assert "failed" not in completed.stdout
    for name in OPTIONS_BY_NAME:
        assert Path(f"test_{name.replace('-', '_')}_provider.py").exists()


@pytest.mark.parametrize("name", OPTIONS_BY_NAME)
def test_scaffolded_row_opens_in_container(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert run_cli("new-provider", name, *OPTIONS_BY_NAME[name]).exit_code == exit_codes.OK
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


def test_scaffolded_page_lists_variables_and_files() -> None:
    for has_class in (False, True):
        new = NewProvider("my-vendor", has_class=has_class)
        texts = build_files(new)
        page = texts["my-vendor.md"]
        row = tomllib.loads(texts["my-vendor.toml"])["providers"]["my-vendor"]
        assert {row["api_key_var"], row["model_var"], row["base_url_var"]} == set(new.variables)
        assert all(variable in page for variable in new.variables)
        assert all(name in page for name in texts if not name.endswith(".md"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_scaffold_of_each_dialect_is_valid_row(dialect: str) -> None:
    text = build_files(NewProvider("acme", dialect))["acme.toml"]
    row = tomllib.loads(text)["providers"]["acme"]
    row["provider_class"] = exported_classes()[row["provider_class"]]
    assert row_faults("acme", row) == []
    assert dialect in text or dialect == "openai-chat"


def test_scaffold_has_class_for_each_dialect() -> None:
    assert set(CLASS_BY_DIALECT) == set(DIALECT_MODULES)
    for dialect in CLASS_TEMPLATE_DIALECTS:
        compile(
            build_files(NewProvider("acme", dialect, has_class=True))["acme_provider.py"], "acme_provider.py", "exec"
        )


def test_new_provider_prints_files_and_next_steps(run_cli: RunCli) -> None:
    Path("providers").mkdir()
    output = run_cli("new-provider", "acme", "--class", "--directory", "providers").stdout
    for name in ("acme.toml", "acme_provider.py", "test_acme_provider.py", "acme.md"):
        assert f"  {Path('providers', name)}\n" in output
        assert Path("providers", name).is_file()
    assert "pytest test_acme_provider.py" in output
    assert 'faultmaven ask "ping" --provider acme' in output
    assert file_names_in("providers") == ["acme.md", "acme.toml", "acme_provider.py", "test_acme_provider.py"]


def test_new_provider_json_lists_files_and_steps(run_cli: RunCli) -> None:
    output = json.loads(run_cli("new-provider", "acme", "--json").stdout)
    assert output["name"] == "acme"
    assert output["files"] == ["acme.toml", "test_acme_provider.py", "acme.md"]
    assert output["variables"] == ["ACME_API_KEY", "ACME_MODEL", "ACME_API_BASE"]
    assert output["next"][0] == "pytest test_acme_provider.py"


REFUSED_ARGUMENTS = {
    "capital letters": (["Acme"], "lower-case letters"),
    "a leading digit": (["4all"], "begin with a letter"),
    "a space": (["my vendor"], "lower-case letters"),
    "a path": (["../acme"], "lower-case letters"),
    "a trailing dash": (["acme-"], "single dashes"),
    "another alphabet": (["ácme"], "lower-case letters"),
    "the name of a built-in provider": (["groq"], "a provider 'groq' already exists"),
    "the variables of another provider": (["local-llm"], "LOCAL_LLM_API_KEY"),
    "the variable of another tool": (["google"], "GOOGLE_API_KEY"),
    "an unknown dialect": (["acme", "--dialect", "openai-cat"], "did you mean 'openai-chat'?"),
    "a dialect without a class template": (
        ["acme", "--class", "--dialect", "cohere-v2-chat"],
        "CohereProvider supports this dialect",
    ),
    "a base URL without a scheme": (["acme", "--base-url", "acme.example"], "begins with http://"),
    "a base URL that is invalid in TOML": (["acme", "--base-url", 'https://acme.example/"'], "quotation marks"),
    "a missing directory": (["acme", "--directory", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize("case", REFUSED_ARGUMENTS)
def test_invalid_arguments_write_no_file(run_cli: RunCli, case: str) -> None:
    arguments, message = REFUSED_ARGUMENTS[case]
    result = run_cli("new-provider", *arguments)
    assert result.exit_code == exit_codes.USAGE
    assert message in " ".join(result.stderr.split())
    assert file_names_in(".") == []


def test_existing_file_is_replaced_only_with_force(run_cli: RunCli) -> None:
    Path("acme.md").write_text("mine", "utf-8")
    refused = run_cli("new-provider", "acme")
    assert refused.exit_code == exit_codes.USAGE
    assert "acme.md would be replaced; use --force to replace files" in " ".join(refused.stderr.split())
    assert file_names_in(".") == ["acme.md"]
    assert Path("acme.md").read_text("utf-8") == "mine"
    assert run_cli("new-provider", "acme", "--force").exit_code == exit_codes.OK
    assert Path("acme.md").read_text("utf-8").startswith("# Acme\n")


def test_existing_directory_is_refused_despite_force(run_cli: RunCli) -> None:
    Path("acme.md").mkdir()
    refused = run_cli("new-provider", "acme", "--force")
    assert refused.exit_code == exit_codes.USAGE
    assert file_names_in(".") == ["acme.md"]


def test_full_disk_leaves_no_partial_files(monkeypatch: pytest.MonkeyPatch) -> None:
    write_text: Any = Path.write_text
    remaining_writes = iter(range(2))

    def write(self: Path, text: str, encoding: str) -> int:
        if next(remaining_writes, None) is None:
            raise OSError(28, "No space left on device")
        return int(write_text(self, text, encoding))

    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(OSError, match="No space left"):
        write_files(build_files(NewProvider("acme")), Path())
    assert file_names_in(".") == []
