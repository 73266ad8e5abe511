"""Preconditions of most rules: the lab answers a plain prompt, and the call does not block the event loop."""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary

from ...domain.responses import LLMResponse
from .contract_lab import HELD_REPLY
from .harness import ContractHarness, open_harness
from .provider_under_test import ProviderUnderTest, describe_outcome, wait_until
from .stalls import describe_stall

MAX_BLOCKED_SECONDS = 1.0

Precondition: TypeAlias = Literal["answered", "non-blocking"]
"""Checked in this order: blocking is not measured before a plain prompt is answered."""


@dataclass(frozen=True, slots=True)
class PreconditionResult:
    """The result of checking a precondition.

    Attributes:
        problem: Half a sentence; "" if the precondition holds.
        cause: The exception that the provider raised, if any.
    """

    problem: str
    cause: Exception | None = None


# Cached for each test class: a provider that sends nothing would otherwise fail thirty rules, each after its own wait.
_results: WeakKeyDictionary[type, dict[object, PreconditionResult]] = WeakKeyDictionary()


def check_precondition(suite: type, harness: ContractHarness, precondition: Precondition) -> PreconditionResult:
    """Return whether `precondition` holds for a provider like that of `harness`, checked once per `suite` and row."""
    results = _results.setdefault(suite, {})
    key = (precondition, harness.name, harness.dialect, harness.is_in_process, type(harness.instance))
    if key not in results:
        results[key] = (
            _check_answered(harness) if precondition == "answered" else PreconditionResult(_blocking_problem(harness))
        )
    return results[key]


def unmet_precondition(suite: type, harness: ContractHarness, preconditions: tuple[Precondition, ...]) -> str:
    """Return the problem of the first unmet precondition and the rule about it, "" if all of them hold."""
    for precondition in preconditions:
        if problem := check_precondition(suite, harness, precondition).problem:
            return f"{problem}; fix this first ({RULE_BY_PRECONDITION[precondition]})"
    return ""


RULE_BY_PRECONDITION = {
    "answered": "test_a_plain_prompt_is_answered",
    "non-blocking": "test_call_does_not_block_event_loop",
}


def _open_separate_harness(harness: ContractHarness, *, over_a_socket: bool) -> AbstractContextManager[ContractHarness]:
    """Open another harness for the same row, so that the rule's own provider has made no call and met no event loop."""
    return open_harness(harness.name, harness.row, harness.dialect, over_a_socket=over_a_socket)


def _check_answered(harness: ContractHarness) -> PreconditionResult:
    with _open_separate_harness(harness, over_a_socket=not harness.is_in_process) as separate:
        subject = ProviderUnderTest(separate.provider, separate)
        try:
            response: Any = subject.run(subject.generate())  # a third-party provider may return any type
        except Exception as error:  # noqa: BLE001 - a third-party provider may raise anything; the rule reports it
            prefix = "" if subject.sent_requests else "no request reached the vendor: "
            return PreconditionResult(f"{prefix}a plain prompt raises {describe_outcome(error)}".rstrip("."), error)
        if not subject.sent_requests:
            return PreconditionResult("no request reached the vendor: the answer to a plain prompt has another source")
    if isinstance(response, LLMResponse):
        return PreconditionResult("")
    return PreconditionResult(f"generate() returns a {type(response).__name__} for a plain prompt, not an LLMResponse")


def _blocking_problem(harness: ContractHarness) -> str:
    """Return how long a call blocks the event loop, "" without a stall; measured over a socket, where time is real."""
    try:
        with _open_separate_harness(harness, over_a_socket=True) as separate:
            stall = describe_stall(ProviderUnderTest(separate.provider, separate).generate)
        with _open_separate_harness(harness, over_a_socket=True) as separate:
            return stall or _blocking_by_slow_vendor(separate)
    except Exception:  # noqa: BLE001 - a provider that answers once and then raises breaks other rules
        return ""


def _blocking_by_slow_vendor(harness: ContractHarness) -> str:
    gate = harness.lab.gate
    gate.max_wait = MAX_BLOCKED_SECONDS
    harness.lab.always(harness.name, HELD_REPLY)
    harness.run(_generate_while_loop_opens_gate(harness))
    return (
        f"the call blocked the event loop for the {gate.max_wait:g} s of the vendor's delay"
        if gate.has_timed_out
        else ""
    )


async def _generate_while_loop_opens_gate(harness: ContractHarness) -> None:
    """Send a prompt, and open the gate as soon as another task of this loop sees the request arrive."""
    call = asyncio.ensure_future(harness.provider.generate("ping"))
    await wait_until(lambda: harness.lab.requests or call.done())
    harness.lab.gate.is_open = True
    await call
