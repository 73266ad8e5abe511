"""LLMProviderContract: the rules of every topic, and what a subclass gives to have them run."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from ...domain.errors import ConfigurationError
from ...ports.llm import LLMProvider
from .harness import Bench, open_bench
from .rules.answers import AnswerRules
from .rules.cancellation import CancellationRules
from .rules.concurrency import ConcurrencyRules
from .rules.errors import ErrorRules
from .rules.port import PortRules
from .rules.secrets import SecretRules
from .rules.streams import StreamRules
from .rules.timing import TimingRules

WAYS = "`provider_class = YourProvider`, `row = {...}`, or a fixture `provider` that gives an object"


@pytest.fixture
def _provider_of_the_bench(self: Any, bench: Bench) -> LLMProvider:
    """The provider that the class or the row describes; it becomes a member of the test class that gives one."""
    return bench.provider


class LLMProviderContract(
    PortRules, AnswerRules, ErrorRules, ConcurrencyRules, CancellationRules, TimingRules, SecretRules, StreamRules
):
    """Subclass it as `Test...` and give one of these; pytest then runs every rule.

    ```python
    class TestMine(LLMProviderContract):
        provider_class = MyProvider          # it is asked over the fault lab, on the loopback interface
    ```

    The rules are plain functions that run event loops of their own: they need no plugin, and run the same under
    pytest-asyncio in either mode and under anyio. Each rule gets a provider of its own.

    Attributes:
        provider_class: A class, in the guide's form or with `answer`. It gets a config with a key that the lab takes.
        row: A row as `PROVIDER_SCHEMA` or a TOML file has it; `provider_class` in it may be a name.
        dialect: What the vendor speaks, such as "anthropic-messages"; "" is the row's, the class's, or "openai-chat".
        name: What the provider is called in the lab.
        require_all: A rule that would be skipped fails instead, and says what to give.
    """

    provider_class: ClassVar[type[Any] | None] = None
    row: ClassVar[Mapping[str, Any] | None] = None
    dialect: ClassVar[str] = ""
    name: ClassVar[str] = "sample"
    require_all: ClassVar[bool] = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Take what the subclass gives.

        Raises:
            TypeError: it gives several, so that it is not clear which one is meant.
        """
        super().__init_subclass__(**arguments)
        fixture = next((vars(kind)["provider"] for kind in cls.__mro__ if "provider" in vars(kind)), None)
        given = [name for name in ("provider_class", "row") if getattr(cls, name) is not None]
        if fixture is not None and fixture is not _provider_of_the_bench:
            given.append("a fixture `provider`")
        if len(given) > 1:
            raise TypeError(f"{cls.__name__} gives {' and '.join(given)}: give one of {WAYS}")
        if given and given[0] in ("provider_class", "row"):
            cls.provider = _provider_of_the_bench  # type: ignore[attr-defined]

    @pytest.fixture
    def bench(self, request: pytest.FixtureRequest) -> Iterator[Bench | None]:
        """Give what the provider stands on: the lab, time, the router; None for a provider that the subclass made."""
        row = self.row if self.row is not None else self._row_of_the_class()
        if row is None:
            _check_there_is_one(type(self), request)
            yield None
            return
        try:
            with open_bench(self.name, row, self.dialect) as bench:
                yield bench
        except ConfigurationError as error:
            pytest.fail(f"{type(self).__name__}: {error}", pytrace=False)

    def _row_of_the_class(self) -> Mapping[str, Any] | None:
        if self.provider_class is None:
            return None
        return {
            "api_key_var": "SAMPLE_API_KEY",
            "model_var": "SAMPLE_MODEL",
            "default_base_url": "",
            "base_url_var": "SAMPLE_API_BASE",
            "default_model": "sample-model",
            "provider_class": self.provider_class,
            "max_retries": 0,
            "timeout": 30,
            "confidence_score": 0.85,
        }


def _check_there_is_one(kind: type[Any], request: pytest.FixtureRequest) -> None:
    """Fail in plain words when there is no `provider` in the class, its module or a conftest."""
    try:
        request.getfixturevalue("provider")
    except pytest.FixtureLookupError as error:
        if error.argname != "provider":
            raise
        missing = True
    else:
        missing = False
    if missing:  # told outside of `except`, so that pytest shows this alone
        pytest.fail(f"{kind.__name__} gives no provider to test: set {WAYS}", pytrace=False)
