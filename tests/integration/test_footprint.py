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


TAKING_TURNS = """
import asyncio, threading
from faultmaven import LLMError, open_container

class Slow:
    '''The import of the carrier goes on only when the event loop has taken turns.'''
    def find_spec(self, name, path=None, target=None):
        if name == {!r}:
            loads.append(threading.current_thread())
            loop.call_soon_threadsafe(started.set)
            assert went_on.wait(10), "the event loop stands still"

loads, went_on = [], threading.Event()

async def ask():
    global loop, started
    loop, started = asyncio.get_running_loop(), asyncio.Event()
    sys.meta_path.insert(0, Slow())
    env = {{"GROQ_API_KEY": "k", "GROQ_API_BASE": "http://127.0.0.1:9", "LLM_MAX_RETRIES": "0"}}
    async with open_container(env | {{"LLM_HTTP_CARRIER": {!r}}}) as container:
        calls = [asyncio.ensure_future(container.llm().generate("ping")) for _ in range(5)]
        await started.wait()
        calls[0].cancel()
        await asyncio.wait(calls[:1])
        for _ in range(100):
            await asyncio.sleep(0)
        assert not any(call.done() for call in calls[1:])
        went_on.set()
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError), ended
    assert all(isinstance(error, LLMError) and "refused" in str(error) for error in ended[1:]), ended
    assert len(loads) == 1 and loads[0] is not threading.main_thread(), loads
    assert loop._default_executor is None
asyncio.run(ask())
"""


@pytest.mark.parametrize(("carrier", "loaded"), [("auto", "aiohttp"), ("httpx", "httpx")])
def test_the_event_loop_takes_turns_while_a_carrier_is_loaded(carrier: str, loaded: str) -> None:
    heavy_modules_after(TAKING_TURNS.format(loaded, carrier))


IN_VIRTUAL_TIME = """
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


def test_virtual_time_stands_still_while_a_carrier_is_loaded() -> None:
    heavy_modules_after(IN_VIRTUAL_TIME)


AT_THE_END = """
import asyncio, atexit
from faultmaven import LLMError, open_container

async def ask():
    env = {"GROQ_API_KEY": "k", "GROQ_API_BASE": "http://127.0.0.1:9", "LLM_MAX_RETRIES": "0"}
    async with open_container(env) as container:
        await container.llm().generate("ping")

def goodbye():
    try:
        asyncio.run(ask())
    except LLMError as error:
        print(error)
atexit.register(goodbye)
"""


def test_a_first_call_at_the_interpreters_end_is_made_all_the_same(process_env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_END], env=process_env, capture_output=True, text=True, timeout=30, check=True
    )
    assert "the connection was refused" in done.stdout, done.stderr
