"""`.env.example` names exactly the variables of settings and rows, with defaults; a copy changes no setting."""

import re
from pathlib import Path

import dotenv

from faultmaven import create_container
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.infrastructure.provenance import show
from faultmaven.infrastructure.settings import SECOND_NAMES, VARIABLES, Settings, load_settings, read_environment

EXAMPLE = (Path(__file__).parents[2] / ".env.example").read_text("utf-8")
ASSIGNMENT = re.compile(r"^# ([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
DOCUMENTED = dict(ASSIGNMENT.findall(EXAMPLE))


def read_by_rows() -> set[str]:
    """Return every variable that the built-in rows read."""
    keys = {row["api_key_var"] for row in PROVIDER_SCHEMA.values()}
    models = {row["model_var"] for row in PROVIDER_SCHEMA.values()}
    addresses = {row["base_url_var"] for row in PROVIDER_SCHEMA.values()}
    return keys | models | addresses | {f"{key}_FILE" for key in keys}


def test_example_names_exactly_the_read_variables() -> None:
    lower_case = {name for name in SECOND_NAMES.values() if name.islower()}
    assert set(DOCUMENTED) == {*VARIABLES, *read_by_rows(), *SECOND_NAMES.values()} - lower_case


def test_example_names_each_variable_once() -> None:
    names = [name for name, _ in ASSIGNMENT.findall(EXAMPLE)]
    assert sorted(names) == sorted(set(names))


def test_copied_example_changes_no_setting() -> None:
    Path(".env").write_text(EXAMPLE)
    assert dotenv.dotenv_values(".env") == {}
    container = create_container()
    assert container.settings() == Settings()
    assert container.registry().get_available_providers() == []
    assert container.registry().warnings == ()


def test_example_shows_defaults_of_rows() -> None:
    for row in PROVIDER_SCHEMA.values():
        assert DOCUMENTED[row["api_key_var"]] == ""
        assert DOCUMENTED[row["model_var"]] == row["default_model"]
        assert DOCUMENTED[row["base_url_var"]] == row["default_base_url"]


def test_example_shows_defaults_of_settings() -> None:
    defaults = Settings()
    assert {name: DOCUMENTED[name] for name in VARIABLES} == {
        variable: show(getattr(defaults, name)) for variable, name in VARIABLES.items()
    }


def test_uncommented_example_reads_without_faults() -> None:
    Path(".env").write_text(ASSIGNMENT.sub(r"\1=\2", EXAMPLE))
    environment = read_environment()
    assert environment.notes == ()
    assert load_settings(environment) == Settings()
    from_file = {name for name, source in environment.variables().items() if source == ".env"}
    assert from_file == {name for name, value in DOCUMENTED.items() if value}
    assert create_container().registry().warnings == ()
