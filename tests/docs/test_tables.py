"""Tests that the tables of the pages match the code in both directions."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest

from faultmaven.application.configuration import ROLES
from faultmaven.cli import exit_codes
from faultmaven.cli.app import COMMANDS
from faultmaven.domain import errors
from faultmaven.infrastructure.configuration.environment_warnings import VENDOR_NAMES
from faultmaven.infrastructure.configuration.settings import SECOND_NAMES, VARIABLES
from faultmaven.infrastructure.llm import providers
from faultmaven.infrastructure.llm.dialects.registry import DIALECT_MODULES, DIALECTS
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, LocalProvider
from faultmaven.infrastructure.llm.providers.capability_table import capability_table
from faultmaven.infrastructure.llm.providers.rows.fields import FIELDS, OPTIONAL, REQUIRED
from faultmaven.parts import Parts
from faultmaven.testing import FaultLab, LLMProviderContract

from .pages import ROOT, anchors, blocks, names_in, prose, table

README = ROOT / "README.md"
DOCS = ROOT / "docs"
ADDING = DOCS / "adding-a-provider.md"
CONFIGURATION = DOCS / "configuration.md"
ERRORS = DOCS / "errors.md"

# The name of each dialect in the provider tables.
DIALECT_NAMES = {
    "openai-chat": "OpenAI Chat",
    "anthropic-messages": "Anthropic Messages",
    "gemini-generate-content": "Gemini",
    "cohere-v2-chat": "Cohere v2",
    "tgi-generate": "TGI",
    "ollama-native": "Ollama",
    "llamacpp-completion": "llama.cpp",
}


def error_classes() -> dict[str, type[errors.LLMError]]:
    classes = inspect.getmembers(errors, inspect.isclass)
    return {name: kind for name, kind in classes if issubclass(kind, errors.LLMError)}


@pytest.mark.parametrize(("page", "heading"), [(README, "Providers"), (DOCS / "providers.md", "Shipped rows")])
def test_provider_table_matches_the_schema(page: Path, heading: str) -> None:
    expected = []
    for name, row in PROVIDER_SCHEMA.items():
        optional = ", optional" if row.get("key") == "optional" else ""
        dialect = row.get("dialect", "").partition("/")[0]
        is_detected = row["provider_class"] is LocalProvider and not dialect
        dialect_name = (
            "detected on the first call" if is_detected else DIALECT_NAMES[dialect or row["provider_class"].dialects[0]]
        )
        address = row["default_base_url"] or f"none: set {row['base_url_var']}"
        expected.append(
            [name, row["api_key_var"] + optional, row["default_model"] or "the first listed", address, dialect_name]
        )
    assert table(page, heading) == expected


def test_readme_and_changelog_counts_are_right() -> None:
    local = [name for name, row in PROVIDER_SCHEMA.items() if row.get("key") == "optional"]
    assert list(PROVIDER_SCHEMA)[-6:] == local
    for page in (README, DOCS / "providers.md"):
        assert "last six rows" in prose(page).replace("\n", " ")
    changelog = prose(ROOT / "CHANGELOG.md")
    assert f"{len(PROVIDER_SCHEMA)} provider rows" in changelog
    assert len(DIALECT_MODULES) == 8
    assert "eight wire formats" in changelog
    assert f"{len(FaultLab.FAULTS) - 1} faults" in changelog  # "ok" is no fault


def test_settings_table_lists_every_variable() -> None:
    documented = [name for row in table(CONFIGURATION, "Settings") for name in names_in(row[0])]
    aliases = {name for name in SECOND_NAMES.values() if name != "LOCAL_LLM_URL"}
    assert len(documented) == len(set(documented))
    assert set(documented) == {*VARIABLES, *aliases}


def test_row_variables_follow_documented_naming_rule() -> None:
    for name, row in PROVIDER_SCHEMA.items():
        variables = (row["api_key_var"], row["model_var"], row["base_url_var"])
        if name == "local":
            assert variables == ("LOCAL_LLM_API_KEY", "LOCAL_LLM_MODEL", "LOCAL_LLM_BASE_URL")
        else:
            assert variables == tuple(f"{name.upper()}_{end}" for end in ("API_KEY", "MODEL", "API_BASE"))


def test_role_variables_match_the_roles() -> None:
    roles = [row[0] for row in table(CONFIGURATION, "Settings") if row[0].endswith("_PROVIDER")]
    assert roles == [f"{role.upper()}_PROVIDER" for role in ROLES]


def test_vendor_names_table_matches_the_warnings() -> None:
    documented = {name: row[1] for row in table(CONFIGURATION, "Names of other tools") for name in names_in(row[0])}
    assert documented == dict(VENDOR_NAMES)


def test_local_servers_table_matches_local_rows() -> None:
    local = [row for row in PROVIDER_SCHEMA.values() if row.get("key") == "optional"]
    documented = [row[1] for row in table(CONFIGURATION, "Local servers")]
    assert sorted(documented) == sorted(f"{row['base_url_var']}={row['default_base_url']}" for row in local)


def test_errors_page_lists_every_error_class() -> None:
    expected = {name: (kind.retryable, kind.elsewhere) for name, kind in error_classes().items()}
    rows = table(ERRORS, "Every type")
    assert {row[0]: (row[1] == "yes", row[2] == "yes") for row in rows} == expected
    assert all(row[1] in ("yes", "no") and row[2] in ("yes", "no") for row in rows)


def test_errors_page_tree_matches_class_hierarchy() -> None:
    depths = {}
    for line in ERRORS.read_text("utf-8").partition("```text\n")[2].partition("```")[0].splitlines():
        name = line.strip(" │├└─")
        depths[name] = (len(line) - len(name)) // 4
    assert depths == {name: len(kind.__mro__) - len(errors.LLMError.__mro__) for name, kind in error_classes().items()}


def test_row_fields_table_is_complete() -> None:
    rows = table(ADDING, "The fields of a row")
    assert {row[0]: row[1] for row in rows} == dict.fromkeys(REQUIRED, "yes") | dict.fromkeys(OPTIONAL, "no")
    meanings = {row[0]: row[2].partition("; see [")[0] for row in rows}
    assert meanings == {name: field.meaning for name, field in FIELDS.items()}


def test_dialects_table_is_complete() -> None:
    documented = {row[0]: names_in(row[1].partition(";")[0]) for row in table(ADDING, "Dialects")}
    shipped = [kind for name in providers.__all__ if hasattr(kind := getattr(providers, name), "dialects")]
    assert documented == {kind.__name__: list(kind.dialects) for kind in shipped if kind.dialects}
    named = {word.strip("`,.") for word in prose(ADDING).split() if word.startswith("`openai-chat/")}
    assert named >= {dialect for dialect in DIALECTS if "/" in dialect}
    assert named <= set(DIALECTS)


def test_lab_faults_table_is_complete() -> None:
    expected = [
        [fault.name, fault.description, ", ".join(kind.__name__ for kind in fault.errors) or "an answer"]
        for fault in FaultLab.FAULTS.values()
    ]
    assert table(DOCS / "testing.md", "Vendors that fail") == expected


def test_stream_faults_table_is_complete() -> None:
    expected = [
        [fault.name, fault.description, ", ".join(kind.__name__ for kind in fault.errors) or "an answer"]
        for fault in FaultLab.STREAM_FAULTS.values()
    ]
    assert table(DOCS / "testing.md", "Faults of a stream") == expected


def test_contract_rules_table_is_complete() -> None:
    rules = inspect.getmembers(LLMProviderContract, lambda member: hasattr(member, "applies_to"))
    expected = [
        [name.removeprefix("test_"), (inspect.getdoc(rule) or "").replace("`", ""), rule.applies_to]
        for name, rule in rules
    ]
    assert table(DOCS / "testing.md", "Every rule") == expected


def test_capabilities_table_matches_the_data() -> None:
    def limit_text(limit: int | None) -> str:
        return "unknown" if limit is None else str(limit)

    expected = []
    for line in capability_table():
        limits = [limit_text(line.capabilities.context_window), limit_text(line.capabilities.max_output)]
        expected.append([line.provider, line.model or "the first listed", ", ".join(line.names), *limits])
    assert table(DOCS / "capabilities.md", "Shipped rows") == expected


def test_container_parts_table_is_complete() -> None:
    documented = [row[0] for row in table(DOCS / "architecture.md", "The container")]
    assert {*documented, "configure_logging"} == set(Parts.__annotations__)


def test_documented_source_paths_exist() -> None:
    for row in table(DOCS / "architecture.md", "Where to change what"):
        for word in row[1].replace(",", " ").split():
            if "/" in word:
                assert (ROOT / "faultmaven" / word).exists(), word


def test_source_tree_shows_every_folder() -> None:
    package = ROOT / "faultmaven"
    path: dict[int, str] = {}
    shown, files = set(), set()
    for line in _architecture_block("faultmaven/\n").splitlines()[1:]:
        name, depth = line.split()[0], len(line) - len(line.lstrip())
        if not name.endswith("/"):
            files.add(name)
            continue
        path = {above: folder for above, folder in path.items() if above < depth} | {depth: name}
        parent = "".join(folder for above, folder in sorted(path.items()) if above < depth)
        shown |= {f"{parent}{word}".rstrip("/") for word in line.split() if word.endswith("/")}
    folders = {found for found in package.rglob("*") if found.is_dir() and list(found.glob("*.*"))}
    assert shown == {found.relative_to(package).as_posix() for found in folders if found.name != "__pycache__"}
    assert files == {found.name for found in package.glob("*.py")} - {"__init__.py"}


def test_import_rule_shows_every_layers_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = {
        contract["containers"][0].removeprefix("faultmaven."): " → ".join(contract["layers"]).replace(" | ", ", ")
        for contract in contracts
        if contract["type"] == "layers"
    }
    assert dict(table(DOCS / "architecture.md", "The import rule")) == layers


def test_paths_of_architecture_page_exist() -> None:
    words = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", prose(DOCS / "architecture.md"))
    assert len(words) > 30
    roots = (ROOT, ROOT / "faultmaven")
    assert [word for word in words if not any((root / word).exists() for root in roots)] == []


def _architecture_block(beginning: str) -> str:
    """Return the block of the architecture page that begins with the given text."""
    return next(block.text for block in blocks(DOCS / "architecture.md") if block.text.startswith(beginning))


def test_command_and_exit_code_tables_are_complete() -> None:
    page = DOCS / "command-line.md"
    assert sorted(row[0].removeprefix("faultmaven ") for row in table(page, "The command line")) == sorted(COMMANDS)
    documented = {int(code): meaning for code, meaning in table(page, "Exit codes")}
    assert documented == exit_codes.MEANINGS
    assert "exit-codes" in anchors(page)
