"""Tests for blocks other than Python: known variables, valid TOML and existing commands."""

import io
import re
import shlex
import tomllib
from pathlib import Path

import click
import dotenv
import dotenv.parser
import pytest

from faultmaven import create_container
from faultmaven.cli.app import cli
from faultmaven.infrastructure.configuration.settings import SECOND_NAMES, VARIABLES, load_settings, read_environment
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.infrastructure.llm.providers.rows.sources import ENTRY_POINT_GROUP

from .pages import PAGES, ROOT, Block, blocks

EVERY_BLOCK = [block for page in PAGES for block in blocks(page)]
ROW_VARIABLES = {
    variable
    for row in PROVIDER_SCHEMA.values()
    for variable in (row.get("api_key_var"), row["model_var"], row.get("base_url_var"))
    if variable
}
KEY_FILES = {f"{row['api_key_var']}_FILE" for row in PROVIDER_SCHEMA.values() if "api_key_var" in row}
KNOWN = {*VARIABLES, *SECOND_NAMES.values(), *ROW_VARIABLES, *KEY_FILES}


def blocks_in(language: str) -> list[Block]:
    return [block for block in EVERY_BLOCK if block.language == language]


def variables_of_added_rows(page: Path) -> set[str]:
    """Return the variables of the provider rows that a page adds."""
    text = page.read_text("utf-8")
    written = re.findall(r"^faultmaven new-provider (\w+)", text, flags=re.MULTILINE)
    variables = re.findall(r'"?(?:api_key|model|base_url)_var"?\s*[:=]\s*"(\w+)"', text)
    return {*variables, *(f"{name.upper()}_API_KEY" for name in written)}


@pytest.mark.parametrize("block", blocks_in("env"), ids=lambda block: block.where)
def test_every_env_block_variable_is_known(block: Block) -> None:
    assert not [line for line in dotenv.parser.parse_stream(io.StringIO(block.text)) if line.error]
    values = dotenv.dotenv_values(stream=io.StringIO(block.text))
    assert values
    assert set(values) <= KNOWN | variables_of_added_rows(block.page)
    load_settings(read_environment({name: value or "" for name, value in values.items()}))


@pytest.mark.parametrize("block", blocks_in("toml"), ids=lambda block: block.where)
def test_every_toml_block_is_valid(block: Block) -> None:
    data = tomllib.loads(block.text)
    if "providers" in data:
        Path("rows.toml").write_text(block.text, "utf-8")
        registry = create_container({"LLM_PROVIDERS_FILE": "rows.toml"}).registry()
        assert data["providers"].keys() <= set(registry.get_all_provider_names())
    else:
        groups = data.get("project", {}).get("entry-points", {})
        assert set(groups) <= {ENTRY_POINT_GROUP}
        assert groups or data["tool"]["pytest"]["ini_options"]["asyncio_mode"] == "auto"


def commands() -> list[tuple[str, list[str]]]:
    """Return each `faultmaven` command of the bash blocks, as location and arguments."""
    result = []
    for block in blocks_in("bash"):
        for line in block.text.splitlines():
            for part in re.split(r"&&|\|", line):
                words = shlex.split(part) if "python -c" not in block.text else []
                if words and words[0] == "faultmaven":
                    result.append((block.where, words[1:]))
    return result


@pytest.mark.parametrize(
    ("where", "arguments"), [pytest.param(*command, id=f"{command[0]} {command[1][0]}") for command in commands()]
)
def test_every_command_exists_with_given_options(where: str, arguments: list[str]) -> None:
    name, *rest = arguments
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
        assert command is not None, where
        command.make_context(name, rest, parent=context).close()


def test_bash_blocks_install_existing_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for block in blocks_in("bash"):
        for extra in re.findall(r'pip install "\.\[(\w+)\]"', block.text):
            assert extra in project["optional-dependencies"], block.where
