"""What a test's markers say to the fixtures of the pytest plugin."""

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from ..domain.names import did_you_mean
from ..infrastructure.llm.providers.registry import PROVIDER_SCHEMA
from ..ports.clock import Clock
from .fake_clock import FakeClock
from .fakes import FakeProvider

if TYPE_CHECKING:
    from .lab import FaultLab

READ_BY = {"llm_script": "fake_llm or llm_container", "llm_env": "llm_container", "llm_lab": "llm_container"}
FAKE_ARGUMENTS = ("name", "models", "delay")


def environment_of(request: pytest.FixtureRequest) -> tuple[dict[str, str] | None, Any]:
    """Return the variables of `llm_container`, None for none at all, and the HTTP client that leads to the lab."""
    rows, variables = rows_of(request.node), variables_of(request.node)
    if "fault_lab" in request.fixturenames and not rows:
        refuse("llm_lab", 'say which rows of llm_container fault_lab answers for: llm_lab("openai", "groq")')
    if not rows and variables is None:
        return None, None
    env, client = {"LLM_HTTP_CARRIER": "httpx"}, None
    if rows:
        lab: FaultLab = request.getfixturevalue("fault_lab")
        env |= lab.env(*rows)
        client = lab.client()
    return env | (variables or {}), client


def fakes_of(request: pytest.FixtureRequest, alone: bool) -> dict[str, FakeProvider] | None:
    """Return `fake_llm` under its name, None where the container does not have it.

    Args:
        alone: Whether nobody else is in the container.
    """
    if not alone and "fake_llm" not in request.fixturenames and request.node.get_closest_marker("llm_script") is None:
        return None
    fake: FakeProvider = request.getfixturevalue("fake_llm")
    return {fake.provider_name: fake}


def clock_of(request: pytest.FixtureRequest) -> FakeClock | None:
    """Return `fake_clock` where the test asks for it."""
    clock: FakeClock | None = request.getfixturevalue("fake_clock") if "fake_clock" in request.fixturenames else None
    return clock


def fake_of(node: pytest.Item, clock: Clock | None) -> FakeProvider:
    """Return the fake that `llm_script` describes, one that answers "ok" without it."""
    mark = node.get_closest_marker("llm_script")
    if mark is None:
        return FakeProvider(clock=clock)
    for name in mark.kwargs:
        if name not in FAKE_ARGUMENTS:
            refuse("llm_script", f"it takes no {name!r}{did_you_mean(name, FAKE_ARGUMENTS)}")
    try:
        return FakeProvider(*mark.args, **mark.kwargs, clock=clock)
    except TypeError as error:
        refuse("llm_script", str(error))


def rows_of(node: pytest.Item) -> tuple[str, ...]:
    """Return the rows that `llm_lab` names, none without it."""
    mark = node.get_closest_marker("llm_lab")
    if mark is None:
        return ()
    if mark.kwargs or not mark.args:
        refuse("llm_lab", 'name the rows that fault_lab answers for: llm_lab("openai", "groq")')
    for name in mark.args:
        if name not in PROVIDER_SCHEMA:
            refuse("llm_lab", f"there is no provider {name!r}{did_you_mean(str(name), PROVIDER_SCHEMA)}")
    return mark.args


def variables_of(node: pytest.Item) -> dict[str, str] | None:
    """Return the variables of every `llm_env`, the nearest to the test winning; None without one."""
    marks = [*node.iter_markers("llm_env")]
    variables: dict[str, str] = {}
    for mark in reversed(marks):
        variables |= _checked(mark)
    return variables if marks else None


def allowed_hosts_of(node: pytest.Item) -> tuple[str, ...] | None:
    """Return the hosts that `llm_network` names, none without it; None lets the test go anywhere."""
    mark = node.get_closest_marker("llm_network")
    if mark is None:
        return ()
    if mark.kwargs or not all(isinstance(host, str) for host in mark.args):
        refuse("llm_network", 'name hosts: llm_network("database", "10.0.0.7"), or none to let the test go anywhere')
    return mark.args or None


def check_use(node: pytest.Item) -> None:
    """Refuse a marker of the test's own that nothing reads, since the test has none of the fixtures."""
    for name, fixture in READ_BY.items():
        if any(mark.name == name for mark in node.own_markers):
            refuse(name, f"the test does not use the fixture {fixture}, which reads it")


def _checked(mark: pytest.Mark) -> dict[str, str]:
    if mark.args:
        refuse("llm_env", 'give variables by name: llm_env(GROQ_API_KEY="k", LLM_MAX_RETRIES="0")')
    for name, value in mark.kwargs.items():
        if not isinstance(value, str):
            refuse("llm_env", f"{name} is a {type(value).__name__}: variables are text, write it in quotes")
    return dict(mark.kwargs)


def refuse(marker: str, problem: str) -> NoReturn:
    """Fail the test for the way in which `marker` is used, without a traceback of ours."""
    __tracebackhide__ = True
    pytest.fail(f"@pytest.mark.{marker}: {problem}", pytrace=False)
