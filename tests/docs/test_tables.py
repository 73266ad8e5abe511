"""The tables of the pages hold what the code holds, in both directions."""

import inspect
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

from .pages import ROOT, anchors, names_in, prose, table

README = ROOT / "README.md"
DOCS = ROOT / "docs"
ADDING = DOCS / "adding-a-provider.md"
CONFIGURATION = DOCS / "configuration.md"
ERRORS = DOCS / "errors.md"

# The heading that the README gives each dialect.
WIRE_NAMES = {
    "openai-chat": "OpenAI Chat",
    "anthropic-messages": "Anthropic Messages",
    "gemini-generate-content": "Gemini",
    "cohere-v2-chat": "Cohere v2",
    "tgi-generate": "TGI",
    "ollama-native": "Ollama",
    "llamacpp-completion": "llama.cpp",
}


def error_classes() -> dict[str, type[errors.LLMError]]:
    found = inspect.getmembers(errors, inspect.isclass)
    return {name: kind for name, kind in found if issubclass(kind, errors.LLMError)}


@pytest.mark.parametrize(("page", "heading"), [(README, "Providers"), (DOCS / "providers.md", "Shipped rows")])
def test_the_provider_table_is_the_schema(page: Path, heading: str) -> None:
    expected = []
    for name, row in PROVIDER_SCHEMA.items():
        optional = ", optional" if row.get("key") == "optional" else ""
        dialect = row.get("dialect", "").partition("/")[0]
        found_out = row["provider_class"] is LocalProvider and not dialect
        wire = "found out on the first call" if found_out else WIRE_NAMES[dialect or row["provider_class"].dialects[0]]
        address = row["default_base_url"] or f"none: set {row['base_url_var']}"
        expected.append(
            [name, row["api_key_var"] + optional, row["default_model"] or "the first listed", address, wire]
        )
    assert table(page, heading) == expected


def test_the_readme_and_changelog_count_rightly() -> None:
    local = [name for name, row in PROVIDER_SCHEMA.items() if row.get("key") == "optional"]
    assert list(PROVIDER_SCHEMA)[-6:] == local
    for page in (README, DOCS / "providers.md"):
        assert "last six rows" in prose(page).replace("\n", " ")
    changelog = prose(ROOT / "CHANGELOG.md")
    assert f"{len(PROVIDER_SCHEMA)} provider rows" in changelog
    assert len(DIALECT_MODULES) == 8
    assert "eight wire formats" in changelog
    assert f"{len(FaultLab.FAULTS) - 1} faults" in changelog  # "ok" is none


def test_the_settings_table_is_what_the_settings_read() -> None:
    documented = [name for row in table(CONFIGURATION, "Settings") for name in names_in(row[0])]
    second = {name for name in SECOND_NAMES.values() if name != "LOCAL_LLM_URL"}
    assert len(documented) == len(set(documented))
    assert set(documented) == {*VARIABLES, *second}


def test_every_row_s_variables_are_named_by_the_rule_of_the_page() -> None:
    for name, row in PROVIDER_SCHEMA.items():
        variables = (row["api_key_var"], row["model_var"], row["base_url_var"])
        if name == "local":
            assert variables == ("LOCAL_LLM_API_KEY", "LOCAL_LLM_MODEL", "LOCAL_LLM_BASE_URL")
        else:
            assert variables == tuple(f"{name.upper()}_{end}" for end in ("API_KEY", "MODEL", "API_BASE"))


def test_the_role_variables_are_the_roles() -> None:
    roles = [row[0] for row in table(CONFIGURATION, "Settings") if row[0].endswith("_PROVIDER")]
    assert roles == [f"{role.upper()}_PROVIDER" for role in ROLES]


def test_the_table_of_other_tools_names_is_the_one_that_warns() -> None:
    documented = {name: row[1] for row in table(CONFIGURATION, "Names of other tools") for name in names_in(row[0])}
    assert documented == dict(VENDOR_NAMES)


def test_the_local_servers_table_holds_the_local_rows_and_their_usual_addresses() -> None:
    local = [row for row in PROVIDER_SCHEMA.values() if row.get("key") == "optional"]
    documented = [row[1] for row in table(CONFIGURATION, "Local servers")]
    assert sorted(documented) == sorted(f"{row['base_url_var']}={row['default_base_url']}" for row in local)


def test_the_errors_page_has_every_class_with_its_two_facts() -> None:
    expected = {name: (kind.retryable, kind.elsewhere) for name, kind in error_classes().items()}
    rows = table(ERRORS, "Every type")
    assert {row[0]: (row[1] == "yes", row[2] == "yes") for row in rows} == expected
    assert all(row[1] in ("yes", "no") and row[2] in ("yes", "no") for row in rows)


def test_the_errors_page_draws_the_tree_as_it_is() -> None:
    depths = {}
    for line in ERRORS.read_text("utf-8").partition("```text\n")[2].partition("```")[0].splitlines():
        name = line.strip(" │├└─")
        depths[name] = (len(line) - len(name)) // 4
    assert depths == {name: len(kind.__mro__) - len(errors.LLMError.__mro__) for name, kind in error_classes().items()}


def test_the_fields_of_a_row_are_all_there() -> None:
    rows = table(ADDING, "The fields of a row")
    assert {row[0]: row[1] for row in rows} == dict.fromkeys(REQUIRED, "yes") | dict.fromkeys(OPTIONAL, "no")
    meanings = {row[0]: row[2].partition("; see [")[0] for row in rows}
    assert meanings == {name: field.meaning for name, field in FIELDS.items()}


def test_the_dialects_are_all_there() -> None:
    documented = {row[0]: names_in(row[1].partition(";")[0]) for row in table(ADDING, "Dialects")}
    shipped = [kind for name in providers.__all__ if hasattr(kind := getattr(providers, name), "dialects")]
    assert documented == {kind.__name__: list(kind.dialects) for kind in shipped if kind.dialects}
    named = {word.strip("`,.") for word in prose(ADDING).split() if word.startswith("`openai-chat/")}
    assert named >= {dialect for dialect in DIALECTS if "/" in dialect}
    assert named <= set(DIALECTS)


def test_the_faults_of_the_lab_are_all_there() -> None:
    expected = [
        [fault.name, fault.description, ", ".join(kind.__name__ for kind in fault.errors) or "an answer"]
        for fault in FaultLab.FAULTS.values()
    ]
    assert table(DOCS / "testing.md", "Vendors that fail") == expected


def test_the_faults_of_a_stream_are_all_there() -> None:
    expected = [
        [fault.name, fault.description, ", ".join(kind.__name__ for kind in fault.errors) or "an answer"]
        for fault in FaultLab.STREAM_FAULTS.values()
    ]
    assert table(DOCS / "testing.md", "Faults of a stream") == expected


def test_the_rules_of_the_contract_are_all_there() -> None:
    rules = inspect.getmembers(LLMProviderContract, lambda member: hasattr(member, "applies_to"))
    expected = [
        [name.removeprefix("test_"), (inspect.getdoc(rule) or "").replace("`", ""), rule.applies_to]
        for name, rule in rules
    ]
    assert table(DOCS / "testing.md", "Every rule") == expected


def test_the_capabilities_are_those_of_the_data() -> None:
    def told(limit: int | None) -> str:
        return "unknown" if limit is None else str(limit)

    expected = []
    for line in capability_table():
        limits = [told(line.capabilities.context_window), told(line.capabilities.max_output)]
        expected.append([line.provider, line.model or "the first listed", ", ".join(line.names), *limits])
    assert table(DOCS / "capabilities.md", "Shipped rows") == expected


def test_the_parts_of_the_container_are_all_there() -> None:
    documented = [row[0] for row in table(DOCS / "architecture.md", "The container")]
    assert {*documented, "configure_logging"} == set(Parts.__annotations__)


def test_the_places_to_change_exist() -> None:
    for row in table(DOCS / "architecture.md", "Where to change what"):
        for word in row[1].replace(",", " ").split():
            if "/" in word:
                assert (ROOT / "faultmaven" / word).exists(), word


def test_the_commands_and_their_exit_codes_are_all_there() -> None:
    page = DOCS / "command-line.md"
    assert sorted(row[0].removeprefix("faultmaven ") for row in table(page, "The command line")) == sorted(COMMANDS)
    documented = {int(code): meaning for code, meaning in table(page, "Exit codes")}
    assert documented == exit_codes.MEANINGS
    assert "exit-codes" in anchors(page)
