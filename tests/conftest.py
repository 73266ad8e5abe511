"""Setup of every test: a clean environment and an empty directory; `--llm-guard` is on in pyproject.toml."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from faultmaven.infrastructure.llm.providers import reset_registry

pytest_plugins = ["pytester"]

# The duration of an example depends on the machine, not on the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "COVERAGE_PROCESS_START")
KEPT_PREFIXES = ("PYTEST_", "PYTHON", "TOX", "VIRTUAL_ENV", "PYENV_", "HYPOTHESIS", "FAULTMAVEN_LLAMACPP", "CMAKE_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run each test in an empty directory without inherited keys, and reset the process-wide registry."""
    for name in list(os.environ):
        if name not in KEPT_VARIABLES and not name.startswith(KEPT_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    reset_registry()
    yield
    reset_registry()
