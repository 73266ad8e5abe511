"""Rules about time: limits that are kept, times that are told, a loop that is never held up."""

import asyncio

from faultmaven.domain.errors import DeadlineExceededError, ProviderTimeoutError
from faultmaven.testing.contract.bench import Bench
from faultmaven.testing.contract.contract_lab import HELD
from faultmaven.testing.contract.precondition import finding
from faultmaven.testing.contract.rules import expect, rule
from faultmaven.testing.contract.standstill import standstill
from faultmaven.testing.contract.subject import Subject, becomes, kind_of

LATE_SECONDS, LATE_SECONDS_OVER_A_SOCKET = 0.1, 0.5
"""How long a held reply is late at least; `response_time_ms` must tell it. Over a socket a busy machine adds to it."""


class TimingRules:
    """Over a socket time is real, in process it is virtual: none of these rules waits longer than it must."""

    @rule("Pass `request.timeout` (in the guide's form `self.config.timeout`) to the HTTP client.", over="lab")
    async def test_a_silent_vendor_ends_in_time(self, it: Subject) -> None:
        """Silence ends in ProviderTimeoutError: within the row's timeout, and within a shorter deadline."""
        short = it.bench.short
        hurried = it.bench.with_timeout(short)
        for fault in ("silent", "silent_body"):
            it.bench.lab.always(it.bench.name, fault)
            await _ends_in_time(hurried, fault, short, {})
        await _ends_in_time(it.bench, fault, short / 2, {"deadline": short / 2})

    @rule(
        "Note the start in a local name, or with `self._start_timing()`, and tell milliseconds: a start on `self` is"
        " overwritten by the next call.",
        over="lab",
    )
    async def test_the_time_it_tells_is_the_calls_own(self, it: Subject) -> None:
        """`response_time_ms` is the time of this call in milliseconds, also while others begin."""
        loop, lab = asyncio.get_running_loop(), it.bench.lab
        late = LATE_SECONDS if it.bench.is_in_process else LATE_SECONDS_OVER_A_SOCKET
        lab.script(it.bench.name, HELD)
        began = loop.time()
        first = asyncio.ensure_future(it.ask())
        arrived = await becomes(lambda: it.sent or first.done())
        expect(arrived and it.sent, "a request within 5 s", "none reached the vendor")
        came = loop.time()
        await asyncio.sleep(late)
        second = asyncio.ensure_future(it.ask())
        await asyncio.wait({second}, timeout=late)  # a provider may make it wait for the first
        least = loop.time() - came - 0.001
        lab.gate.is_open = True
        told = (await first).response_time_ms / 1000
        most = loop.time() - began + 0.001
        await second
        expect(
            least <= told <= most,
            f"a `response_time_ms` from {least * 1000:.0f} to {most * 1000:.0f}",
            f"{told * 1000:g}",
        )

    @rule(
        "Await in generate(); a synchronous client, or anything else that waits, belongs into `asyncio.to_thread`.",
        rests_on=("answered",),
    )
    def test_it_does_not_hold_up_the_event_loop(self, it: Subject) -> None:
        """While a call works and while a vendor takes its time, everything else in the event loop goes on."""
        bench = it.given_bench
        held_up = finding(type(self), bench, "free loop").problem if bench else standstill(it.ask)
        expect(not held_up, "other tasks run during a call", held_up)


async def _ends_in_time(bench: Bench, fault: str, limit: float, options: dict[str, float]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    outcome: object
    try:
        async with asyncio.timeout(bench.guard(limit)):
            outcome = await bench.provider.generate("ping", **options)  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - it is judged below
        outcome = error
    taken = loop.time() - began
    what = f"({fault}, {next(iter(options), 'timeout')} {limit:g} s)"
    in_time = isinstance(outcome, ProviderTimeoutError | DeadlineExceededError)
    expect(in_time, f"ProviderTimeoutError {what}", kind_of(outcome))
    most = bench.most(limit)
    expect(taken <= most, f"an end within {most:g} s {what}", f"it took {taken:.2f} s")
