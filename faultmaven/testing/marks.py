"""Reading of the markers that configure the fixtures of the pytest plugin."""

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from ..domain.names import did_you_mean
from ..infrastructure.llm.providers.registry import PROVIDER_SCHEMA
from ..ports.clock import Clock
from .fake_clock import FakeClock
from .fakes import FakeProvider

if TYPE_CHECKING:
    from .lab import FaultLab

FIXTURE_BY_MARKER = {"llm_script": "fake_llm or llm_container", "llm_env": "llm_container", "llm_lab": "llm_container"}
FAKE_ARGUMENTS = ("name", "models", "delay")


def build_environment(request: pytest.FixtureRequest) -> tuple[dict[str, str] | None, Any]:
    """Return the variables of `llm_container` and an HTTP client of the lab, each None if no marker needs it."""
    rows, variables = read_rows(request.node), read_variables(request.node)
    if "fault_lab" in request.fixturenames and not rows:
        fail_marker("llm_lab", 'name the rows whose requests fault_lab answers: llm_lab("openai", "groq")')
    if not rows and variables is None:
        return None, None
    env, client = {"LLM_HTTP_CARRIER": "httpx"}, None
    if rows:
        lab: FaultLab = request.getfixturevalue("fault_lab")
        env |= lab.env(*rows)
        client = lab.client()
    return env | (variables or {}), client


def build_fakes(request: pytest.FixtureRequest, is_only_provider: bool) -> dict[str, FakeProvider] | None:
    """Return `fake_llm` under the name of the fake, None if the container does not contain the fake.

    Args:
        is_only_provider: Whether the container has no other provider.
    """
    if (
        not is_only_provider
        and "fake_llm" not in request.fixturenames
        and request.node.get_closest_marker("llm_script") is None
    ):
        return None
    fake: FakeProvider = request.getfixturevalue("fake_llm")
    return {fake.provider_name: fake}


def requested_clock(request: pytest.FixtureRequest) -> FakeClock | None:
    """Return `fake_clock` if the test requests that fixture, else None."""
    clock: FakeClock | None = request.getfixturevalue("fake_clock") if "fake_clock" in request.fixturenames else None
    return clock


def build_fake(node: pytest.Item, clock: Clock | None) -> FakeProvider:
    """Return the fake that `llm_script` describes; without the marker, the fake answers "ok"."""
    mark = node.get_closest_marker("llm_script")
    if mark is None:
        return FakeProvider(clock=clock)
    for name in mark.kwargs:
        if name not in FAKE_ARGUMENTS:
            fail_marker("llm_script", f"unknown argument {name!r}{did_you_mean(name, FAKE_ARGUMENTS)}")
    try:
        return FakeProvider(*mark.args, **mark.kwargs, clock=clock)
    except TypeError as error:
        fail_marker("llm_script", str(error))


def read_rows(node: pytest.Item) -> tuple[str, ...]:
    """Return the rows that `llm_lab` names; without the marker, none."""
    mark = node.get_closest_marker("llm_lab")
    if mark is None:
        return ()
    if mark.kwargs or not mark.args:
        fail_marker("llm_lab", 'name the rows whose requests fault_lab answers: llm_lab("openai", "groq")')
    for name in mark.args:
        if name not in PROVIDER_SCHEMA:
            fail_marker("llm_lab", f"there is no provider {name!r}{did_you_mean(str(name), PROVIDER_SCHEMA)}")
    return mark.args


def read_variables(node: pytest.Item) -> dict[str, str] | None:
    """Return the merged variables of all `llm_env` markers, of which the nearest to the test wins; None without any."""
    marks = [*node.iter_markers("llm_env")]
    variables: dict[str, str] = {}
    for mark in reversed(marks):
        variables |= _check_variables(mark)
    return variables if marks else None


def read_allowed_hosts(node: pytest.Item) -> tuple[str, ...] | None:
    """Return the hosts that `llm_network` allows: none without the marker, None for any host."""
    mark = node.get_closest_marker("llm_network")
    if mark is None:
        return ()
    if mark.kwargs or not all(isinstance(host, str) for host in mark.args):
        fail_marker("llm_network", 'name hosts: llm_network("database", "10.0.0.7"), or no host to allow every host')
    return mark.args or None


def check_markers_have_fixture(node: pytest.Item) -> None:
    """Fail a test with a marker of its own but without a fixture that reads the marker."""
    for name, fixture in FIXTURE_BY_MARKER.items():
        if any(mark.name == name for mark in node.own_markers):
            fail_marker(name, f"the test does not use the fixture {fixture}, which reads this marker")


def _check_variables(mark: pytest.Mark) -> dict[str, str]:
    if mark.args:
        fail_marker("llm_env", 'give variables by name: llm_env(GROQ_API_KEY="k", LLM_MAX_RETRIES="0")')
    for name, value in mark.kwargs.items():
        if not isinstance(value, str):
            fail_marker("llm_env", f"{name} is a {type(value).__name__}: variables are text, write the value in quotes")
    return dict(mark.kwargs)


def fail_marker(marker: str, problem: str) -> NoReturn:
    """Fail the test for a wrong use of `marker`, without a traceback into the kit."""
    __tracebackhide__ = True
    pytest.fail(f"@pytest.mark.{marker}: {problem}", pytrace=False)
