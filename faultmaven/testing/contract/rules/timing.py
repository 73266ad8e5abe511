"""Rules about time: timeouts, reported response times, and an event loop that no call blocks."""

import asyncio

from ....domain.errors import DeadlineExceededError, ProviderTimeoutError
from ..contract_lab import HELD_REPLY
from ..harness import ContractHarness
from ..precondition import check_precondition
from ..provider_under_test import ProviderUnderTest, describe_outcome, wait_until
from ..rule import expect, rule
from ..stalls import describe_stall

HOLD_SECONDS, SOCKET_HOLD_SECONDS = 0.1, 0.5
"""Minimum delay of a held reply, which `response_time_ms` must include, in process and over a socket. Over a socket,
time is real and a busy machine delays each step."""


class TimingRules:
    """These rules wait no longer than necessary: time is real over a socket and virtual in process."""

    @rule("Pass `request.timeout` (in the guide's form `self.config.timeout`) to the HTTP client.", applies_to="lab")
    async def test_call_to_silent_vendor_times_out(self, subject: ProviderUnderTest) -> None:
        """A call to a silent vendor raises ProviderTimeoutError within the row's timeout or a shorter deadline."""
        timeout = subject.harness.short_timeout
        impatient = subject.harness.with_timeout(timeout)
        for fault in ("silent", "silent_body"):
            subject.harness.lab.always(subject.harness.name, fault)
            await _expect_timely_end(impatient, fault, timeout, {})
        await _expect_timely_end(subject.harness, fault, timeout / 2, {"deadline": timeout / 2})

    @rule(
        "Keep the start time in a local name, or call `self._start_timing()`, and report milliseconds: the next call"
        " overwrites a start time on `self`.",
        applies_to="lab",
    )
    async def test_response_time_measures_one_call(self, subject: ProviderUnderTest) -> None:
        """`response_time_ms` is the time of one call in milliseconds, also while other calls start."""
        loop, lab = asyncio.get_running_loop(), subject.harness.lab
        hold_seconds = HOLD_SECONDS if subject.harness.is_in_process else SOCKET_HOLD_SECONDS
        lab.script(subject.harness.name, HELD_REPLY)
        started = loop.time()
        first = asyncio.ensure_future(subject.generate())
        has_arrived = await wait_until(lambda: subject.sent_requests or first.done())
        expect(has_arrived and subject.sent_requests, "a request within 5 s", "no request reached the vendor")
        arrived = loop.time()
        await asyncio.sleep(hold_seconds)
        second = asyncio.ensure_future(subject.generate())
        await asyncio.wait({second}, timeout=hold_seconds)  # a provider without concurrency queues the second call
        min_seconds = loop.time() - arrived - 0.001
        lab.gate.is_open = True
        reported_seconds = (await first).response_time_ms / 1000
        max_seconds = loop.time() - started + 0.001
        await second
        expect(
            min_seconds <= reported_seconds <= max_seconds,
            f"a `response_time_ms` from {min_seconds * 1000:.0f} to {max_seconds * 1000:.0f}",
            f"{reported_seconds * 1000:g}",
        )

    @rule(
        "Await in generate(); run a synchronous client and other blocking code in `asyncio.to_thread`.",
        preconditions=("answered",),
    )
    def test_call_does_not_block_event_loop(self, subject: ProviderUnderTest) -> None:
        """Other tasks of the event loop run during a call, also while the vendor is slow."""
        if (harness := subject.optional_harness) is not None:
            problem = check_precondition(type(self), harness, "non-blocking").problem
        else:
            problem = describe_stall(subject.generate)
        expect(not problem, "other tasks run during a call", problem)


async def _expect_timely_end(harness: ContractHarness, fault: str, limit: float, options: dict[str, float]) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    outcome: object
    try:
        async with asyncio.timeout(harness.hang_seconds(limit)):
            outcome = await harness.provider.generate("ping", **options)  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - checked below
        outcome = error
    elapsed = loop.time() - started
    context = f"({fault}, {next(iter(options), 'timeout')} {limit:g} s)"
    is_timeout = isinstance(outcome, ProviderTimeoutError | DeadlineExceededError)
    expect(is_timeout, f"ProviderTimeoutError {context}", describe_outcome(outcome))
    max_seconds = harness.max_call_seconds(limit)
    expect(elapsed <= max_seconds, f"an end within {max_seconds:g} s {context}", f"an end after {elapsed:.2f} s")
