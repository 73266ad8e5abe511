"""The pytest plugin: fixtures, markers and the network guard.

It imports nothing but pytest; each fixture imports what it gives. docs/testing.md has examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Iterator

    from .container import Container
    from .testing import FakeClock, FakeProvider, FaultLab, NetworkGuard

FIXTURES = ("fake_llm", "llm_container", "fault_lab", "fake_clock")
MARKERS = (
    "llm_script(*steps, name='fake', models=('fake-model',), delay=0.0): what fake_llm plays; see FakeProvider.",
    "llm_env(**variables): llm_container opens from these variables, and from no others: llm_env(GROQ_API_KEY='k').",
    "llm_lab(*rows): llm_container has these rows, answered by fault_lab: llm_lab('openai', 'groq').",
    "llm_network(*hosts): the test may reach these hosts through the network guard; without hosts, anywhere.",
)
GUARD: pytest.StashKey[NetworkGuard] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the guard's option and the hosts that it lets through."""
    group = parser.getgroup("faultmaven")
    group.addoption(
        "--llm-guard",
        action="store_true",
        help="fail every test that would reach beyond this machine, not only those that use a fixture of faultmaven",
    )
    parser.addini("llm_allowed_hosts", "hosts that the network guard lets every test reach", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture
def fake_clock(request: pytest.FixtureRequest) -> FakeClock:
    """Time that moves only when told; `fake_llm`, `fault_lab` and `llm_container` of the same test go by it."""
    from .testing import FakeClock

    _guard(request.node)
    return FakeClock()


@pytest.fixture
def fake_llm(request: pytest.FixtureRequest) -> FakeProvider:
    """A FakeProvider that plays what `llm_script` says; it answers "ok" without."""
    from .testing.marks import clock_of, fake_of

    _guard(request.node)
    return fake_of(request.node, clock_of(request))


@pytest.fixture
def fault_lab(request: pytest.FixtureRequest) -> FaultLab:
    """A FaultLab: every vendor in this process, with every fault."""
    from .testing import FaultLab
    from .testing.marks import clock_of

    _guard(request.node)
    return FaultLab(clock_of(request))


@pytest.fixture
def llm_container(request: pytest.FixtureRequest) -> Iterator[Container]:
    """An opened container, closed after the test.

    Its only provider is `fake_llm`. With `llm_lab` it has the rows named there, answered by `fault_lab`; with
    `llm_env`, what these variables configure; then `fake_llm` is there too if the test asks for it or has an
    `llm_script`.
    """
    from .opening import create_container
    from .parts import Parts
    from .testing.marks import clock_of, environment_of, fakes_of

    _guard(request.node)
    env, client = environment_of(request)
    parts = Parts()
    if client is not None:
        parts["http_client"] = client
    if (clock := clock_of(request)) is not None:
        parts["clock"] = clock
    container = create_container(env, providers=fakes_of(request, alone=env is None), **parts)
    yield container
    _close(container)
    if client is not None:
        _run_to_end(client.aclose())


# Innermost, so that what is said of a wrong marker leaves the hooks of other plugins as a fixture's error would.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard the test's fixtures."""
    names = getattr(item, "fixturenames", ())
    has_fixture = not set(FIXTURES).isdisjoint(names)
    if item.config.getoption("llm_guard") or has_fixture:
        _guard(item)
    # A test with `request` may still ask for a fixture.
    if not has_fixture and "request" not in names and any(mark.name.startswith("llm_") for mark in item.own_markers):
        from .testing.marks import check_use

        check_use(item)
    return (yield from _guarded(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard the test."""
    return (yield from _guarded(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard what its fixtures do at the end; then the guard goes."""
    try:
        return (yield from _guarded(item))
    finally:
        if GUARD in item.stash:
            item.stash[GUARD].take_away()


def _guarded(item: pytest.Item) -> Generator[None, Any, Any]:
    """Run one phase of a test; what the guard denied fails it, even if something on the way caught that."""
    __tracebackhide__ = True
    if (guard := item.stash.get(GUARD, None)) is not None:
        guard.turn_on()
    try:
        result = yield
    except BaseException as error:
        denied = _unguarded(item)
        if denied is None or denied is error or isinstance(error, KeyboardInterrupt | pytest.exit.Exception):
            raise
        raise denied from None
    if (denied := _unguarded(item)) is not None:
        raise denied
    return result


def _guard(item: pytest.Item) -> None:
    """Turn the guard on for the test, unless it may reach out."""
    from .testing import NetworkGuard
    from .testing.marks import allowed_hosts_of

    allowed = allowed_hosts_of(item)
    if allowed is None:
        return
    if GUARD not in item.stash:
        hosts = (*item.config.getini("llm_allowed_hosts"), *allowed)
        # pytest's own, since anyio ends its loop's task for any other error that is no Exception.
        item.stash[GUARD] = NetworkGuard(*hosts, error=pytest.fail.Exception)
    item.stash[GUARD].turn_on()


def _unguarded(item: pytest.Item) -> BaseException | None:
    """Turn the guard off until the next phase; return what it denied."""
    guard = item.stash.get(GUARD, None)
    if guard is None:
        return None
    guard.turn_off()
    return guard.take()


def _close(container: Container) -> None:
    """Close the connections of every loop that is there and at rest; a loop that has ended has closed its own."""
    for loop in container.registry().loops():
        if not (loop.is_running() or loop.is_closed()):
            loop.run_until_complete(container.aclose())


def _run_to_end(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("a client over the lab waited for something while it was closed")
