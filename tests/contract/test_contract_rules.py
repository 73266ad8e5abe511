"""Every rule of the contract can be seen to fail, on a provider that is broken in just that way."""

import inspect

import pytest

from faultmaven.testing import LLMProviderContract
from faultmaven.testing.contract.harness import open_harness

from .broken_providers import BROKEN, SoundProvider

RULES = [name for name, member in inspect.getmembers(LLMProviderContract) if name.startswith("test_")]
SAMPLES = [pytest.param(rule, kind, id=kind.__name__) for rule, kinds in BROKEN.items() for kind in kinds]


def contract_of(kind: type[SoundProvider]) -> LLMProviderContract:
    """Return the contract over a class, as pytest makes it of a subclass."""
    made = type("TestSample", (LLMProviderContract,), {"provider_class": kind})()
    assert isinstance(made, LLMProviderContract)
    return made


def broken_rules(kind: type[SoundProvider]) -> dict[str, str]:
    """Return what every rule that `kind` breaks says; each rule gets a provider of its own."""
    contract, told = contract_of(kind), {}
    row = contract._row_of_class()
    assert row is not None
    for name in RULES:
        with open_harness("sample", row) as harness:
            try:
                getattr(contract, name)(harness, harness.provider)
            except pytest.fail.Exception as error:
                told[name] = str(error)
            except pytest.skip.Exception as error:
                if "mend that first" not in str(error):
                    raise
    return told


def test_a_sound_provider_breaks_no_rule() -> None:
    assert broken_rules(SoundProvider) == {}


@pytest.mark.parametrize(("rule", "kind"), SAMPLES)
def test_a_broken_provider_breaks_exactly_its_rule(rule: str, kind: type[SoundProvider]) -> None:
    told = broken_rules(kind)
    assert list(told) == [rule], told
    message = told[rule]
    assert message.startswith("The rule: ")
    assert all(part in message for part in ("\nExpected: ", "\nHappened: ", "\nTo mend it: "))


def test_every_rule_has_a_provider_that_breaks_it() -> None:
    assert sorted(BROKEN) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_one_sentence(rule: str) -> None:
    text = inspect.getdoc(getattr(LLMProviderContract, rule))
    assert text
    assert "\n" not in text
    assert text.endswith(".")
