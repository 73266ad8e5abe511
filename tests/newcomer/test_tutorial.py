"""The commands of the tutorial print the documented output, in a fresh virtual environment with the built wheel.

No request reaches a vendor: the base URL variables point at the fault lab on the loopback interface. Packages come from
the registry that pip is configured for.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultmaven.testing import FaultLab
from faultmaven.testing.lab.threaded import served_in_a_thread
from tests.docs.page_run import lab_addresses
from tests.docs.pages import ROOT, Block, blocks

from .session import ShellSession, normalized

TUTORIAL = ROOT / "docs" / "tutorial.md"
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR")
# The package registry; read at import, since every test starts without such variables.
PIP = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the files of the repository, without build results and installed packages."""
    folder = tmp_path / "faultmaven"
    git = shutil.which("git")
    assert git is not None
    listed = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def lab() -> FaultLab:
    return FaultLab()


@pytest.fixture
def environment(lab: FaultLab) -> Iterator[dict[str, str]]:
    """The variables of a new user's shell: no API keys, and base URLs that point at the lab."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT_VARIABLES}
    with served_in_a_thread(lab) as address:
        yield kept | PIP | lab_addresses(lab, address) | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.mark.timeout(600)
def test_every_command_prints_the_documented_output(clone: Path, environment: dict[str, str], lab: FaultLab) -> None:
    with ShellSession(clone, environment) as session:
        printed = ""
        for block in blocks(TUTORIAL):
            printed = _follow(block, printed, session, lab)
    assert lab.requests, "no request reached the lab"


def _follow(block: Block, printed: str, session: ShellSession, lab: FaultLab) -> str:
    """Follow `block` as a reader does; return the last output."""
    scripted = block.directive("lab")
    if scripted is not None:
        provider, *faults = scripted.split()
        lab.script(provider, *faults)
    if block.directive("output") is not None:
        assert normalized(printed) == normalized(block.text), f"{block.where}: it prints\n{printed}"
    elif (name := block.directive("file")) is not None:
        path = session.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")
    elif block.language == "bash":
        printed, code = session.run(block.text)
        assert code == 0, f"{block.where}: exit code {code}\n{printed}"
    else:
        pytest.fail(f"{block.where}: a reader cannot tell what to do with this block")
    return printed
