"""What nearly every rule rests on: a plain prompt is answered by the lab, and the event loop goes on meanwhile."""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary

from ...domain.responses import LLMResponse
from .contract_lab import HELD
from .harness import Bench, open_bench
from .provider_under_test import Subject, becomes, kind_of
from .stalls import standstill

BLOCKED_SECONDS = 1.0

Precondition: TypeAlias = Literal["answered", "free loop"]
"""In this order: what is not answered is not asked whether it blocks."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: `problem` is "" where a precondition holds, else half a sentence; `cause` is what was raised."""

    problem: str
    cause: Exception | None = None


# A class that asks nobody would otherwise be told so by thirty rules, each with its own guess and its own wait.
_found: WeakKeyDictionary[type, dict[object, Finding]] = WeakKeyDictionary()


def finding(suite: type, bench: Bench, precondition: Precondition) -> Finding:
    """Return whether `precondition` holds on a bench like this; a class of tests finds it out once for each row."""
    found = _found.setdefault(suite, {})
    like = (precondition, bench.name, bench.dialect, bench.is_in_process, type(bench.made))
    if like not in found:
        found[like] = _answered(bench) if precondition == "answered" else Finding(_held_up(bench))
    return found[like]


def obstacle(suite: type, bench: Bench, preconditions: tuple[Precondition, ...]) -> str:
    """Return what keeps a rule that rests on `preconditions` from being tried, and which rule is about it, or ""."""
    for precondition in preconditions:
        if problem := finding(suite, bench, precondition).problem:
            return f"{problem}; mend that first ({RULE_ABOUT[precondition]})"
    return ""


RULE_ABOUT = {
    "answered": "test_a_plain_prompt_is_answered",
    "free loop": "test_it_does_not_hold_up_the_event_loop",
}


def _like(bench: Bench, *, over_a_socket: bool) -> AbstractContextManager[Bench]:
    """Give a provider of its own, so that the rule's meets its first call, and its event loop, yet."""
    return open_bench(bench.name, bench.row, bench.dialect, over_a_socket=over_a_socket)


def _answered(bench: Bench) -> Finding:
    with _like(bench, over_a_socket=not bench.is_in_process) as other:
        it = Subject(other.provider, other)
        try:
            response: Any = it.run(it.ask())  # of anybody's making
        except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; the rule tells what it raised
            asked = "" if it.sent else "nothing reached the vendor: "
            return Finding(f"{asked}a plain prompt raises {kind_of(error)}".rstrip("."), error)
        if not it.sent:
            return Finding("nothing reached the vendor: the answer to a plain prompt came from elsewhere")
    right = isinstance(response, LLMResponse)
    return Finding("" if right else f"a plain prompt gets a {type(response).__name__}, not an LLMResponse")


def _held_up(bench: Bench) -> str:
    """Return for how long the loop stands still, "" where it does not; over a socket, where time is real."""
    try:
        with _like(bench, over_a_socket=True) as other:
            quick = standstill(Subject(other.provider, other).ask)
        with _like(bench, over_a_socket=True) as other:
            return quick or _held_up_by_a_slow_vendor(other)
    except Exception:  # noqa: BLE001 - whoever answers once and then raises breaks other rules
        return ""


def _held_up_by_a_slow_vendor(bench: Bench) -> str:
    gate = bench.lab.gate
    gate.patience = BLOCKED_SECONDS
    bench.lab.always(bench.name, HELD)
    bench.run(_answered_when_the_loop_says_so(bench))
    return f"the event loop stood still for the {gate.patience:g} s that the vendor took" if gate.gave_up else ""


async def _answered_when_the_loop_says_so(bench: Bench) -> None:
    """Ask, and let the vendor answer as soon as another task of this loop sees the request arrive."""
    asked = asyncio.ensure_future(bench.provider.generate("ping"))
    await becomes(lambda: bench.lab.requests or asked.done())
    bench.lab.gate.is_open = True
    await asked
