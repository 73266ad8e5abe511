"""The modules that an import loads: no heavy one before a container is opened. `tox -e footprint` prints the times."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import faultmaven

HEAVY_MODULES = {
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
    """Return the heavy modules that `script` loads in a new interpreter."""
    report = (
        f"import sys\nsys.path.insert(0, {str(Path(faultmaven.__file__).parents[1])!r})\n{script}\nprint(*sys.modules)"
    )
    command = [sys.executable, "-I", "-c", report]
    modules = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout.split()
    return {name.partition(".")[0] for name in modules} & HEAVY_MODULES


@pytest.mark.parametrize(
    "script",
    [
        "import faultmaven",
        "import faultmaven; faultmaven.__version__; dir(faultmaven)",
        "import faultmaven.cli",
    ],
)
def test_import_loads_no_heavy_module(script: str) -> None:
    assert heavy_modules_after(script) == set()


def test_values_and_errors_load_no_heavy_module() -> None:
    assert heavy_modules_after("from faultmaven import ContextLengthError, LLMResponse, Message, Usage") == set()


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_load_only_cli_extra(option: str) -> None:
    script = f"""
sys.argv = ["faultmaven", {option!r}]
from faultmaven.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
"""
    assert heavy_modules_after(script) <= {"click", "rich"}


def test_container_import_loads_required_dependencies() -> None:
    """The counterpart of the tests above: the check does detect heavy modules."""
    loaded = heavy_modules_after("from faultmaven import create_container")
    assert {"dependency_injector", "pydantic"} <= loaded
    assert CARRIERS.isdisjoint(loaded)


CARRIERS = {"aiohttp", "httpx", "httpx2"}
ONE_CALL = """
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


def test_first_call_loads_only_selected_carrier(carrier: str) -> None:
    assert CARRIERS & heavy_modules_after(ONE_CALL.format({"LLM_HTTP_CARRIER": carrier})) == {carrier}


def test_default_carrier_loads_only_aiohttp() -> None:
    assert CARRIERS & heavy_modules_after(ONE_CALL.format({})) == {"aiohttp"}


@pytest.mark.skipif(importlib.util.find_spec("httpx2") is None, reason="the extra http2 is not installed")
def test_http2_setting_loads_only_httpx2() -> None:
    assert CARRIERS & heavy_modules_after(ONE_CALL.format({"LLM_HTTP2": "true"})) == {"httpx2"}


SLOW_CARRIER_IMPORT = """
import asyncio, threading
from faultmaven import LLMError, open_container

class SlowFinder:
    '''A finder that delays the import of the carrier until the event loop has run other callbacks.'''
    def find_spec(self, name, path=None, target=None):
        if name == {!r}:
            loads.append(threading.current_thread())
            loop.call_soon_threadsafe(started.set)
            assert resumed.wait(10), "the event loop stands still"

loads, resumed = [], threading.Event()

async def ask():
    global loop, started
    loop, started = asyncio.get_running_loop(), asyncio.Event()
    sys.meta_path.insert(0, SlowFinder())
    env = {{"GROQ_API_KEY": "k", "GROQ_API_BASE": "http://127.0.0.1:9", "LLM_MAX_RETRIES": "0"}}
    async with open_container(env | {{"LLM_HTTP_CARRIER": {!r}}}) as container:
        calls = [asyncio.ensure_future(container.llm().generate("ping")) for _ in range(5)]
        await started.wait()
        calls[0].cancel()
        await asyncio.wait(calls[:1])
        for _ in range(100):
            await asyncio.sleep(0)
        assert not any(call.done() for call in calls[1:])
        resumed.set()
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError), ended
    assert all(isinstance(error, LLMError) and "refused" in str(error) for error in ended[1:]), ended
    assert len(loads) == 1 and loads[0] is not threading.main_thread(), loads
    assert loop._default_executor is None
asyncio.run(ask())
"""


@pytest.mark.parametrize(("carrier", "loaded"), [("auto", "aiohttp"), ("httpx", "httpx")])
def test_event_loop_runs_during_carrier_import(carrier: str, loaded: str) -> None:
    heavy_modules_after(SLOW_CARRIER_IMPORT.format(loaded, carrier))


CALL_IN_VIRTUAL_TIME = """
import asyncio, httpx
from faultmaven import open_container
from faultmaven.testing import run_in_virtual_time, VirtualClock

BODY = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"pong"},"finish_reason":"stop"}]}'

async def answer(self, request):
    return httpx.Response(200, content=BODY, headers={"content-type": "application/json"})

httpx.AsyncHTTPTransport.handle_async_request = answer

async def ask():
    env = {"GROQ_API_KEY": "k", "LLM_HTTP_CARRIER": "httpx"}
    async with open_container(env, clock=VirtualClock()) as container:
        await container.llm().generate("ping")
    assert asyncio.get_running_loop().time() == 0.0
run_in_virtual_time(ask())
"""


def test_virtual_time_stops_during_carrier_import() -> None:
    heavy_modules_after(CALL_IN_VIRTUAL_TIME)


CALL_AT_EXIT = """
import asyncio, atexit
from faultmaven import LLMError, open_container

async def ask():
    env = {"GROQ_API_KEY": "k", "GROQ_API_BASE": "http://127.0.0.1:9", "LLM_MAX_RETRIES": "0"}
    async with open_container(env) as container:
        await container.llm().generate("ping")

def call_at_exit():
    try:
        asyncio.run(ask())
    except LLMError as error:
        print(error)
atexit.register(call_at_exit)
"""


def test_first_call_works_at_interpreter_exit(process_env: dict[str, str]) -> None:
    completed = subprocess.run(
        [sys.executable, "-c", CALL_AT_EXIT], env=process_env, capture_output=True, text=True, timeout=30, check=True
    )
    assert "the connection was refused" in completed.stdout, completed.stderr
