"""The site, built once and strictly. `tox -e site` sets FAULTMAVEN_SITE=1; without it nothing here is collected."""

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
    """Build the site whose `mkdocs.yml` lies in `source`, into `source/site`; a warning fails it."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    # griffe must find the very package that is under test, and ruff formats the signatures.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    done.stdout = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    return done


def copy_source(folder: Path) -> Path:
    """Copy what the site is built from, so that no build leaves anything in the repository."""
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> BuiltSite:
    """The built pages."""
    source = copy_source(tmp_path_factory.mktemp("site"))
    done = build(source)
    assert done.returncode == 0, done.stdout
    return BuiltSite(source / "site")
