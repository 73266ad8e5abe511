"""A rule: a test method that says what was expected, what happened, and how to mend it."""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

import pytest

from ...ports.llm import LLMProvider
from .harness import Bench
from .precondition import Precondition, obstacle
from .provider_under_test import Subject

Preconditions: TypeAlias = tuple[Precondition, ...]
Over: TypeAlias = Literal["any provider", "lab", "typed errors", "own streams"]
Body: TypeAlias = Callable[[Any, Subject], Awaitable[None] | None]
Rule: TypeAlias = Callable[[Any, Bench | None, LLMProvider], None]

BOTH: Preconditions = ("answered", "free loop")
NOT_THEIRS = (Path(__file__).parents[2], Path(asyncio.__file__).parent)
"""Whose frames say nothing to whoever wrote the provider."""


class BrokenRuleError(AssertionError):
    """What a rule found instead of what it expects."""


def expect(holds: object, expected: str, happened: str) -> None:
    """Go on when `holds` is true.

    Raises:
        BrokenRuleError: it is not.
    """
    if not holds:
        broken(expected, happened)


def broken(expected: str, happened: str, cause: Exception | None = None) -> NoReturn:
    """Raise what `expect` raises; `cause` is what the provider raised."""
    raise BrokenRuleError(f"Expected: {expected}\nHappened: {happened}") from cause


def rule(mend: str, *, over: Over = "any provider", rests_on: Preconditions = BOTH) -> Callable[[Body], Rule]:
    """Make a test method of a rule's body, which takes a `Subject`; the body's docstring is the rule.

    The method is no coroutine: it runs the body in an event loop of its own, so that it needs no plugin of pytest's and
    runs under every one. Where there is not what it runs over, it is skipped, or fails if the class says `require_all`.

    Args:
        mend: How a provider that breaks the rule is mended, as a sentence.
        over: What it needs: any provider will do, or a lab; a class that raises our errors itself, or one that streams.
        rests_on: Over a lab, the rule is not tried before these hold.
    """

    def made(body: Body) -> Rule:
        def run(self: Any, bench: Bench | None, provider: LLMProvider) -> None:
            if reason := _lacking(bench, over):
                _passed_over(self, f"{reason} ({_how_many(self, bench, reason)} rules need that)")
            if bench and (reason := obstacle(type(self), bench, rests_on)):
                _passed_over(self, reason)
            subject = Subject(provider, bench)
            try:
                _run(body(self, subject), subject)
            except BrokenRuleError as found:
                _told(body, str(found), mend, found.__cause__)
            except Exception as error:  # noqa: BLE001 - a provider may be anybody's code and raise anything
                _told(body, f"Expected: no exception\nHappened: {type(error).__name__}: {error}", mend, error)

        run.__name__, run.__qualname__, run.__module__ = body.__name__, body.__qualname__, body.__module__
        run.__doc__ = body.__doc__
        vars(run)["over"] = over
        return run

    return made


def _run(begun: Awaitable[None] | None, subject: Subject) -> None:
    if inspect.iscoroutine(begun):
        subject.run(begun)


def _told(body: Body, found: str, mend: str, cause: BaseException | None) -> NoReturn:
    """Fail with the text alone: the frames of the kit and of pytest say nothing to whoever wrote the provider."""
    rule_text = inspect.cleandoc(body.__doc__ or "")
    text = f"The rule: {rule_text}\n{found}\nTo mend it: {mend}{_where(cause)}"
    raise pytest.fail.Exception(text, pytrace=False) from None


def _where(error: BaseException | None) -> str:
    """Return where the provider's own code raised `error` or the first of its causes that has such a place."""
    cause = error
    while cause:
        frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if _is_theirs(Path(frame.filename))]
        if frames:
            lines = [*traceback.format_list(frames), *traceback.format_exception_only(cause)]
            return f"\nRaised at:\n{''.join(lines).rstrip()}"
        cause = cause.__cause__
    return f"\nRaised at:\n{''.join(traceback.format_exception(error)).rstrip()}" if error else ""


def _is_theirs(path: Path) -> bool:
    return not any(path.is_relative_to(folder) for folder in NOT_THEIRS)


def _passed_over(suite: Any, reason: str) -> None:
    if suite.require_all:
        raise pytest.fail.Exception(f"{reason}; no rule is skipped, since `require_all` is set", pytrace=False)
    pytest.skip(reason)


def _how_many(suite: Any, bench: Bench | None, reason: str) -> str:
    """Return how many rules of `suite` are passed over for `reason`, such as "22 of 38"."""
    overs = [member.over for _, member in inspect.getmembers(type(suite)) if hasattr(member, "over")]
    return f"{sum(_lacking(bench, over) == reason for over in overs)} of {len(overs)}"


def _lacking(bench: Bench | None, over: Over) -> str:
    """Return why a rule cannot be tried here, "" when it can."""
    if over == "any provider":
        return ""
    if bench is None:
        return "needs the fault lab: give `row` or `provider_class` in place of the fixture `provider`"
    if over == "typed errors" and bench.is_guide_form:
        return "is about typed errors: override answer() in place of generate(), whose errors the router types"
    if over == "own streams" and not bench.streams:
        return "is about streams of the class's own: override open_stream() together with answer()"
    return ""
