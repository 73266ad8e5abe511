"""The pytest plugin in the tests of a host: every asyncio mode, parallel runs, any order, and no leaked connection."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

# By mode: the decorator of an asynchronous test, and the pytest options that select the mode.
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

HOST_SUITE = """
REPLY = b'{"choices": [{"message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}]}'

class Vendor(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    open_connections = 0
    changed = threading.Condition()

    @classmethod
    def change_open_connections(cls, step):
        with cls.changed:
            cls.open_connections += step
            cls.changed.notify_all()

    def setup(self):
        self.change_open_connections(1)
        super().setup()

    def finish(self):
        super().finish()
        self.change_open_connections(-1)

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
VENDOR_URL = f"http://127.0.0.1:{VENDOR.server_port}/v1"

@pytest.fixture(scope="session", autouse=True)
def vendor():
    thread = threading.Thread(target=VENDOR.serve_forever)
    thread.start()
    yield
    VENDOR.shutdown()
    VENDOR.server_close()
    thread.join()

@pytest.fixture(autouse=True)
def close_connections_after_each_test(vendor):
    yield
    with Vendor.changed:
        assert Vendor.changed.wait_for(lambda: Vendor.open_connections == 0, timeout=5)

@asynchronous
async def test_fake_llm_answers_by_default(llm_container, fake_llm):
    response = await llm_container.llm().generate("ping")
    assert (response.content, response.provider) == ("ok", "fake")
    assert fake_llm.requests[0].turns[0].text == "ping"

@asynchronous
@pytest.mark.llm_script("one", RateLimitError("slow down"), name="groq", delay=3.0)
async def test_llm_script_sets_fake_replies(llm_container, fake_clock, fake_llm):
    llm = llm_container.llm()
    assert (await llm.generate("ping")).content == "one"
    with pytest.raises(RateLimitError):
        await llm.generate("ping")
    assert fake_clock.slept == [3, 3]
    assert fake_llm.provider_name == "groq"

@asynchronous
@pytest.mark.llm_lab("openai", "groq")
@pytest.mark.llm_env(LLM_MAX_RETRIES="0")
async def test_llm_lab_connects_fault_lab(llm_container, fault_lab):
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
async def test_llm_lab_falls_back_to_fake(llm_container, fault_lab, fake_clock):
    fault_lab.always("openai", "silent")
    response = await llm_container.llm().generate("ping")
    assert_asked(response, "openai", "fake")
    assert fake_clock.monotonic() > 30

@asynchronous
@pytest.mark.llm_env(GROQ_API_KEY="k")
@respx.mock
async def test_respx_intercepts_container_requests(llm_container):
    route = respx.post("https://api.groq.com/openai/v1/chat/completions").mock(httpx.Response(200, content=REPLY))
    assert (await llm_container.llm().generate("ping")).content == "pong"
    assert route.called
    assert llm_container.settings().http_carrier == "httpx"

@asynchronous
@pytest.mark.llm_env(GROQ_API_KEY="k", GROQ_API_BASE=VENDOR_URL)
async def test_loopback_connections_are_allowed(llm_container):
    for _ in range(2):
        assert (await llm_container.llm().generate("ping")).content == "pong"
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(VENDOR_URL, content=b"{}")).status_code == 200

@pytest.mark.llm_env(GROQ_API_KEY="k", GROQ_API_BASE=VENDOR_URL)
def test_container_works_in_own_loops(llm_container):
    for _ in range(2):
        assert asyncio.run(llm_container.llm().generate("ping")).content == "pong"

@pytest.mark.llm_script(ToolCall("1", "look"))
def test_fixtures_work_without_running_loop(llm_container, fake_llm):
    assert llm_container.llm().is_available()
    assert asyncio.run(fake_llm.generate("ping")).tool_calls[0].name == "look"

@asynchronous
async def test_fixture_is_found_by_name(request):
    container = request.getfixturevalue("llm_container")
    assert (await container.llm().generate("ping")).content == "ok"
"""

DENIED_SUITE = """
import contextlib

@asynchronous
@pytest.mark.llm_env(OPENAI_API_KEY="k", GROQ_API_KEY="k", LLM_MAX_RETRIES="0")
async def test_request_to_vendor_is_denied(llm_container):
    with contextlib.suppress(Exception):
        await llm_container.llm().generate("ping")
    raise AssertionError("it went on")

@asynchronous
async def test_swallowed_denial_still_fails_test(fake_llm):
    with contextlib.suppress(BaseException):
        await asyncio.get_running_loop().getaddrinfo("api.anthropic.com", 443)

@asynchronous
async def test_gathered_lookup_is_denied(fake_clock, fault_lab):
    loop = asyncio.get_running_loop()
    await asyncio.gather(loop.getaddrinfo("api.groq.com", 443), return_exceptions=True)

@asynchronous
@pytest.mark.llm_env(GROQ_API_KEY="k")
async def test_guard_starts_at_fixture_request(request):
    request.getfixturevalue("llm_container")
    with contextlib.suppress(BaseException):
        socket.getaddrinfo("api.mistral.ai", 443)

def test_skip_after_denial_still_fails(fake_llm):
    try:
        socket.create_connection(("example.com", 80))
    except BaseException:
        pytest.skip("no network")

@pytest.fixture
def connecting(fake_llm):
    with contextlib.suppress(BaseException):
        socket.gethostbyname("api.x.ai")
    yield
    with contextlib.suppress(BaseException):
        socket.gethostbyname("api.cohere.com")

def test_connection_in_fixture_is_denied(connecting):
    pass

@pytest.fixture
def connecting_at_teardown(fake_llm):
    yield
    socket.gethostbyname("api.cohere.com")

def test_connection_at_teardown_is_denied(connecting_at_teardown):
    pass

def test_guard_ends_after_guarded_test():
    assert socket.gethostbyname.__module__ == "_socket"
    assert "connect" not in vars(socket.socket)
"""


def run(pytester: pytest.Pytester, body: str, *arguments: str, mode: str = "strict") -> pytest.RunResult:
    """Run `body` as the test file of a host in a process of its own, with warnings as errors."""
    asynchronous, options = MODES[mode]
    pytester.makepyfile(HEAD.format(asynchronous=asynchronous) + body)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\naddopts = --strict-markers")
    plugins = ("-p", "faultmaven.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:timeout")
    if mode == "anyio":
        pytester.makeini("[pytest]\naddopts = --strict-markers")
    return pytester.runpytest_subprocess(*plugins, "-W", "error", *options, *arguments, timeout=60)


@EVERY_MODE
def test_fixtures_work_and_close_all_connections(pytester: pytest.Pytester, mode: str) -> None:
    run(pytester, HOST_SUITE, mode=mode).assert_outcomes(passed=9)


@pytest.mark.parametrize("arguments", [("-n", "2"), ("-p", "randomly", "-p", "no:xdist")], ids=" ".join)
def test_fixtures_work_in_parallel_and_shuffled(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    run(pytester, HOST_SUITE, *arguments).assert_outcomes(passed=9)


@pytest.mark.parametrize("mode", ["strict", "auto", "anyio"])
def test_denied_connection_fails_and_names_host(pytester: pytest.Pytester, mode: str) -> None:
    result = run(pytester, DENIED_SUITE, "-p", "no:randomly", mode=mode)
    result.assert_outcomes(failed=5, errors=3, passed=2)
    errors = [line for line in result.outlines if line.startswith("E ") and "would have reached" in line]
    hosts = [line.partition("reached ")[2].rstrip(".") for line in errors]
    assert hosts == [
        "xai (api.x.ai)",
        "cohere (api.cohere.com)",
        "cohere (api.cohere.com)",
        hosts[3],
        "anthropic (api.anthropic.com)",
        "groq (api.groq.com)",
        "mistral (api.mistral.ai)",
        "example.com, which is not on this machine",
    ]
    assert hosts[3] in ("openai (api.openai.com)", "groq (api.groq.com)")


SHARED_LOOP_SUITE = """
@pytest.fixture(scope="session")
async def session_resource():
    yield

@asynchronous
async def test_lookup_is_denied(fake_llm, session_resource):
    socket.gethostbyname("api.openai.com")

@asynchronous
async def test_loop_still_works(fake_llm, session_resource):
    assert (await fake_llm.generate("ping")).content == "ok"
"""


def test_shared_loop_survives_denied_connection(pytester: pytest.Pytester) -> None:
    run(pytester, SHARED_LOOP_SUITE, "-p", "no:randomly", mode="anyio").assert_outcomes(failed=1, passed=1)


GUARD_SUITE = """
socket.gethostbyname = lambda name: "192.0.2.7"  # no real lookup

def test_lookup_without_plugin_fixture():
    socket.gethostbyname("api.openai.com")

def test_allowed_host_is_reachable():
    socket.gethostbyname("database")

@pytest.mark.llm_network
def test_llm_network_allows_every_host(fake_llm):
    socket.gethostbyname("api.openai.com")

@pytest.mark.llm_network("queue")
class TestAllowedHosts:
    def test_named_host_is_reachable(self, fake_llm):
        socket.gethostbyname("queue")

    def test_other_host_is_denied(self, fake_llm):
        socket.gethostbyname("api.openai.com")

    @pytest.mark.llm_network
    def test_nearest_marker_has_precedence(self, fake_llm):
        socket.gethostbyname("api.openai.com")

class TestUnittestCase(unittest.TestCase):
    def test_lookup_without_plugin_fixture(self):
        with contextlib.suppress(BaseException):
            socket.gethostbyname("api.openai.com")
"""


@pytest.mark.parametrize(("arguments", "failed"), [((), 1), (("--llm-guard",), 3)])
def test_guard_option_covers_every_test(pytester: pytest.Pytester, arguments: tuple[str, ...], failed: int) -> None:
    allowed = ("-o", "llm_allowed_hosts=database")
    result = run(pytester, "import contextlib, unittest\n" + GUARD_SUITE, *allowed, *arguments)
    result.assert_outcomes(failed=failed, passed=7 - failed)


WRONG_MARKERS = """
@pytest.mark.llm_script(5.0)
def test_wrong_type_of_script_step(fake_llm): pass

@pytest.mark.llm_script("ok", nam="groq")
def test_unknown_argument_of_llm_script(fake_llm): pass

@pytest.mark.llm_env(GROQ_API_KEY=7)
def test_wrong_type_of_llm_env_value(llm_container): pass

@pytest.mark.llm_env("GROQ_API_KEY")
def test_llm_env_without_values(llm_container): pass

@pytest.mark.llm_env(GROQ_API_KEY="k", CHAT_PROVIDER="grok")
def test_invalid_configuration_of_llm_env(llm_container): pass

@pytest.mark.llm_lab("opnai")
def test_unknown_row_of_llm_lab(llm_container): pass

@pytest.mark.llm_lab
def test_llm_lab_without_rows(llm_container): pass

def test_fault_lab_without_llm_lab(llm_container, fault_lab): pass

@pytest.mark.llm_network(7)
def test_wrong_type_of_network_host(fake_llm): pass

@pytest.mark.llm_script("ok")
def test_llm_script_without_fixture(): pass
"""


def test_wrong_marker_error_explains_correct_use(pytester: pytest.Pytester) -> None:
    result = run(pytester, WRONG_MARKERS, "-p", "no:randomly")
    result.assert_outcomes(errors=10)
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.llm_script: step 1 of the script is a float; a step is a text, *",
            "@pytest.mark.llm_script: unknown argument 'nam'; did you mean 'name'?",
            "@pytest.mark.llm_env: GROQ_API_KEY is a int: variables are text, write the value in quotes",
            "@pytest.mark.llm_env: give variables by name: llm_env(GROQ_API_KEY=*",
            "*CHAT_PROVIDER * names an unknown provider 'grok'; did you mean 'groq'?*",
            "@pytest.mark.llm_lab: there is no provider 'opnai'; did you mean 'openai'?",
            "@pytest.mark.llm_lab: name the rows whose requests fault_lab answers: *",
            "@pytest.mark.llm_lab: name the rows whose requests fault_lab answers: *",
            "@pytest.mark.llm_network: name hosts: *",
            "@pytest.mark.llm_script: the test does not use the fixture fake_llm or llm_container, which reads *",
        ]
    )


MARKER_INHERITANCE = """
@pytest.mark.llm_env(GROQ_API_KEY="k", LLM_DEADLINE="7", LLM_MAX_RETRIES="1")
class TestInheritedMarker:
    @pytest.mark.llm_env(LLM_DEADLINE="9")
    def test_method_marker_overrides_class_marker(self, llm_container):
        settings = llm_container.settings()
        assert (settings.deadline, settings.max_retries) == (9, 1)
        assert llm_container.registry().get_available_providers() == ["groq"]

    def test_requested_fake_joins_the_chain(self, llm_container, fake_llm):
        assert llm_container.registry().get_available_providers() == ["groq", "fake"]
        assert llm_container.settings().deadline == 7

def test_machine_variables_are_ignored(llm_container):
    assert llm_container.registry().get_available_providers() == ["fake"]
"""


def test_markers_combine_and_replace_machine_environment(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "somebody-elses-key")
    monkeypatch.setenv("LLM_DEADLINE", "0.001")
    run(pytester, MARKER_INHERITANCE).assert_outcomes(passed=3)


def test_plugin_can_be_loaded_twice(pytester: pytest.Pytester) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    [(name, module)] = project["entry-points"]["pytest11"].items()
    metadata = pytester.mkdir("installed-1.0.dist-info")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")
    pytester.syspathinsert()
    test = pytester.makepyfile("def test_fake_llm_is_available(fake_llm): pass")
    for arguments in ((), ("-p", module)):
        pytester.runpytest_subprocess(*arguments, "--llm-guard", test).assert_outcomes(passed=1)
    pytester.makeconftest(f"pytest_plugins = [{module!r}]")
    pytester.runpytest_subprocess("--llm-guard", test).assert_outcomes(passed=1)


def test_pytest_lists_fixtures_and_markers_with_help(pytester: pytest.Pytester) -> None:
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


TIMED_IMPORT = """
import json, sys, time
import pytest
before, started = set(sys.modules), time.perf_counter()
import faultmaven.pytest_plugin
print(json.dumps([1000 * (time.perf_counter() - started), sorted(set(sys.modules) - before)]))
"""


def test_plugin_import_loads_no_other_module(capsys: pytest.CaptureFixture[str]) -> None:
    completed = subprocess.run([sys.executable, "-c", TIMED_IMPORT], capture_output=True, text=True, check=True)
    milliseconds, modules = json.loads(completed.stdout)
    with capsys.disabled():
        print(f"[the plugin loads in {milliseconds:.1f} ms]", end=" ")  # noqa: T201 - printed as a measurement, not asserted
    assert modules == ["faultmaven", "faultmaven.pytest_plugin"]


def test_unused_plugin_loads_no_other_module(pytester: pytest.Pytester) -> None:
    body = """
def test_only_plugin_is_loaded():
    import sys
    assert sorted(name for name in sys.modules if name.startswith("faultmaven")) == [
        "faultmaven", "faultmaven.pytest_plugin"
    ]
"""
    test = pytester.makepyfile(body)
    pytester.runpytest_subprocess("-p", "faultmaven.pytest_plugin", test).assert_outcomes(passed=1)
