"""The files for contributors are true: paths exist, and environments and versions are those of the project."""

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .pages import ROOT, blocks, names_in, prose, table

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
GUIDES = (CONTRIBUTING, ROOT / "SECURITY.md", ROOT / ".github" / "pull_request_template.md")
WORKFLOW = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
# A name with a folder, or the name of a file in the root.
PATH = re.compile(r"[\w.-]+(?:/[\w.<>-]*)+|[\w.-]+\.(?:md|toml|ini|yml|py)|\.env\.example")


def paths_in(page: Path) -> list[str]:
    """Return the paths that a page names in back quotes, and those of the tests in its commands."""
    quoted = [word for word in re.findall(r"`([^`\n]+)`", prose(page)) if PATH.fullmatch(word)]
    commands = [word for block in blocks(page) for word in block.text.split() if word.startswith("tests/")]
    return quoted + commands


def tox_environments() -> tuple[set[str], set[str]]:
    """Return the default environments of tox.ini, and all of them."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "tox.ini", "utf-8")
    default = set(names_in(config["tox"]["env_list"]))
    sections = {name.removeprefix("testenv:") for name in config.sections() if name.startswith("testenv:")}
    return default, default | {name for name in sections if "{" not in name}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_named_paths_exist(page: Path) -> None:
    """A part in angle brackets stands for any name, and at least one file or folder fits it."""
    paths = paths_in(page)
    assert paths
    missing = [path for path in paths if not list(ROOT.glob(re.sub(r"<\w+>", "*", path).rstrip("/")))]
    assert missing == []


def test_table_has_every_tox_environment() -> None:
    rows = table(CONTRIBUTING, "Tox environments")
    default, every = tox_environments()
    assert {name for row in rows for name in names_in(row[0])} == every
    assert {name for row in rows if row[1] == "yes" for name in names_in(row[0])} == default


def test_workflow_runs_every_supported_python() -> None:
    classifiers = project()["project"]["classifiers"]
    supported = [match[1] for text in classifiers if (match := re.fullmatch(r".* :: Python :: (3\.\d+)", text))]
    matrix = re.findall(r'python: "([\d.]+)", environment: (\w+)', WORKFLOW)
    assert matrix == [(version, f"py{version.replace('.', '')}") for version in supported]
    assert {environment for _, environment in matrix} <= tox_environments()[0]


def test_workflow_may_only_read() -> None:
    assert "permissions:\n  contents: read\n" in WORKFLOW
    assert re.findall(r"uses: (\S+)", WORKFLOW)
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in re.findall(r"uses: (\S+)", WORKFLOW))


def test_hooks_install_versions_of_dependency_groups() -> None:
    groups = project()["dependency-groups"]
    pinned = set(re.findall(r'additional_dependencies: \["([^"]+)"\]', HOOKS))
    assert pinned == {*groups["lint"], *groups["imports"]}


def test_source_distribution_has_contributor_files() -> None:
    included = project()["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"CONTRIBUTING.md", "SECURITY.md", ".github", ".editorconfig", ".pre-commit-config.yaml"} <= set(included)
    assert [name for name in included if not (ROOT / name).exists()] == []
