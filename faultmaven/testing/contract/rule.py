"""Contract rules: test methods that report the expected and the actual result, and how to fix the provider."""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

import pytest

from ...ports.llm import LLMProvider
from .harness import ContractHarness
from .precondition import Precondition, unmet_precondition
from .provider_under_test import ProviderUnderTest

Preconditions: TypeAlias = tuple[Precondition, ...]
Scope: TypeAlias = Literal["any provider", "lab", "typed errors", "own streams"]
RuleBody: TypeAlias = Callable[[Any, ProviderUnderTest], Awaitable[None] | None]
Rule: TypeAlias = Callable[[Any, ContractHarness | None, LLMProvider], None]

ALL_PRECONDITIONS: Preconditions = ("answered", "non-blocking")
HIDDEN_FOLDERS = (Path(__file__).parents[2], Path(asyncio.__file__).parent)
"""Folders whose traceback frames do not help the provider's author."""


class BrokenRuleError(AssertionError):
    """A provider breaks a rule."""


def expect(condition: object, expected: str, actual: str) -> None:
    """Report a broken rule unless `condition` is true.

    Raises:
        BrokenRuleError: `condition` is false.
    """
    if not condition:
        report_broken(expected, actual)


def report_broken(expected: str, actual: str, cause: Exception | None = None) -> NoReturn:
    """Raise `BrokenRuleError` from `cause`, the exception that the provider raised."""
    raise BrokenRuleError(f"Expected: {expected}\nActual: {actual}") from cause


def rule(
    fix: str, *, applies_to: Scope = "any provider", preconditions: Preconditions = ALL_PRECONDITIONS
) -> Callable[[RuleBody], Rule]:
    """Turn the body of a rule, which takes a `ProviderUnderTest`, into a test method; its docstring states the rule.

    The method is no coroutine: it runs the body in its own event loop, so that it needs no asyncio plugin of pytest and
    runs under each of them. If an input that the rule needs is missing, the rule is skipped, or fails if the class sets
    `require_all`.

    Args:
        fix: How to fix a provider that breaks the rule, as a sentence.
        applies_to: The providers that the rule applies to: any; one over the lab; over the lab, a class that raises
            typed errors itself, or one with its own streams.
        preconditions: Over a lab, the rule is skipped unless these hold.
    """

    def decorate(body: RuleBody) -> Rule:
        # pytest fills the parameters by their names: fixtures of LLMProviderContract.
        def run(self: Any, bench: ContractHarness | None, provider: LLMProvider) -> None:
            if reason := _missing_input(bench, applies_to):
                _skip(self, f"{reason} ({_count_rules(self, bench, reason)} rules are skipped for this reason)")
            if bench and (reason := unmet_precondition(type(self), bench, preconditions)):
                _skip(self, reason)
            subject = ProviderUnderTest(provider, bench)
            try:
                _run_body(body(self, subject), subject)
            except BrokenRuleError as error:
                _fail_test(body, str(error), fix, error.__cause__)
            except Exception as error:  # noqa: BLE001 - a third-party provider may raise anything
                _fail_test(body, f"Expected: no exception\nActual: {type(error).__name__}: {error}", fix, error)

        run.__name__, run.__qualname__, run.__module__ = body.__name__, body.__qualname__, body.__module__
        run.__doc__ = body.__doc__
        vars(run)["applies_to"] = applies_to
        return run

    return decorate


def _run_body(result: Awaitable[None] | None, subject: ProviderUnderTest) -> None:
    if inspect.iscoroutine(result):
        subject.run(result)


def _fail_test(body: RuleBody, problem: str, fix: str, cause: BaseException | None) -> NoReturn:
    """Fail with the text alone: the frames of the kit and of pytest do not help the provider's author."""
    rule_text = inspect.cleandoc(body.__doc__ or "")
    text = f"Rule: {rule_text}\n{problem}\nFix: {fix}{_format_origin(cause)}"
    raise pytest.fail.Exception(text, pytrace=False) from None


def _format_origin(error: BaseException | None) -> str:
    """Return the place in the provider's own code that raised `error` or the first of its causes raised there."""
    cause = error
    while cause:
        frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if _is_provider_code(frame.filename)]
        if frames:
            lines = [*traceback.format_list(frames), *traceback.format_exception_only(cause)]
            return f"\nRaised at:\n{''.join(lines).rstrip()}"
        cause = cause.__cause__
    return f"\nRaised at:\n{''.join(traceback.format_exception(error)).rstrip()}" if error else ""


def _is_provider_code(filename: str) -> bool:
    return not any(Path(filename).is_relative_to(folder) for folder in HIDDEN_FOLDERS)


def _skip(suite: Any, reason: str) -> None:
    if suite.require_all:
        raise pytest.fail.Exception(f"{reason}; no rule is skipped, since `require_all` is set", pytrace=False)
    pytest.skip(reason)


def _count_rules(suite: Any, harness: ContractHarness | None, reason: str) -> str:
    """Return how many rules of `suite` are skipped for `reason`, such as "22 of 38"."""
    scopes = [member.applies_to for _, member in inspect.getmembers(type(suite)) if hasattr(member, "applies_to")]
    return f"{sum(_missing_input(harness, scope) == reason for scope in scopes)} of {len(scopes)}"


def _missing_input(harness: ContractHarness | None, scope: Scope) -> str:
    """Return which input is missing for a rule of this scope, "" if none is."""
    if scope == "any provider":
        return ""
    if harness is None:
        return "needs the fault lab: set `row` or `provider_class` instead of the fixture `provider`"
    if scope == "typed errors" and harness.is_guide_form:
        return "applies to typed errors: override answer() instead of generate(), whose exceptions the router converts"
    if scope == "own streams" and not harness.has_own_stream:
        return "applies to own streams: override open_stream() together with answer()"
    return ""
