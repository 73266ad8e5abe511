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
    async def test_provider_has_name_and_is_available(self, subject: ProviderUnderTest) -> None:
        """A configured provider has a name and a list of models and is available, without a request to the vendor."""
        provider: Any = subject.provider  # Any, since the rule checks the types of the port
        name, available, models = provider.provider_name, provider.is_available(), provider.get_supported_models()
        expect(isinstance(name, str) and name, "a string that is not empty as `provider_name`", f"{name!r}")
        expect(available is True, "True from `is_available()`", f"{available!r}")
        are_names = isinstance(models, list) and all(isinstance(model, str) for model in models)
        expect(are_names, "a list of strings from `get_supported_models()`", f"a {type(models).__name__}")
        for member in ("generate", "stream"):
            method = getattr(provider, member, None)
            expect(callable(method), f"a method `{member}`", f"{method!r}")
        is_async = inspect.iscoroutinefunction(provider.generate)
        expect(is_async, "`generate` as an `async def`", "a synchronous function")
        expect(not subject.sent_requests, "no request is sent", f"{len(subject.sent_requests)} requests were sent")

    @rule("Return a copy, such as `self.config.models.copy()`.", preconditions=())
    async def test_list_of_models_is_a_copy(self, subject: ProviderUnderTest) -> None:
        """Each call of `get_supported_models()` returns a new list, which the caller may change."""
        added_model = "a model of the caller's own"
        subject.provider.get_supported_models().append(added_model)
        models = subject.provider.get_supported_models()
        expect(
            added_model not in models,
            "a new list from each call",
            "a model that was added to one list is in the next list",
        )
