"""Rules about who a provider says it is."""

import inspect
from typing import Any

from ..provider_under_test import Subject
from ..rule import expect, rule


class PortRules:
    """The members of the port, which ask nobody over the network."""

    @rule(
        "Give the members the types of `faultmaven.LLMProvider`; `is_available()` returns True or False.",
        rests_on=(),
    )
    async def test_it_has_a_name_and_is_available(self, it: Subject) -> None:
        """A configured provider says who it is and that it is there, without asking anyone."""
        asked: Any = it.provider  # of anybody's making: the types of the port are what is found out
        name, available, models = asked.provider_name, asked.is_available(), asked.get_supported_models()
        expect(isinstance(name, str) and name, "`provider_name` is a string that is not empty", f"it is {name!r}")
        expect(available is True, "`is_available()` is True", f"it is {available!r}")
        names = isinstance(models, list) and all(isinstance(model, str) for model in models)
        expect(names, "`get_supported_models()` is a list of strings", f"it is a {type(models).__name__}")
        for member in ("generate", "stream"):
            found = getattr(asked, member, None)
            expect(callable(found), f"there is a method `{member}`", f"it is {found!r}")
        asynchronous = inspect.iscoroutinefunction(asked.generate)
        expect(asynchronous, "`generate` is an `async def`", "it is none")
        expect(not it.sent, "nobody was asked", f"{len(it.sent)} requests were sent")

    @rule("Return a copy, such as `self.config.models.copy()`.", rests_on=())
    async def test_its_list_of_models_is_its_callers_to_change(self, it: Subject) -> None:
        """Whoever changes the returned list changes nothing inside."""
        added = "a model of the caller's own"
        it.provider.get_supported_models().append(added)
        listed = it.provider.get_supported_models()
        expect(added not in listed, "a new list each time", "what a caller added to one list stands in the next")
