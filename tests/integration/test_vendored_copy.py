"""A copy of the package under another name works as a folder of a host that is itself named `faultmaven`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import faultmaven

HOST_MODULES = """
import asyncio, json, pkgutil, sys
import faultmaven, vendored_llm
from vendored_llm import open_container
from vendored_llm.testing import FakeProvider, FaultLab

async def generate():
    async with open_container(providers={"openai": FakeProvider("It ran out of memory.")}) as container:
        fake = await container.llm().generate("Why does my pod restart?")
    lab = FaultLab()
    async with lab.client() as client:
        async with open_container(lab.env("openai"), http_client=client) as container:
            sent = await container.llm().generate("Why does my pod restart?")
    return [fake.content, sent.provider]

answers = asyncio.run(generate())
for module in pkgutil.walk_packages(vendored_llm.__path__, "vendored_llm."):
    if not module.name.endswith(("__main__", "pytest_plugin")):
        __import__(module.name)
strangers = sorted(name for name in sys.modules if name.startswith("faultmaven"))
row = vendored_llm.cli.scaffold.build_files(vendored_llm.cli.scaffold.NewProvider("acme", has_class=True))
written = row["acme_provider.py"]
print(json.dumps({"answers": answers, "host": faultmaven.HOST, "strangers": strangers, "class": written}))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return the report of a host that is named `faultmaven` and holds a copy as `vendored_llm`."""
    folder = tmp_path_factory.mktemp("host")
    shutil.copytree(Path(faultmaven.__file__).parent, folder / "vendored_llm")
    host = folder / "faultmaven"
    host.mkdir()
    (host / "__init__.py").write_text("HOST = True\n", "utf-8")
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{HOST_MODULES}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def test_vendored_copy_answers_calls(report: dict[str, object]) -> None:
    assert report["answers"] == ["It ran out of memory.", "openai"]


def test_vendored_copy_imports_no_host_module(report: dict[str, object]) -> None:
    assert report["host"] is True
    assert report["strangers"] == ["faultmaven"]


def test_vendored_copy_generates_code_with_own_name(report: dict[str, object]) -> None:
    assert "from vendored_llm.infrastructure.llm.providers import" in str(report["class"])
