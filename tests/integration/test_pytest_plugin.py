"""The pytest plugin as a host's tests meet it: in every mode of asyncio, in parallel, in any order; nothing leaks."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

# What makes a test function asynchronous in each mode, and how the mode is turned on.
MODES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "strict": ("pytest.mark.asyncio", ("-o", "asyncio_mode=strict")),
    "auto": ("(lambda function: function)", ("-o", "asyncio_mode=auto")),
    "session": ("pytest.mark.asyncio(loop_scope='session')", ("-o", "asyncio_mode=strict")),
    "anyio": ("pytest.mark.anyio", ("-p", "no:asyncio")),
}
EVERY_MODE = pytest.mark.parametrize("mode", MODES)

HEAD = """
import asyncio
import socket
import threading
import http.server

import httpx
import pytest
import respx

from faultmaven import LLMError, RateLimitError, ToolCall
from faultmaven.testing import FakeStream, assert_asked

asynchronous = {asynchronous}

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"
"""

SUITE = """
REPLY = b'{"choices": [{"message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}]}'

class Vendor(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    open_connections = 0
    changed = threading.Condition()

    @classmethod
    def count(cls, step):
        with cls.changed:
            cls.open_connections += step
            cls.changed.notify_all()

    def setup(self):
        self.count(1)
        super().setup()

    def finish(self):
        super().finish()
        self.count(-1)

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(REPLY)))
        self.end_headers()
        self.wfile.write(REPLY)

    def log_message(self, *arguments):
        pass

VENDOR = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
AT_VENDOR = f"http://127.0.0.1:{VENDOR.server_port}/v1"

@pytest.fixture(scope="session", autouse=True)
def vendor():
    thread = threading.Thread(target=VENDOR.serve_forever)
    thread.start()
    yield
    VENDOR.shutdown()
    VENDOR.server_close()
    thread.join()

@pytest.fixture(autouse=True)
def every_connection_ends_with_its_test(vendor):
    yield
    with Vendor.changed:
        assert Vendor.changed.wait_for(lambda: Vendor.open_connections == 0, timeout=5)

@asynchronous
async def test_the_fake_alone(llm_container, fake_llm):
    response = await llm_container.llm().generate("ping")
    assert (response.content, response.provider) == ("ok", "fake")
    assert fake_llm.requests[0].turns[0].text == "ping"

@asynchronous
@pytest.mark.llm_script("one", RateLimitError("slow down"), name="groq", delay=3.0)
async def test_a_script(llm_container, fake_clock, fake_llm):
    llm = llm_container.llm()
    assert (await llm.generate("ping")).content == "one"
    with pytest.raises(RateLimitError):
        await llm.generate("ping")
    assert fake_clock.slept == [3, 3]
    assert fake_llm.provider_name == "groq"

@asynchronous
@pytest.mark.llm_lab("openai", "groq")
@pytest.mark.llm_env(LLM_MAX_RETRIES="0")
async def test_the_lab(llm_container, fault_lab):
    fault_lab.always("openai", "overloaded")
    response = await llm_container.llm().generate("ping")
    assert_asked(response, "openai", "groq")
    async with llm_container.llm().stream("ping") as stream:
        async for chunk in stream:
            break

@asynchronous
@pytest.mark.llm_lab("openai")
@pytest.mark.llm_script("from the fake")
@pytest.mark.llm_env(LLM_MAX_RETRIES="0", CHAT_PROVIDER="openai")
async def test_the_lab_with_a_fake_behind_it(llm_container, fault_lab, fake_clock):
    fault_lab.always("openai", "silent")
    response = await llm_container.llm().generate("ping")
    assert_asked(response, "openai", "fake")
    assert fake_clock.monotonic() > 30

@asynchronous
@pytest.mark.llm_env(GROQ_API_KEY="k")
@respx.mock
async def test_respx(llm_container):
    route = respx.post("https://api.groq.com/openai/v1/chat/completions").mock(httpx.Response(200, content=REPLY))
    assert (await llm_container.llm().generate("ping")).content == "pong"
    assert route.called
    assert llm_container.settings().http_carrier == "httpx"

@asynchronous
@pytest.mark.llm_env(GROQ_API_KEY="k", GROQ_API_BASE=AT_VENDOR)
async def test_sockets_on_the_loopback_interface(llm_container):
    for _ in range(2):
        assert (await llm_container.llm().generate("ping")).content == "pong"
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(AT_VENDOR, content=b"{}")).status_code == 200

@pytest.mark.llm_env(GROQ_API_KEY="k", GROQ_API_BASE=AT_VENDOR)
def test_loops_of_the_tests_own(llm_container):
    for _ in range(2):
        assert asyncio.run(llm_container.llm().generate("ping")).content == "pong"

@pytest.mark.llm_script(ToolCall("1", "look"))
def test_without_a_loop(llm_container, fake_llm):
    assert llm_container.llm().is_available()
    assert asyncio.run(fake_llm.generate("ping")).tool_calls[0].name == "look"

@asynchronous
async def test_asked_for_by_name(request):
    container = request.getfixturevalue("llm_container")
    assert (await container.llm().generate("ping")).content == "ok"
"""

DENIED = """
import contextlib

@asynchronous
@pytest.mark.llm_env(OPENAI_API_KEY="k", GROQ_API_KEY="k", LLM_MAX_RETRIES="0")
async def test_a_vendor(llm_container):
    with contextlib.suppress(Exception):
        await llm_container.llm().generate("ping")
    raise AssertionError("it went on")

@asynchronous
async def test_everything_is_swallowed(fake_llm):
    with contextlib.suppress(BaseException):
        await asyncio.get_running_loop().getaddrinfo("api.anthropic.com", 443)

@asynchronous
async def test_gathered(fake_clock, fault_lab):
    loop = asyncio.get_running_loop()
    await asyncio.gather(loop.getaddrinfo("api.groq.com", 443), return_exceptions=True)

@asynchronous
@pytest.mark.llm_env(GROQ_API_KEY="k")
async def test_guarded_from_where_a_fixture_is_asked_for(request):
    request.getfixturevalue("llm_container")
    with contextlib.suppress(BaseException):
        socket.getaddrinfo("api.mistral.ai", 443)

def test_skipped_after_it(fake_llm):
    try:
        socket.create_connection(("example.com", 80))
    except BaseException:
        pytest.skip("no network")

@pytest.fixture
def reaches_out(fake_llm):
    with contextlib.suppress(BaseException):
        socket.gethostbyname("api.x.ai")
    yield
    with contextlib.suppress(BaseException):
        socket.gethostbyname("api.cohere.com")

def test_in_a_fixture(reaches_out):
    pass

@pytest.fixture
def reaches_out_at_the_end(fake_llm):
    yield
    socket.gethostbyname("api.cohere.com")

def test_at_the_end(reaches_out_at_the_end):
    pass

def test_nobody_is_guarded_any_more():
    assert socket.gethostbyname.__module__ == "_socket"
    assert "connect" not in vars(socket.socket)
"""


def run(pytester: pytest.Pytester, body: str, *arguments: str, mode: str = "strict") -> pytest.RunResult:
    """Run `body` as a host's test file in a process of its own, warnings as errors."""
    asynchronous, options = MODES[mode]
    pytester.makepyfile(HEAD.format(asynchronous=asynchronous) + body)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\naddopts = --strict-markers")
    plugins = ("-p", "faultmaven.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:timeout")
    if mode == "anyio":
        pytester.makeini("[pytest]\naddopts = --strict-markers")
    return pytester.runpytest_subprocess(*plugins, "-W", "error", *options, *arguments, timeout=60)


@EVERY_MODE
def test_the_fixtures_work_and_leave_nothing_open(pytester: pytest.Pytester, mode: str) -> None:
    run(pytester, SUITE, mode=mode).assert_outcomes(passed=9)


@pytest.mark.parametrize("arguments", [("-n", "2"), ("-p", "randomly", "-p", "no:xdist")], ids=" ".join)
def test_in_parallel_and_in_any_order(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    run(pytester, SUITE, *arguments).assert_outcomes(passed=9)


@pytest.mark.parametrize("mode", ["strict", "auto", "anyio"])
def test_whoever_reaches_out_fails_and_is_told_whom_it_would_have_reached(pytester: pytest.Pytester, mode: str) -> None:
    result = run(pytester, DENIED, "-p", "no:randomly", mode=mode)
    result.assert_outcomes(failed=5, errors=3, passed=2)
    told = [line for line in result.outlines if line.startswith("E ") and "would have reached" in line]
    named = [line.partition("reached ")[2].rstrip(".") for line in told]
    assert named == [
        "xai (api.x.ai)",
        "cohere (api.cohere.com)",
        "cohere (api.cohere.com)",
        named[3],
        "anthropic (api.anthropic.com)",
        "groq (api.groq.com)",
        "mistral (api.mistral.ai)",
        "example.com, which is not on this machine",
    ]
    assert named[3] in ("openai (api.openai.com)", "groq (api.groq.com)")


HELD = """
@pytest.fixture(scope="session")
async def held():
    yield

@asynchronous
async def test_denied(fake_llm, held):
    socket.gethostbyname("api.openai.com")

@asynchronous
async def test_after_it(fake_llm, held):
    assert (await fake_llm.generate("ping")).content == "ok"
"""


def test_a_loop_that_is_shared_outlives_what_was_denied_in_it(pytester: pytest.Pytester) -> None:
    run(pytester, HELD, "-p", "no:randomly", mode="anyio").assert_outcomes(failed=1, passed=1)


ALLOWED = """
socket.gethostbyname = lambda name: "192.0.2.7"  # nobody is asked in truth

def test_without_a_fixture_of_ours():
    socket.gethostbyname("api.openai.com")

def test_an_allowed_host():
    socket.gethostbyname("database")

@pytest.mark.llm_network
def test_let_through(fake_llm):
    socket.gethostbyname("api.openai.com")

@pytest.mark.llm_network("queue")
class TestLetThrough:
    def test_a_host(self, fake_llm):
        socket.gethostbyname("queue")

    def test_another_one(self, fake_llm):
        socket.gethostbyname("api.openai.com")

    @pytest.mark.llm_network
    def test_the_nearest_marker_counts(self, fake_llm):
        socket.gethostbyname("api.openai.com")

class TestOfTheStandardLibrary(unittest.TestCase):
    def test_without_a_fixture_of_ours(self):
        with contextlib.suppress(BaseException):
            socket.gethostbyname("api.openai.com")
"""


@pytest.mark.parametrize(("arguments", "failed"), [((), 1), (("--llm-guard",), 3)])
def test_the_guard_is_for_all_when_asked_for_and_lets_through_what_is_named(
    pytester: pytest.Pytester, arguments: tuple[str, ...], failed: int
) -> None:
    allowed = ("-o", "llm_allowed_hosts=database")
    result = run(pytester, "import contextlib, unittest\n" + ALLOWED, *allowed, *arguments)
    result.assert_outcomes(failed=failed, passed=7 - failed)


WRONG = """
@pytest.mark.llm_script(5.0)
def test_step(fake_llm): pass

@pytest.mark.llm_script("ok", nam="groq")
def test_argument(fake_llm): pass

@pytest.mark.llm_env(GROQ_API_KEY=7)
def test_variable(llm_container): pass

@pytest.mark.llm_env("GROQ_API_KEY")
def test_no_value(llm_container): pass

@pytest.mark.llm_env(GROQ_API_KEY="k", CHAT_PROVIDER="grok")
def test_configuration(llm_container): pass

@pytest.mark.llm_lab("opnai")
def test_row(llm_container): pass

@pytest.mark.llm_lab
def test_no_row(llm_container): pass

def test_lab_of_no_row(llm_container, fault_lab): pass

@pytest.mark.llm_network(7)
def test_host(fake_llm): pass
"""


def test_a_marker_that_is_used_wrongly_says_how_to_use_it(pytester: pytest.Pytester) -> None:
    result = run(pytester, WRONG, "-p", "no:randomly")
    result.assert_outcomes(errors=9)
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.llm_script: step 1 of the script is a float; a step is a text, *",
            "@pytest.mark.llm_script: it takes no 'nam'; did you mean 'name'?",
            "@pytest.mark.llm_env: GROQ_API_KEY is a int: variables are text, write it in quotes",
            "@pytest.mark.llm_env: give variables by name: llm_env(GROQ_API_KEY=*",
            "*CHAT_PROVIDER * names an unknown provider 'grok'; did you mean 'groq'?*",
            "@pytest.mark.llm_lab: there is no provider 'opnai'; did you mean 'openai'?",
            "@pytest.mark.llm_lab: name the rows that fault_lab answers for: *",
            "@pytest.mark.llm_lab: say which rows of llm_container fault_lab answers for: *",
            "@pytest.mark.llm_network: name hosts: *",
        ]
    )


NEAREST = """
@pytest.mark.llm_env(GROQ_API_KEY="k", LLM_DEADLINE="7", LLM_MAX_RETRIES="1")
class TestAll:
    @pytest.mark.llm_env(LLM_DEADLINE="9")
    def test_one(self, llm_container):
        settings = llm_container.settings()
        assert (settings.deadline, settings.max_retries) == (9, 1)
        assert llm_container.registry().get_available_providers() == ["groq"]

    def test_the_fake_is_added_when_it_is_asked_for(self, llm_container, fake_llm):
        assert llm_container.registry().get_available_providers() == ["groq", "fake"]
        assert llm_container.settings().deadline == 7

def test_no_variable_of_the_machine_counts(llm_container):
    assert llm_container.registry().get_available_providers() == ["fake"]
"""


def test_markers_add_up_and_nothing_of_the_machine_counts(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "somebody-elses-key")
    monkeypatch.setenv("LLM_DEADLINE", "0.001")
    run(pytester, NEAREST).assert_outcomes(passed=3)


def test_the_plugin_may_be_named_beside_its_entry_point(pytester: pytest.Pytester) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    [(name, module)] = project["entry-points"]["pytest11"].items()
    metadata = pytester.mkdir("installed-1.0.dist-info")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")
    pytester.syspathinsert()
    test = pytester.makepyfile("def test_it(fake_llm): pass")
    for arguments in ((), ("-p", module)):
        pytester.runpytest_subprocess(*arguments, "--llm-guard", test).assert_outcomes(passed=1)
    pytester.makeconftest(f"pytest_plugins = [{module!r}]")
    pytester.runpytest_subprocess("--llm-guard", test).assert_outcomes(passed=1)


def test_pytest_lists_fixtures_and_markers_with_what_they_are_for(pytester: pytest.Pytester) -> None:
    plugin = ("-p", "faultmaven.pytest_plugin")
    pytester.runpytest_subprocess(*plugin, "--markers").stdout.fnmatch_lines(
        [
            "@pytest.mark.llm_script(?steps, *",
            "@pytest.mark.llm_env(*",
            "@pytest.mark.llm_lab(*",
            "@pytest.mark.llm_net*",
        ]
    )
    listed = pytester.runpytest_subprocess(*plugin, "--fixtures").stdout
    listed.fnmatch_lines_random([f"{name} -- *" for name in ("fake_clock", "fake_llm", "fault_lab", "llm_container")])
    pytester.runpytest_subprocess(*plugin, "--help").stdout.fnmatch_lines(["*--llm-guard*", "*llm_allowed_hosts *"])


IMPORTED = """
import json, sys, time
import pytest
before, started = set(sys.modules), time.perf_counter()
import faultmaven.pytest_plugin
print(json.dumps([1000 * (time.perf_counter() - started), sorted(set(sys.modules) - before)]))
"""


def test_loading_the_plugin_imports_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    milliseconds, modules = json.loads(done.stdout)
    with capsys.disabled():
        print(f"[the plugin loads in {milliseconds:.1f} ms]", end=" ")  # noqa: T201 - a measure, and no test of it
    assert modules == ["faultmaven", "faultmaven.pytest_plugin"]


def test_an_unused_plugin_loads_nothing_later_either(pytester: pytest.Pytester) -> None:
    body = """
def test_it():
    import sys
    assert sorted(name for name in sys.modules if name.startswith("faultmaven")) == [
        "faultmaven", "faultmaven.pytest_plugin"
    ]
"""
    test = pytester.makepyfile(body)
    pytester.runpytest_subprocess("-p", "faultmaven.pytest_plugin", test).assert_outcomes(passed=1)
