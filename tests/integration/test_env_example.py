"""`.env.example` names exactly what settings and rows read, with the defaults; copying it changes nothing."""

import re
from pathlib import Path

import dotenv

from faultmaven import create_container
from faultmaven.infrastructure.configuration.config_sources import show
from faultmaven.infrastructure.configuration.settings import (
    SECOND_NAMES,
    VARIABLES,
    Settings,
    load_settings,
    read_environment,
)
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA

EXAMPLE = (Path(__file__).parents[2] / ".env.example").read_text("utf-8")
ASSIGNMENT = re.compile(r"^# ([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
SHOWN = dict(ASSIGNMENT.findall(EXAMPLE))


def read_by_rows() -> set[str]:
    """Return every variable that the shipped rows read."""
    keys = {row["api_key_var"] for row in PROVIDER_SCHEMA.values()}
    models = {row["model_var"] for row in PROVIDER_SCHEMA.values()}
    addresses = {row["base_url_var"] for row in PROVIDER_SCHEMA.values()}
    return keys | models | addresses | {f"{key}_FILE" for key in keys}


def test_it_names_every_variable_that_is_read_and_no_other() -> None:
    small_letters = {name for name in SECOND_NAMES.values() if name.islower()}
    assert set(SHOWN) == {*VARIABLES, *read_by_rows(), *SECOND_NAMES.values()} - small_letters


def test_each_variable_stands_once() -> None:
    names = [name for name, _ in ASSIGNMENT.findall(EXAMPLE)]
    assert sorted(names) == sorted(set(names))


def test_copying_it_changes_nothing() -> None:
    Path(".env").write_text(EXAMPLE)
    assert dotenv.dotenv_values(".env") == {}
    container = create_container()
    assert container.settings() == Settings()
    assert container.registry().get_available_providers() == []
    assert container.registry().warnings == ()


def test_the_defaults_of_rows_are_those_shown() -> None:
    for row in PROVIDER_SCHEMA.values():
        assert SHOWN[row["api_key_var"]] == ""
        assert SHOWN[row["model_var"]] == row["default_model"]
        assert SHOWN[row["base_url_var"]] == row["default_base_url"]


def test_the_defaults_of_settings_are_those_shown() -> None:
    defaults = Settings()
    assert {name: SHOWN[name] for name in VARIABLES} == {
        variable: show(getattr(defaults, name)) for variable, name in VARIABLES.items()
    }


def test_taking_every_mark_away_gives_a_file_that_reads_without_a_fault() -> None:
    Path(".env").write_text(ASSIGNMENT.sub(r"\1=\2", EXAMPLE))
    environment = read_environment()
    assert environment.notes == ()
    assert load_settings(environment) == Settings()
    from_file = {name for name, source in environment.variables().items() if source == ".env"}
    assert from_file == {name for name, value in SHOWN.items() if value}
    assert create_container().registry().warnings == ()
