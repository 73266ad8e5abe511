"""Rules about the members of the port `LLMProvider`."""

import inspect
from typing import Any

from ..provider_under_test import ProviderUnderTest
from ..rule import expect, rule


class PortRules:
    """The members of the port that need no network."""

    @rule(
        "Give the members the types of `faultmaven.LLMProvider`; `is_available()` returns True or False.",
        preconditions=(),
    )
    async def test_it_has_a_name_and_is_available(self, subject: ProviderUnderTest) -> None:
        """A configured provider says who it is and that it is there, without asking anyone."""
        provider: Any = subject.provider  # Any, since the rule checks the types of the port
        name, available, models = provider.provider_name, provider.is_available(), provider.get_supported_models()
        expect(isinstance(name, str) and name, "`provider_name` is a string that is not empty", f"it is {name!r}")
        expect(available is True, "`is_available()` is True", f"it is {available!r}")
        are_names = isinstance(models, list) and all(isinstance(model, str) for model in models)
        expect(are_names, "`get_supported_models()` is a list of strings", f"it is a {type(models).__name__}")
        for member in ("generate", "stream"):
            method = getattr(provider, member, None)
            expect(callable(method), f"there is a method `{member}`", f"it is {method!r}")
        is_async = inspect.iscoroutinefunction(provider.generate)
        expect(is_async, "`generate` is an `async def`", "it is none")
        expect(not subject.sent_requests, "nobody was asked", f"{len(subject.sent_requests)} requests were sent")

    @rule("Return a copy, such as `self.config.models.copy()`.", preconditions=())
    async def test_its_list_of_models_is_its_callers_to_change(self, subject: ProviderUnderTest) -> None:
        """Whoever changes the returned list changes nothing inside."""
        added_model = "a model of the caller's own"
        subject.provider.get_supported_models().append(added_model)
        models = subject.provider.get_supported_models()
        expect(added_model not in models, "a new list each time", "what a caller added to one list stands in the next")
