"""The site, built once in strict mode. Tests are collected only with FAULTMAVEN_SITE=1, which `tox -e site` sets."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .built_site import BuiltSite

collect_ignore_glob = [] if os.environ.get("FAULTMAVEN_SITE") == "1" else ["test_*.py"]

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 50


def build(source: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of `source/mkdocs.yml` into `source/site`; a warning counts as an error."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    # griffe must find the package under test, and ruff to format signatures.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    process.stdout = re.sub(r"\x1b\[[0-9;]*m", "", process.stdout + process.stderr)
    return process


def copy_source(folder: Path) -> Path:
    """Copy the sources of the site, so that a build leaves no files in the repository."""
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> BuiltSite:
    """The built site."""
    source = copy_source(tmp_path_factory.mktemp("site"))
    process = build(source)
    assert process.returncode == 0, process.stdout
    return BuiltSite(source / "site")
