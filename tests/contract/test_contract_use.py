"""What a subclass of the contract gives, what it is told when it gives too little, and that any plugin will do."""

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
from faultmaven.testing.contract.bench import Bench, open_bench
from faultmaven.testing.contract.standstill import SLOW_SECONDS, standstill

from .guide_providers import BROKEN_GUIDES, GUIDE_ROW, GuideProvider

pytest_plugins = ["pytester"]

GIVEN = {
    "a class": ("", "provider_class = OpenAIProvider"),
    "a row": ("", "row = PROVIDER_SCHEMA['anthropic']"),
    "a row whose class is a name": ("", "row = {**PROVIDER_SCHEMA['groq'], 'provider_class': 'OpenAIProvider'}"),
    "a fixture": ("", "@pytest.fixture\n    def provider(self):\n        return FakeProvider('an answer')"),
    "a fixture of the module": ("@pytest.fixture\ndef provider():\n    return FakeProvider('an answer')\n", "pass"),
}
FACE = """
import pytest
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, OpenAIProvider
from faultmaven.testing import FakeProvider, LLMProviderContract

{above}
class TestMine(LLMProviderContract):
    {given}
"""
ASYNC_FIXTURES = {
    "asyncio_mode = auto": "@pytest.fixture\n    async def provider(self):",
    "asyncio_mode = strict": "@pytest_asyncio.fixture\n    async def provider(self):",
    "addopts = -p no:asyncio": "@pytest.fixture\n    async def provider(self, anyio_backend):",
}
ASYNC_FACE = """
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
FROM_GUIDE = "from tests.contract.guide_providers import GuideProvider"
ASKS_NOBODY = """
from faultmaven.infrastructure.llm.providers import BaseLLMProvider, LLMResponse

class Mine(BaseLLMProvider):
    async def generate(self, prompt, model=None, max_tokens=1000, temperature=0.7, **options):
        with open("asked", "a") as asked:
            asked.write("once ")
        return LLMResponse("an answer", 0.5, self.provider_name, "m", 3, 1)
"""
RAISES = """
from faultmaven.infrastructure.llm.providers import BaseLLMProvider

class Mine(BaseLLMProvider):
    async def generate(self, prompt, model=None, max_tokens=1000, temperature=0.7, **options):
        return {}['choices']
"""
NAMES = frozenset(name for name in dir(LLMProviderContract) if name.startswith("test_"))
RULES = len(NAMES)
# The others ask a silent vendor, or each fault in turn.
QUICK_OVER_A_SOCKET = NAMES - {
    "test_a_silent_vendor_ends_in_time",
    "test_each_fault_is_its_documented_error_and_the_next_call_is_answered",
}


def run(pytester: pytest.Pytester, source: str, settings: str = "asyncio_mode = strict") -> pytest.RunResult:
    """Run a test file in this process, warnings as errors."""
    pytester.makeini(f"[pytest]\n{settings}\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess(
        "-q", "-W", "error", "-W", "ignore::pytest.PytestConfigWarning", "-p", "no:randomly"
    )


@pytest.mark.parametrize("given", GIVEN)
def test_whatever_is_given_is_tested(pytester: pytest.Pytester, given: str) -> None:
    above, inside = GIVEN[given]
    done = run(pytester, FACE.format(above=above, given=inside)).parseoutcomes()
    assert done.get("failed", 0) == done.get("errors", 0) == 0
    assert done["passed"] == (RULES - done["skipped"] if "fixture" in given else RULES)
    assert done["passed"] > 10


@pytest.mark.parametrize("settings", ASYNC_FIXTURES)
def test_it_runs_under_every_plugin_with_a_fixture_of_that_plugin(pytester: pytest.Pytester, settings: str) -> None:
    done = run(pytester, ASYNC_FACE.format(fixture=ASYNC_FIXTURES[settings]), settings).parseoutcomes()
    assert done.get("failed", 0) == done.get("errors", 0) == 0
    assert done["passed"] > 10


def test_it_needs_no_plugin_at_all(pytester: pytest.Pytester) -> None:
    without = "addopts = -p no:asyncio -p no:anyio"
    done = run(pytester, FACE.format(above="", given="provider_class = OpenAIProvider"), without).parseoutcomes()
    assert done == {"passed": RULES}


def test_a_skipped_rule_says_how_to_get_it(pytester: pytest.Pytester) -> None:
    above, inside = GIVEN["a fixture"]
    result = run(pytester, FACE.format(above=above, given=inside), "addopts = -rs")
    result.stdout.fnmatch_lines(
        ["*needs the fault lab: give `row` or `provider_class` in place of the fixture `provider`*"]
    )


def test_a_skipped_rule_says_how_many_there_are(pytester: pytest.Pytester) -> None:
    above, inside = GIVEN["a fixture"]
    result = run(pytester, FACE.format(above=above, given=inside), "addopts = -rs")
    skipped = result.parseoutcomes()["skipped"]
    needed = f"({skipped} of {RULES} rules need that)"
    result.stdout.fnmatch_lines([f"SKIPPED [[]{skipped}[]] *needs the fault lab: *{needed}"])


@pytest.mark.parametrize(
    ("given", "reason"),
    {
        GIVEN["a fixture"][1]: "needs the fault lab: give `row` or `provider_class`",
        "provider_class = GuideProvider": "is about streams of the class's own: override open_stream()",
    }.items(),
    ids=["a fixture", "a class"],
)
def test_no_rule_is_skipped_where_all_are_required(pytester: pytest.Pytester, given: str, reason: str) -> None:
    result = run(pytester, FACE.format(above=FROM_GUIDE, given=f"require_all = True\n    {given}"))
    done = result.parseoutcomes()
    assert done == {"passed": RULES - done["failed"], "failed": done["failed"]}
    result.stdout.fnmatch_lines([f"{reason}*; no rule is skipped, since `require_all` is set"])


def test_a_class_with_all_that_is_required_passes(pytester: pytest.Pytester) -> None:
    given = "require_all = True\n    provider_class = OpenAIProvider"
    assert run(pytester, FACE.format(above="", given=given)).parseoutcomes() == {"passed": RULES}


def test_a_class_that_asks_nobody_is_told_so_once(pytester: pytest.Pytester) -> None:
    result = run(pytester, FACE.format(above=ASKS_NOBODY, given="provider_class = Mine"), "addopts = -rs")
    done = result.parseoutcomes()
    assert done == {"failed": 1, "passed": 4, "skipped": RULES - 5}
    reason = "nothing reached the vendor: the answer to a plain prompt came from elsewhere"
    result.stdout.fnmatch_lines(
        [f"Happened: {reason}", f"SKIPPED * {reason}; mend that first (test_a_plain_prompt_is_answered)"]
    )
    result.stdout.no_fnmatch_line("*Raised at:*")
    assert (pytester.path / "asked").read_text() == "once "


def test_a_fixture_that_blocks_is_told_so(pytester: pytest.Pytester) -> None:
    above = "import time\ndef doze(request):\n    time.sleep(0.5)\n    return 'ok'\n"
    given = "@pytest.fixture\n    def provider(self):\n        return FakeProvider(doze)"
    source = FACE.format(above=above, given=given)
    result = run(pytester, source, "addopts = -k hold_up")
    assert result.parseoutcomes() == {"failed": 1, "deselected": RULES - 1}
    result.stdout.fnmatch_lines(["Happened: the event loop stood still for at least 0.* s in every call"])


def test_computing_is_no_standstill() -> None:
    async def compute() -> None:
        ends = time.thread_time() + 2 * SLOW_SECONDS
        while time.thread_time() < ends:
            pass

    assert standstill(compute) == ""


def test_waiting_in_a_thread_is_no_standstill() -> None:
    assert standstill(lambda: asyncio.to_thread(time.sleep, 2 * SLOW_SECONDS)) == ""


def test_a_call_that_does_not_wait_excuses_those_that_do() -> None:
    naps = iter((2 * SLOW_SECONDS, 0, 2 * SLOW_SECONDS))

    async def ask() -> None:
        time.sleep(next(naps))  # noqa: ASYNC251 - a machine under load stops a thread like this

    assert standstill(ask) == ""


def test_what_a_class_raises_is_shown_where_it_was_raised(pytester: pytest.Pytester) -> None:
    result = run(pytester, FACE.format(above=RAISES, given="provider_class = Mine"))
    shown = result.stdout.str()
    assert "Happened: nothing reached the vendor: a plain prompt raises ProviderError: " in shown
    assert "Raised at:" in shown
    assert "return {}['choices']" in shown
    for noise in ("traceback entries are hidden", "_pytest", "contract/rules.py", "runners.py"):
        assert noise not in shown


def test_who_gives_nothing_is_told_what_to_give(pytester: pytest.Pytester) -> None:
    result = run(pytester, FACE.format(above="", given="provder_class = OpenAIProvider"))
    result.stdout.fnmatch_lines(["*TestMine gives no provider to test: set `provider_class = YourProvider`, *"])
    assert result.parseoutcomes() == {"errors": RULES}


def test_a_fixture_that_fails_is_not_taken_for_none(pytester: pytest.Pytester) -> None:
    given = "@pytest.fixture\n    def provider(self, no_such_thing):\n        return no_such_thing"
    result = run(pytester, FACE.format(above="", given=given))
    result.stdout.fnmatch_lines(["*fixture 'no_such_thing' not found*"])


def test_a_row_with_faults_is_told_all_of_them(pytester: pytest.Pytester) -> None:
    row = "{**PROVIDER_SCHEMA['groq'], 'time_out': 3, 'max_retries': '3'}"
    result = run(pytester, FACE.format(above="", given=f"row = {row}"))
    result.stdout.fnmatch_lines(["*unknown field 'time_out'*", "*'max_retries' must be a whole number*"])
    assert result.parseoutcomes() == {"errors": RULES}


def test_a_row_that_is_none_is_told(pytester: pytest.Pytester) -> None:
    result = run(pytester, FACE.format(above="", given="row = ['groq']"))
    result.stdout.fnmatch_lines(["*TestMine: row is a list, not a mapping*"])


def test_several_are_refused_at_once() -> None:
    with pytest.raises(TypeError, match="TestTwice gives provider_class and row: give one of"):
        type("TestTwice", (LLMProviderContract,), {"provider_class": GuideProvider, "row": GUIDE_ROW})
    with pytest.raises(TypeError, match="TestTwice gives row and a fixture `provider`"):
        type("TestTwice", (LLMProviderContract,), {"row": GUIDE_ROW, "provider": lambda self: None})


def test_a_subclass_of_a_subclass_may_give_another_row() -> None:
    first = type("First", (LLMProviderContract,), {"row": GUIDE_ROW})
    second: Any = type("Second", (first,), {"row": {**GUIDE_ROW, "timeout": 5}})
    assert second.row == {**GUIDE_ROW, "timeout": 5}


def test_a_failing_rule_says_all_that_is_needed(pytester: pytest.Pytester) -> None:
    mine = "class Mine(OpenAIProvider):\n    def get_supported_models(self):\n        return self.config.models\n"
    result = run(pytester, FACE.format(above=mine, given="provider_class = Mine"))
    assert result.parseoutcomes() == {"passed": RULES - 1, "failed": 1}
    result.stdout.fnmatch_lines(
        [
            "*The rule: Whoever changes the returned list changes nothing inside.",
            "*Expected: a new list each time",
            "*Happened: what a caller added to one list stands in the next",
            "*To mend it: Return a copy, such as `self.config.models.copy()`.",
        ]
    )


class TestTheGuideForm(LLMProviderContract):
    """A class that overrides `generate` and brings its own HTTP client, over the loopback interface."""

    provider_class = GuideProvider


class TestAShippedWireOverASocket(LLMProviderContract):
    """An object that is asked over sockets keeps the rules for streams and for what is left open there too."""

    @pytest.fixture(params=["anthropic", "ollama"])
    def bench(self, request: pytest.FixtureRequest) -> Iterator[Bench]:
        with open_bench("sample", PROVIDER_SCHEMA[request.param], over_a_socket=True) as bench:
            yield bench

    @pytest.fixture
    def provider(self, bench: Bench) -> LLMProvider:
        return bench.provider


class TestARouter(LLMProviderContract):
    """A router is a provider too."""

    @pytest.fixture
    async def provider(self):  # type: ignore[no-untyped-def]
        async with open_container(providers={"fake": FakeProvider("an answer")}) as container:
            yield container.llm()


@pytest.mark.parametrize(("rule", "kind"), [pytest.param(*pair, id=pair[1].__name__) for pair in BROKEN_GUIDES])
def test_a_broken_class_of_the_guides_form_breaks_its_rule(rule: str, kind: type[BaseLLMProvider]) -> None:
    told = {}
    others = QUICK_OVER_A_SOCKET - {rule}
    suite: Any = type("TestSample", (LLMProviderContract,), {})()
    for name in [rule, *sorted(others)]:
        with open_bench("sample", {**GUIDE_ROW, "provider_class": kind}) as bench:
            try:
                getattr(suite, name)(bench, bench.provider)
            except pytest.fail.Exception as error:
                told[name] = str(error)
            except pytest.skip.Exception:
                pass
    assert list(told) == [rule], told


def test_the_kit_can_be_imported_without_pytest() -> None:
    script = "import sys; sys.modules['pytest'] = None; from faultmaven.testing import FaultLab, FakeProvider"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
