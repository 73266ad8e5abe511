"""Tests for the event loop in virtual time: exact, fast, cleans up at the end, and never hangs silently."""

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


def test_hour_of_virtual_sleep_is_instant() -> None:
    async def sleep() -> float:
        await asyncio.sleep(3600)
        return now()

    started = time.monotonic()
    assert run_in_virtual_time(sleep()) == 3600
    assert time.monotonic() - started < 30


def test_virtual_time_moves_only_with_timers() -> None:
    async def work() -> list[float]:
        times = [now()]
        await asyncio.sleep(0)
        times.append(now())
        await asyncio.sleep(0.1)
        times += [now(), now()]
        return times

    assert run_in_virtual_time(work()) == [0, 0, 0.1, 0.1]


@pytest.mark.parametrize("clock", [VirtualClock(), SystemClock()])
def test_every_waiting_function_uses_virtual_time(clock: Clock) -> None:
    async def wait() -> tuple[float, bool]:
        await clock.sleep(10)
        timed_out = False
        try:
            async with clock.timeout(5):
                await asyncio.sleep(6)
        except TimeoutError:
            timed_out = True
        async with clock.timeout(None), asyncio.timeout(5):
            await asyncio.wait_for(asyncio.sleep(4), timeout=4.5)
        return now(), timed_out

    assert run_in_virtual_time(wait()) == (19, True)


@pytest.mark.parametrize("seconds", [2.0**24, 1e9, 2.0**33 + 0.3])
def test_virtual_time_stays_exact_after_years(seconds: float) -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(seconds)
        await asyncio.sleep(0.3)
        async with asyncio.timeout(1):
            await asyncio.sleep(0.7)
        return loop.time() - seconds

    assert run_in_virtual_time(wait()) == pytest.approx(1.0, abs=1e-5)


def test_virtual_clock_reads_the_loop_time() -> None:
    async def read() -> tuple[float, float]:
        await asyncio.sleep(7)
        return VirtualClock().monotonic(), now()

    assert run_in_virtual_time(read()) == (7, 7)


@example([0.0, 5e-11])
@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=20))
def test_sleeping_tasks_wake_in_order_of_delay(delays: list[float]) -> None:
    woken: list[float] = []

    async def sleep(delay: float) -> None:
        await asyncio.sleep(delay)
        assert now() == pytest.approx(delay, abs=1e-5)
        woken.append(delay)

    async def sleep_all() -> None:
        await asyncio.gather(*map(sleep, delays))

    run_in_virtual_time(sleep_all())
    assert woken == sorted(delays)


def test_exception_of_coroutine_is_raised() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_in_virtual_time(fail())


def test_virtual_run_cleans_up_like_asyncio_run() -> None:
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

    async def leave_both_open() -> asyncio.AbstractEventLoop:
        task = asyncio.create_task(linger())
        await asyncio.sleep(1)
        open_generator = numbers()
        await anext(open_generator)
        references.extend([task, open_generator])
        return asyncio.get_running_loop()

    references: list[object] = []
    loop = run_in_virtual_time(leave_both_open())
    assert ended == ["task", "generator"]
    assert loop.is_closed()


def test_deadlock_raises_error_after_cleanup() -> None:
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


@pytest.mark.parametrize(
    "infinite_wait", [lambda: asyncio.sleep(float("inf")), lambda: _wait_with_timeout(float("inf"))]
)
def test_infinite_wait_raises_deadlock_error(infinite_wait: object) -> None:
    assert callable(infinite_wait)
    with pytest.raises(VirtualDeadlockError):
        run_in_virtual_time(infinite_wait())


async def _wait_with_timeout(seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await asyncio.Event().wait()


def test_deadlock_during_cleanup_raises_error(caplog: pytest.LogCaptureFixture) -> None:
    async def wait_twice() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()

    with pytest.raises(VirtualDeadlockError):
        run_in_virtual_time(wait_twice())
    gc.collect()  # the task can never end: asyncio must log its warning in this test, and not in a later one
    assert "Task was destroyed but it is pending!" in caplog.text


def test_virtual_time_stops_while_thread_works() -> None:
    async def work() -> float:
        async with asyncio.timeout(0.001):
            await asyncio.to_thread(time.sleep, 0.05)
        return now()

    assert run_in_virtual_time(work()) == 0


def test_socket_is_awaited_without_a_timer() -> None:
    async def receive() -> bytes:
        receiver, sender = socket.socketpair()
        with receiver, sender:
            receiver.setblocking(False)
            threading.Timer(0.05, sender.send, [b"late"]).start()
            return await asyncio.get_running_loop().sock_recv(receiver, 10)

    assert run_in_virtual_time(receive()) == b"late"


def test_slow_fake_provider_answers_instantly() -> None:
    async def call() -> tuple[str, float]:
        clock = VirtualClock()
        response = await FakeProvider("at last", delay=40, clock=clock).generate("ping")
        return response.content, response.response_time_ms

    assert run_in_virtual_time(call()) == ("at last", 40_000)


async def test_virtual_run_inside_loop_is_refused() -> None:
    with pytest.raises(RuntimeError, match="not async"):
        run_in_virtual_time(asyncio.sleep(1))
