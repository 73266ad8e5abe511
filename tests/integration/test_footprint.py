"""What an import costs a host: nothing heavy until a container is opened. Times are printed by `tox -e footprint`."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import faultmaven

HEAVY = {
    "aiohttp",
    "cachetools",
    "click",
    "dependency_injector",
    "fastapi",
    "h2",
    "httpx",
    "httpx2",
    "limits",
    "pydantic",
    "rich",
    "starlette",
    "structlog",
    "werkzeug",
    "yaml",
}


def heavy_modules_after(script: str) -> set[str]:
    """Run `script` in a fresh interpreter; return the heavy modules it ended up with."""
    report = (
        f"import sys\nsys.path.insert(0, {str(Path(faultmaven.__file__).parents[1])!r})\n{script}\nprint(*sys.modules)"
    )
    command = [sys.executable, "-I", "-c", report]
    modules = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout.split()
    return {name.partition(".")[0] for name in modules} & HEAVY


@pytest.mark.parametrize(
    "script",
    [
        "import faultmaven",
        "import faultmaven; faultmaven.__version__; dir(faultmaven)",
        "import faultmaven.cli",
    ],
)
def test_import_loads_nothing_heavy(script: str) -> None:
    assert heavy_modules_after(script) == set()


def test_values_and_errors_load_nothing_heavy() -> None:
    assert heavy_modules_after("from faultmaven import ContextLengthError, LLMResponse, Message, Usage") == set()


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_asking_for_version_or_help_loads_the_cli_extra_alone(option: str) -> None:
    script = f"""
sys.argv = ["faultmaven", {option!r}]
from faultmaven.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
"""
    assert heavy_modules_after(script) <= {"click", "rich"}


def test_opening_a_container_is_what_loads_the_dependencies() -> None:
    """The counterpart: the check above would see them."""
    loaded = heavy_modules_after("from faultmaven import create_container")
    assert {"dependency_injector", "pydantic"} <= loaded
    assert CARRIERS.isdisjoint(loaded)


CARRIERS = {"aiohttp", "httpx", "httpx2"}
ASK = """
import asyncio
from faultmaven import LLMError, open_container
async def ask():
    env = {{"GROQ_API_KEY": "k", "GROQ_API_BASE": "http://127.0.0.1:9", "LLM_MAX_RETRIES": "0"}}
    async with open_container(env | {!r}) as container:
        llm = container.llm()
        assert {{"aiohttp", "h2", "httpx", "httpx2"}}.isdisjoint(sys.modules)
        try:
            await llm.generate("ping")
        except LLMError:
            pass
asyncio.run(ask())
"""


def test_the_first_call_loads_what_carries_it_and_not_the_others(carrier: str) -> None:
    assert CARRIERS & heavy_modules_after(ASK.format({"LLM_HTTP_CARRIER": carrier})) == {carrier}


def test_without_a_choice_aiohttp_alone_is_loaded() -> None:
    assert CARRIERS & heavy_modules_after(ASK.format({})) == {"aiohttp"}


@pytest.mark.skipif(importlib.util.find_spec("httpx2") is None, reason="the extra http2 is not installed")
def test_http2_loads_httpx2_alone() -> None:
    assert CARRIERS & heavy_modules_after(ASK.format({"LLM_HTTP2": "true"})) == {"httpx2"}
