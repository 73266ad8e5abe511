"""Every contract rule fails on a provider that breaks exactly this rule."""

import inspect

import pytest

from faultmaven.testing import LLMProviderContract
from faultmaven.testing.contract.harness import open_harness

from .broken_providers import BROKEN_PROVIDERS, ValidProvider

RULES = [name for name, member in inspect.getmembers(LLMProviderContract) if name.startswith("test_")]
CASES = [
    pytest.param(rule, broken_class, id=broken_class.__name__)
    for rule, broken_classes in BROKEN_PROVIDERS.items()
    for broken_class in broken_classes
]


def contract_of(broken_class: type[ValidProvider]) -> LLMProviderContract:
    """Return the contract suite for a provider class, as pytest builds it from a subclass."""
    suite = type("TestSample", (LLMProviderContract,), {"provider_class": broken_class})()
    assert isinstance(suite, LLMProviderContract)
    return suite


def broken_rules(broken_class: type[ValidProvider]) -> dict[str, str]:
    """Return the failure message of every rule that `broken_class` breaks; each rule gets a new provider."""
    suite, messages = contract_of(broken_class), {}
    row = suite._row_of_class()
    assert row is not None
    for name in RULES:
        with open_harness("sample", row) as harness:
            try:
                getattr(suite, name)(harness, harness.provider)
            except pytest.fail.Exception as error:
                messages[name] = str(error)
            except pytest.skip.Exception as error:
                if "fix this first" not in str(error):
                    raise
    return messages


def test_valid_provider_breaks_no_rule() -> None:
    assert broken_rules(ValidProvider) == {}


@pytest.mark.parametrize(("rule", "broken_class"), CASES)
def test_broken_provider_breaks_exactly_one_rule(rule: str, broken_class: type[ValidProvider]) -> None:
    messages = broken_rules(broken_class)
    assert list(messages) == [rule], messages
    message = messages[rule]
    assert message.startswith("Rule: ")
    assert all(part in message for part in ("\nExpected: ", "\nActual: ", "\nFix: "))


def test_every_rule_has_a_broken_provider() -> None:
    assert sorted(BROKEN_PROVIDERS) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_docstring_is_one_sentence(rule: str) -> None:
    text = inspect.getdoc(getattr(LLMProviderContract, rule))
    assert text
    assert "\n" not in text
    assert text.endswith(".")
