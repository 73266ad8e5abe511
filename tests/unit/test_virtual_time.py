"""An event loop whose time jumps: exact, fast, orderly at its end, and never in a silent hang."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faultmaven.infrastructure.clock import SystemClock
from faultmaven.ports.clock import Clock
from faultmaven.testing import FakeProvider, VirtualClock, VirtualDeadlockError, run_in_virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


def test_an_hour_of_sleep_takes_no_time() -> None:
    async def sleep() -> float:
        await asyncio.sleep(3600)
        return now()

    started = time.monotonic()
    assert run_in_virtual_time(sleep()) == 3600
    assert time.monotonic() - started < 30


def test_time_starts_at_zero_and_stands_still_between_timers() -> None:
    async def work() -> list[float]:
        times = [now()]
        await asyncio.sleep(0)
        times.append(now())
        await asyncio.sleep(0.1)
        times += [now(), now()]
        return times

    assert run_in_virtual_time(work()) == [0, 0, 0.1, 0.1]


@pytest.mark.parametrize("clock", [VirtualClock(), SystemClock()])
def test_every_way_to_wait_agrees(clock: Clock) -> None:
    async def wait() -> tuple[float, bool]:
        await clock.sleep(10)
        struck = False
        try:
            async with clock.timeout(5):
                await asyncio.sleep(6)
        except TimeoutError:
            struck = True
        async with clock.timeout(None), asyncio.timeout(5):
            await asyncio.wait_for(asyncio.sleep(4), timeout=4.5)
        return now(), struck

    assert run_in_virtual_time(wait()) == (19, True)


@pytest.mark.parametrize("seconds", [2.0**24, 1e9, 2.0**33 + 0.3])
def test_time_goes_on_after_years(seconds: float) -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(seconds)
        await asyncio.sleep(0.3)
        async with asyncio.timeout(1):
            await asyncio.sleep(0.7)
        return loop.time() - seconds

    assert run_in_virtual_time(wait()) == pytest.approx(1.0, abs=1e-5)


def test_the_virtual_clock_is_the_loops_time() -> None:
    async def read() -> tuple[float, float]:
        await asyncio.sleep(7)
        return VirtualClock().monotonic(), now()

    assert run_in_virtual_time(read()) == (7, 7)


@example([0.0, 5e-11])
@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=20))
def test_whoever_sleeps_shorter_wakes_first_and_exactly_then(delays: list[float]) -> None:
    woken: list[float] = []

    async def sleep(delay: float) -> None:
        await asyncio.sleep(delay)
        assert now() == pytest.approx(delay, abs=1e-5)
        woken.append(delay)

    async def sleep_all() -> None:
        await asyncio.gather(*map(sleep, delays))

    run_in_virtual_time(sleep_all())
    assert woken == sorted(delays)


def test_what_the_coroutine_raises_comes_out() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_in_virtual_time(fail())


def test_it_ends_as_asyncio_run_does() -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)
            ended.append("task")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)
            ended.append("generator")

    async def leave_both() -> asyncio.AbstractEventLoop:
        left = asyncio.create_task(linger())
        await asyncio.sleep(1)
        open_generator = numbers()
        await anext(open_generator)
        keep.extend([left, open_generator])
        return asyncio.get_running_loop()

    keep: list[object] = []
    loop = run_in_virtual_time(leave_both())
    assert ended == ["task", "generator"]
    assert loop.is_closed()


def test_waiting_for_nothing_is_an_error_and_cleanup_still_runs() -> None:
    cleaned = []

    async def wait() -> None:
        await asyncio.sleep(5)
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(now())

    with pytest.raises(VirtualDeadlockError, match="no timer is set"):
        run_in_virtual_time(wait())
    assert cleaned == [5]


@pytest.mark.parametrize("for_ever", [lambda: asyncio.sleep(float("inf")), lambda: _time_out(float("inf"))])
def test_infinity_never_comes(for_ever: object) -> None:
    assert callable(for_ever)
    with pytest.raises(VirtualDeadlockError):
        run_in_virtual_time(for_ever())


async def _time_out(seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await asyncio.Event().wait()


def test_a_deadlock_in_the_cleanup_is_an_error_too(caplog: pytest.LogCaptureFixture) -> None:
    async def wait_twice() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()

    with pytest.raises(VirtualDeadlockError):
        run_in_virtual_time(wait_twice())
    gc.collect()  # the task can never end: what asyncio says of it belongs in this test's log, and in no later one
    assert "Task was destroyed but it is pending!" in caplog.text


def test_time_stands_still_while_a_thread_works() -> None:
    async def work() -> float:
        async with asyncio.timeout(0.001):
            await asyncio.to_thread(time.sleep, 0.05)
        return now()

    assert run_in_virtual_time(work()) == 0


def test_without_a_timer_a_socket_is_waited_for() -> None:
    async def receive() -> bytes:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            threading.Timer(0.05, theirs.send, [b"late"]).start()
            return await asyncio.get_running_loop().sock_recv(ours, 10)

    assert run_in_virtual_time(receive()) == b"late"


def test_a_slow_provider_takes_its_time_in_no_time() -> None:
    async def ask() -> tuple[str, float]:
        clock = VirtualClock()
        response = await FakeProvider("at last", delay=40, clock=clock).generate("ping")
        return response.content, response.response_time_ms

    assert run_in_virtual_time(ask()) == ("at last", 40_000)


async def test_it_does_not_run_inside_another_loop() -> None:
    with pytest.raises(RuntimeError, match="not async"):
        run_in_virtual_time(asyncio.sleep(1))
