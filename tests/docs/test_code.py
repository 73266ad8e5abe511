"""Every code block of every page runs unchanged and prints the output that the page shows."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultmaven.testing import FaultLab
from faultmaven.testing.lab.threaded import served_in_a_thread

from .page_run import PageRun, lab_addresses
from .pages import PAGES, ROOT, blocks

# `tox -e newcomer` runs the whole tutorial, including the shell commands.
TUTORIAL = ROOT / "docs" / "tutorial.md"
RUNNABLE = [page for page in PAGES if page != TUTORIAL and any(block.language == "python" for block in blocks(page))]


@pytest.fixture
def lab() -> Iterator[FaultLab]:
    """A fault lab in place of every vendor. Environment variables are restored afterwards."""
    before = dict(os.environ)
    lab = FaultLab()
    with served_in_a_thread(lab) as address:
        os.environ.update(lab_addresses(lab, address))
        try:
            yield lab
        finally:
            os.environ.clear()
            os.environ.update(before)


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_prints_the_documented_output(page: Path, tmp_path: Path, lab: FaultLab) -> None:
    PageRun(page, tmp_path, lab).run()


def test_list_of_pages_with_code() -> None:
    assert [page.name for page in RUNNABLE] == [
        "README.md",
        "adding-a-provider.md",
        "architecture.md",
        "configuration.md",
        "embedding-in-fastapi.md",
        "embedding.md",
        "errors.md",
        "images.md",
        "index.md",
        "performance.md",
        "reasoning.md",
        "streaming.md",
        "structured-output.md",
        "testing.md",
        "tools.md",
        "when-a-provider-fails.md",
    ]
