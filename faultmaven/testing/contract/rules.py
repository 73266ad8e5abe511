"""A rule: a test method that says what was expected, what happened, and how to mend it."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NoReturn, TypeAlias

import pytest

from faultmaven.ports.llm import LLMProvider
from faultmaven.testing.contract.bench import Bench
from faultmaven.testing.contract.subject import Subject

Over: TypeAlias = Literal["any provider", "lab", "typed errors", "own streams"]
Body: TypeAlias = Callable[[Any, Subject], Awaitable[None] | None]
Rule: TypeAlias = Callable[[Any, Bench | None, LLMProvider], None]


class BrokenRuleError(AssertionError):
    """What a rule found instead of what it expects."""


def expect(holds: object, expected: str, happened: str) -> None:
    """Go on when `holds` is true.

    Raises:
        BrokenRuleError: it is not.
    """
    if not holds:
        broken(expected, happened)


def broken(expected: str, happened: str) -> NoReturn:
    """Raise what `expect` raises."""
    raise BrokenRuleError(f"Expected: {expected}\nHappened: {happened}")


def rule(mend: str, *, over: Over = "any provider") -> Callable[[Body], Rule]:
    """Make a test method of a rule's body, which takes a `Subject`; the body's docstring is the rule.

    The method is no coroutine: it runs the body in an event loop of its own, so that it needs no plugin of pytest's and
    runs under every one. Where there is not what it runs over, it is skipped.

    Args:
        mend: How a provider that breaks the rule is mended, as a sentence.
        over: What it needs: any provider will do, or a lab; a class that raises our errors itself, or one that streams.
    """

    def made(body: Body) -> Rule:
        def run(self: Any, bench: Bench | None, provider: LLMProvider) -> None:
            __tracebackhide__ = True
            if reason := _lacking(bench, over):
                pytest.skip(reason)
            subject = Subject(provider, bench)
            try:
                _run(body(self, subject), subject)
            except BrokenRuleError as found:
                _told(body, str(found), mend, None)
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
    __tracebackhide__ = True
    rule_text = inspect.cleandoc(body.__doc__ or "")
    raise BrokenRuleError(f"The rule: {rule_text}\n{found}\nTo mend it: {mend}") from cause


def _lacking(bench: Bench | None, over: Over) -> str:
    """Return why a rule cannot be tried here, "" when it can."""
    if over == "any provider":
        return ""
    if bench is None:
        return "needs the fault lab: give `row` or `provider_class` in place of the fixture `provider`"
    if over == "typed errors" and bench.is_guide_form:
        return "the class overrides generate(): the router types its errors; override answer() to do it yourself"
    if over == "own streams" and not bench.streams:
        return "the class has no stream of its own; override open_stream() together with answer() to have one"
    return ""
