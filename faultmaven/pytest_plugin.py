"""The pytest plugin: fixtures, markers and the network guard.

The module imports only pytest; each fixture imports the class of its value. docs/testing.md has examples.
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
    "llm_script(*steps, name='fake', models=('fake-model',), delay=0.0): the script of fake_llm; see FakeProvider.",
    "llm_env(**variables): llm_container reads these variables and no others: llm_env(GROQ_API_KEY='k').",
    "llm_lab(*rows): llm_container has these rows, and fault_lab answers their requests: llm_lab('openai', 'groq').",
    "llm_network(*hosts): the test may reach these hosts despite the network guard; without arguments, every host.",
)
GUARD: pytest.StashKey[NetworkGuard] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that guards all tests, and the ini option for the allowed hosts."""
    group = parser.getgroup("faultmaven")
    group.addoption(
        "--llm-guard",
        action="store_true",
        help="deny connections to other machines in every test, not only in tests that use a fixture of faultmaven",
    )
    parser.addini("llm_allowed_hosts", "hosts that every test may reach despite the network guard", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture
def fake_clock(request: pytest.FixtureRequest) -> FakeClock:
    """A FakeClock, which `fake_llm`, `fault_lab` and `llm_container` of the same test use."""
    from .testing import FakeClock

    _turn_guard_on(request.node)
    return FakeClock()


@pytest.fixture
def fake_llm(request: pytest.FixtureRequest) -> FakeProvider:
    """A FakeProvider that plays the steps of `llm_script`; without the marker, it answers "ok"."""
    from .testing.marks import build_fake, requested_clock

    _turn_guard_on(request.node)
    return build_fake(request.node, requested_clock(request))


@pytest.fixture
def fault_lab(request: pytest.FixtureRequest) -> FaultLab:
    """A FaultLab, which simulates every vendor and its faults in this process."""
    from .testing import FaultLab
    from .testing.marks import requested_clock

    _turn_guard_on(request.node)
    return FaultLab(requested_clock(request))


@pytest.fixture
def llm_container(request: pytest.FixtureRequest) -> Iterator[Container]:
    """An opened container, closed after the test.

    The only provider is `fake_llm`. With `llm_lab`, the container has the rows of the marker, and `fault_lab` answers
    their requests; with `llm_env`, the container has the providers that the variables configure. It then contains
    `fake_llm` only if the test requests that fixture or has an `llm_script`.
    """
    from .opening import create_container
    from .parts import Parts
    from .testing.marks import build_environment, build_fakes, requested_clock

    _turn_guard_on(request.node)
    env, client = build_environment(request)
    parts = Parts()
    if client is not None:
        parts["http_client"] = client
    if (clock := requested_clock(request)) is not None:
        parts["clock"] = clock
    container = create_container(env, providers=build_fakes(request, is_only_provider=env is None), **parts)
    yield container
    _close_container(container)
    if client is not None:
        _run_without_loop(client.aclose())


# Innermost, so that the error of a wrong marker passes through the hooks of other plugins as a fixture's error would.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard the setup of the test's fixtures, and check the markers."""
    names = getattr(item, "fixturenames", ())
    has_fixture = not set(FIXTURES).isdisjoint(names)
    if item.config.getoption("llm_guard") or has_fixture:
        _turn_guard_on(item)
    # A test with `request` may still request a fixture.
    if not has_fixture and "request" not in names and any(mark.name.startswith("llm_") for mark in item.own_markers):
        from .testing.marks import check_markers_have_fixture

        check_markers_have_fixture(item)
    return (yield from _run_guarded(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard the call of the test."""
    return (yield from _run_guarded(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard the teardown of the test's fixtures, then remove the guard."""
    try:
        return (yield from _run_guarded(item))
    finally:
        if GUARD in item.stash:
            item.stash[GUARD].take_away()


def _run_guarded(item: pytest.Item) -> Generator[None, Any, Any]:
    """Run one phase of a test; a denied connection fails the phase even if other code caught the error."""
    __tracebackhide__ = True
    if (guard := item.stash.get(GUARD, None)) is not None:
        guard.turn_on()
    try:
        result = yield
    except BaseException as error:
        denied = _turn_guard_off(item)
        if denied is None or denied is error or isinstance(error, KeyboardInterrupt | pytest.exit.Exception):
            raise
        raise denied from None
    if (denied := _turn_guard_off(item)) is not None:
        raise denied
    return result


def _turn_guard_on(item: pytest.Item) -> None:
    """Turn the guard on for the test, unless the test may reach any host."""
    from .testing import NetworkGuard
    from .testing.marks import read_allowed_hosts

    allowed = read_allowed_hosts(item)
    if allowed is None:
        return
    if GUARD not in item.stash:
        hosts = (*item.config.getini("llm_allowed_hosts"), *allowed)
        # pytest's own error, since anyio ends its loop's task for any other error that is no Exception.
        item.stash[GUARD] = NetworkGuard(*hosts, error=pytest.fail.Exception)
    item.stash[GUARD].turn_on()


def _turn_guard_off(item: pytest.Item) -> BaseException | None:
    """Turn the guard off until the next phase; return the error of the first denied connection."""
    guard = item.stash.get(GUARD, None)
    if guard is None:
        return None
    guard.turn_off()
    return guard.take()


def _close_container(container: Container) -> None:
    """Close the container in each idle event loop; a closed loop has no open connections."""
    for loop in container.registry().loops():
        if not (loop.is_running() or loop.is_closed()):
            loop.run_until_complete(container.aclose())


def _run_without_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never suspends, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("closing the HTTP client of the lab would need an event loop")
