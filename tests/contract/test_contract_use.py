"""Use of the contract suite: sources of the provider, messages about mistakes, and support of async plugins."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from faultmaven import LLMProvider, open_container
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, BaseLLMProvider
from faultmaven.testing import FakeProvider, LLMProviderContract
from faultmaven.testing.contract.harness import ContractHarness, open_harness
from faultmaven.testing.contract.stalls import MIN_STALL_SECONDS, describe_stall

from .guide_providers import BROKEN_GUIDE_PROVIDERS, GUIDE_ROW, GuideProvider

pytest_plugins = ["pytester"]

PROVIDER_SOURCES = {
    "a class": ("", "provider_class = OpenAIProvider"),
    "a row": ("", "row = PROVIDER_SCHEMA['anthropic']"),
    "a row whose class is a name": ("", "row = {**PROVIDER_SCHEMA['groq'], 'provider_class': 'OpenAIProvider'}"),
    "a fixture": ("", "@pytest.fixture\n    def provider(self):\n        return FakeProvider('an answer')"),
    "a fixture of the module": ("@pytest.fixture\ndef provider():\n    return FakeProvider('an answer')\n", "pass"),
}
TEST_FILE = """
import pytest
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, OpenAIProvider
from faultmaven.testing import FakeProvider, LLMProviderContract

{header}
class TestMine(LLMProviderContract):
    {source}
"""
ASYNC_FIXTURES = {
    "asyncio_mode = auto": "@pytest.fixture\n    async def provider(self):",
    "asyncio_mode = strict": "@pytest_asyncio.fixture\n    async def provider(self):",
    "addopts = -p no:asyncio": "@pytest.fixture\n    async def provider(self, anyio_backend):",
}
ASYNC_TEST_FILE = """
import pytest, pytest_asyncio
from faultmaven import LLMProvider, open_container
from faultmaven.testing import FaultLab, LLMProviderContract

@pytest.fixture
def anyio_backend():
    return "asyncio"

class TestMine(LLMProviderContract):
    {fixture}
        lab = FaultLab()
        async with lab.client() as client, open_container(lab.env("groq"), http_client=client) as container:
            yield container.registry().get_provider("groq")
"""
IMPORT_OF_GUIDE_PROVIDER = "from tests.contract.guide_providers import GuideProvider"
PROVIDER_WITHOUT_REQUESTS = """
from faultmaven.infrastructure.llm.providers import BaseLLMProvider, LLMResponse

class Mine(BaseLLMProvider):
    async def generate(self, prompt, model=None, max_tokens=1000, temperature=0.7, **options):
        with open("asked", "a") as asked:
            asked.write("once ")
        return LLMResponse("an answer", 0.5, self.provider_name, "m", 3, 1)
"""
RAISING_PROVIDER = """
from faultmaven.infrastructure.llm.providers import BaseLLMProvider

class Mine(BaseLLMProvider):
    async def generate(self, prompt, model=None, max_tokens=1000, temperature=0.7, **options):
        return {}['choices']
"""
RULE_NAMES = frozenset(name for name in dir(LLMProviderContract) if name.startswith("test_"))
RULE_COUNT = len(RULE_NAMES)
# The other rules wait for a silent vendor, or play each fault.
FAST_RULES = RULE_NAMES - {
    "test_call_to_silent_vendor_times_out",
    "test_each_fault_raises_its_documented_error",
}


def run(pytester: pytest.Pytester, test_file: str, settings: str = "asyncio_mode = strict") -> pytest.RunResult:
    """Run a test file in this process, with warnings as errors."""
    pytester.makeini(f"[pytest]\n{settings}\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(test_file)
    return pytester.runpytest_inprocess(
        "-q", "-W", "error", "-W", "ignore::pytest.PytestConfigWarning", "-p", "no:randomly"
    )


@pytest.mark.parametrize("source", PROVIDER_SOURCES)
def test_contract_accepts_every_provider_source(pytester: pytest.Pytester, source: str) -> None:
    header, source_code = PROVIDER_SOURCES[source]
    outcomes = run(pytester, TEST_FILE.format(header=header, source=source_code)).parseoutcomes()
    assert outcomes.get("failed", 0) == outcomes.get("errors", 0) == 0
    assert outcomes["passed"] == (RULE_COUNT - outcomes["skipped"] if "fixture" in source else RULE_COUNT)
    assert outcomes["passed"] > 10


@pytest.mark.parametrize("settings", ASYNC_FIXTURES)
def test_contract_runs_under_every_async_plugin(pytester: pytest.Pytester, settings: str) -> None:
    outcomes = run(pytester, ASYNC_TEST_FILE.format(fixture=ASYNC_FIXTURES[settings]), settings).parseoutcomes()
    assert outcomes.get("failed", 0) == outcomes.get("errors", 0) == 0
    assert outcomes["passed"] > 10


def test_contract_runs_without_async_plugin(pytester: pytest.Pytester) -> None:
    without = "addopts = -p no:asyncio -p no:anyio"
    outcomes = run(
        pytester, TEST_FILE.format(header="", source="provider_class = OpenAIProvider"), without
    ).parseoutcomes()
    assert outcomes == {"passed": RULE_COUNT}


def test_skip_reason_names_missing_requirement(pytester: pytest.Pytester) -> None:
    header, source_code = PROVIDER_SOURCES["a fixture"]
    result = run(pytester, TEST_FILE.format(header=header, source=source_code), "addopts = -rs")
    result.stdout.fnmatch_lines(
        ["*needs the fault lab: set `row` or `provider_class` instead of the fixture `provider`*"]
    )


def test_skip_reason_counts_skipped_rules(pytester: pytest.Pytester) -> None:
    header, source_code = PROVIDER_SOURCES["a fixture"]
    result = run(pytester, TEST_FILE.format(header=header, source=source_code), "addopts = -rs")
    skipped = result.parseoutcomes()["skipped"]
    needed = f"({skipped} of {RULE_COUNT} rules are skipped for this reason)"
    result.stdout.fnmatch_lines([f"SKIPPED [[]{skipped}[]] *needs the fault lab: *{needed}"])


@pytest.mark.parametrize(
    ("source", "reason"),
    {
        PROVIDER_SOURCES["a fixture"][1]: "needs the fault lab: set `row` or `provider_class`",
        "provider_class = GuideProvider": "applies to own streams: override open_stream()",
    }.items(),
    ids=["a fixture", "a class"],
)
def test_require_all_turns_skips_into_failures(pytester: pytest.Pytester, source: str, reason: str) -> None:
    result = run(
        pytester, TEST_FILE.format(header=IMPORT_OF_GUIDE_PROVIDER, source=f"require_all = True\n    {source}")
    )
    outcomes = result.parseoutcomes()
    assert outcomes == {"passed": RULE_COUNT - outcomes["failed"], "failed": outcomes["failed"]}
    result.stdout.fnmatch_lines([f"{reason}*; no rule is skipped, since `require_all` is set"])


def test_complete_class_passes_require_all(pytester: pytest.Pytester) -> None:
    source = "require_all = True\n    provider_class = OpenAIProvider"
    assert run(pytester, TEST_FILE.format(header="", source=source)).parseoutcomes() == {"passed": RULE_COUNT}


def test_class_without_requests_fails_once(pytester: pytest.Pytester) -> None:
    result = run(
        pytester, TEST_FILE.format(header=PROVIDER_WITHOUT_REQUESTS, source="provider_class = Mine"), "addopts = -rs"
    )
    outcomes = result.parseoutcomes()
    assert outcomes == {"failed": 1, "passed": 4, "skipped": RULE_COUNT - 5}
    reason = "no request reached the vendor: the answer to a plain prompt has another source"
    result.stdout.fnmatch_lines(
        [f"Actual: {reason}", f"SKIPPED * {reason}; fix this first (test_a_plain_prompt_is_answered)"]
    )
    result.stdout.no_fnmatch_line("*Raised at:*")
    assert (pytester.path / "asked").read_text() == "once "


def test_blocking_fixture_fails_event_loop_rule(pytester: pytest.Pytester) -> None:
    header = "import time\ndef doze(request):\n    time.sleep(0.5)\n    return 'ok'\n"
    source = "@pytest.fixture\n    def provider(self):\n        return FakeProvider(doze)"
    test_file = TEST_FILE.format(header=header, source=source)
    result = run(pytester, test_file, "addopts = -k does_not_block_event_loop")
    assert result.parseoutcomes() == {"failed": 1, "deselected": RULE_COUNT - 1}
    result.stdout.fnmatch_lines(["Actual: every call blocked the event loop for at least 0.* s"])


def test_computation_is_not_a_standstill() -> None:
    async def compute() -> None:
        ends = time.thread_time() + 2 * MIN_STALL_SECONDS
        while time.thread_time() < ends:
            pass

    assert describe_stall(compute) == ""


def test_waiting_thread_is_not_a_standstill() -> None:
    assert describe_stall(lambda: asyncio.to_thread(time.sleep, 2 * MIN_STALL_SECONDS)) == ""


def test_one_unblocked_call_disproves_a_standstill() -> None:
    naps = iter((2 * MIN_STALL_SECONDS, 0, 2 * MIN_STALL_SECONDS))

    async def block() -> None:
        time.sleep(next(naps))  # noqa: ASYNC251 - simulates a machine under load that stops the thread

    assert describe_stall(block) == ""


def test_unexpected_exception_shows_provider_traceback(pytester: pytest.Pytester) -> None:
    result = run(pytester, TEST_FILE.format(header=RAISING_PROVIDER, source="provider_class = Mine"))
    shown = result.stdout.str()
    assert "Actual: no request reached the vendor: a plain prompt raises ProviderError: " in shown
    assert "Raised at:" in shown
    assert "return {}['choices']" in shown
    for noise in ("traceback entries are hidden", "_pytest", "contract/rules.py", "runners.py"):
        assert noise not in shown


def test_missing_provider_source_is_reported(pytester: pytest.Pytester) -> None:
    result = run(pytester, TEST_FILE.format(header="", source="provder_class = OpenAIProvider"))
    result.stdout.fnmatch_lines(["*TestMine sets no provider to test: set `provider_class = YourProvider`, *"])
    assert result.parseoutcomes() == {"errors": RULE_COUNT}


def test_failing_provider_fixture_is_reported(pytester: pytest.Pytester) -> None:
    source = "@pytest.fixture\n    def provider(self, no_such_thing):\n        return no_such_thing"
    result = run(pytester, TEST_FILE.format(header="", source=source))
    result.stdout.fnmatch_lines(["*fixture 'no_such_thing' not found*"])


def test_invalid_row_reports_all_faults(pytester: pytest.Pytester) -> None:
    row = "{**PROVIDER_SCHEMA['groq'], 'time_out': 3, 'max_retries': '3'}"
    result = run(pytester, TEST_FILE.format(header="", source=f"row = {row}"))
    result.stdout.fnmatch_lines(["*unknown field 'time_out'*", "*'max_retries' must be a whole number*"])
    assert result.parseoutcomes() == {"errors": RULE_COUNT}


def test_non_mapping_row_is_reported(pytester: pytest.Pytester) -> None:
    result = run(pytester, TEST_FILE.format(header="", source="row = ['groq']"))
    result.stdout.fnmatch_lines(["*TestMine: row is a list, not a mapping*"])


def test_several_provider_sources_are_refused() -> None:
    with pytest.raises(TypeError, match="TestTwice sets provider_class and row: set only one of"):
        type("TestTwice", (LLMProviderContract,), {"provider_class": GuideProvider, "row": GUIDE_ROW})
    with pytest.raises(TypeError, match="TestTwice sets row and a fixture `provider`"):
        type("TestTwice", (LLMProviderContract,), {"row": GUIDE_ROW, "provider": lambda self: None})


def test_nested_subclass_may_replace_the_row() -> None:
    first = type("First", (LLMProviderContract,), {"row": GUIDE_ROW})
    second: Any = type("Second", (first,), {"row": {**GUIDE_ROW, "timeout": 5}})
    assert second.row == {**GUIDE_ROW, "timeout": 5}


def test_failure_message_names_rule_and_fix(pytester: pytest.Pytester) -> None:
    mine = "class Mine(OpenAIProvider):\n    def get_supported_models(self):\n        return self.config.models\n"
    result = run(pytester, TEST_FILE.format(header=mine, source="provider_class = Mine"))
    assert result.parseoutcomes() == {"passed": RULE_COUNT - 1, "failed": 1}
    result.stdout.fnmatch_lines(
        [
            "*Rule: Each call of `get_supported_models()` returns a new list, which the caller may change.",
            "*Expected: a new list from each call",
            "*Actual: a model that was added to one list is in the next list",
            "*Fix: Return a copy, such as `self.config.models.copy()`.",
        ]
    )


class TestGuideProvider(LLMProviderContract):
    """Contract for a class that overrides `generate` and has its own HTTP client, over the loopback interface."""

    provider_class = GuideProvider


class TestBuiltInProviderOverSocket(LLMProviderContract):
    """Contract for built-in providers over sockets, with the rules for streams and open connections."""

    @pytest.fixture(params=["anthropic", "ollama"])
    def bench(self, request: pytest.FixtureRequest) -> Iterator[ContractHarness]:
        with open_harness("sample", PROVIDER_SCHEMA[request.param], over_a_socket=True) as harness:
            yield harness

    @pytest.fixture
    def provider(self, bench: ContractHarness) -> LLMProvider:
        return bench.provider


class TestRouter(LLMProviderContract):
    """Contract for a router, which is a provider too."""

    @pytest.fixture
    async def provider(self):  # type: ignore[no-untyped-def]
        async with open_container(providers={"fake": FakeProvider("an answer")}) as container:
            yield container.llm()


@pytest.mark.parametrize(
    ("rule", "broken_class"), [pytest.param(*pair, id=pair[1].__name__) for pair in BROKEN_GUIDE_PROVIDERS]
)
def test_broken_guide_class_breaks_exactly_one_rule(rule: str, broken_class: type[BaseLLMProvider]) -> None:
    messages = {}
    others = FAST_RULES - {rule}
    suite: Any = type("TestSample", (LLMProviderContract,), {})()
    for name in [rule, *sorted(others)]:
        with open_harness("sample", {**GUIDE_ROW, "provider_class": broken_class}) as harness:
            try:
                getattr(suite, name)(harness, harness.provider)
            except pytest.fail.Exception as error:
                messages[name] = str(error)
            except pytest.skip.Exception:
                pass
    assert list(messages) == [rule], messages


def test_testing_package_imports_without_pytest() -> None:
    script = "import sys; sys.modules['pytest'] = None; from faultmaven.testing import FaultLab, FakeProvider"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
