"""LLMProviderContract: all rules in one test class, and the inputs that a subclass sets."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from ...domain.errors import ConfigurationError
from ...ports.llm import LLMProvider
from .harness import ContractHarness, open_harness
from .rules.answers import AnswerRules
from .rules.cancellation import CancellationRules
from .rules.concurrency import ConcurrencyRules
from .rules.errors import ErrorRules
from .rules.port import PortRules
from .rules.secrets import SecretRules
from .rules.streams import StreamRules
from .rules.timing import TimingRules

INPUTS = "`provider_class = YourProvider`, `row = {...}`, or a fixture `provider` that returns an object"


@pytest.fixture
def _provider_of_harness(self: Any, bench: ContractHarness) -> LLMProvider:
    """The provider that the class or the row describes; a member of test classes that set one of these."""
    return bench.provider


class LLMProviderContract(
    PortRules, AnswerRules, ErrorRules, ConcurrencyRules, CancellationRules, TimingRules, SecretRules, StreamRules
):
    """A test suite for providers: subclass it as `Test...` and set one input; pytest then runs every rule.

    ```python
    class TestMine(LLMProviderContract):
        provider_class = MyProvider          # runs over the fault lab, on the loopback interface
    ```

    The rules are synchronous functions that run their own event loops, so they need no plugin and run under
    pytest-asyncio in both modes and under anyio. Each rule gets its own provider.

    Attributes:
        provider_class: A class, in the guide's form or with `answer`. Its config has a key that the lab accepts.
        row: A row as in `PROVIDER_SCHEMA` or a TOML file; its `provider_class` may be a name.
        dialect: The vendor's dialect, such as "anthropic-messages"; "" means the row's, the class's, or "openai-chat".
        name: The provider's name in the lab.
        require_all: Whether a rule that would be skipped fails instead, with a message that names the missing input.
    """

    provider_class: ClassVar[type[Any] | None] = None
    row: ClassVar[Mapping[str, Any] | None] = None
    dialect: ClassVar[str] = ""
    name: ClassVar[str] = "sample"
    require_all: ClassVar[bool] = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Read the input that the subclass sets.

        Raises:
            TypeError: the subclass sets several inputs.
        """
        super().__init_subclass__(**arguments)
        fixture = next((vars(kind)["provider"] for kind in cls.__mro__ if "provider" in vars(kind)), None)
        inputs = [name for name in ("provider_class", "row") if getattr(cls, name) is not None]
        if fixture is not None and fixture is not _provider_of_harness:
            inputs.append("a fixture `provider`")
        if len(inputs) > 1:
            raise TypeError(f"{cls.__name__} sets {' and '.join(inputs)}: set only one of {INPUTS}")
        if inputs and inputs[0] in ("provider_class", "row"):
            cls.provider = _provider_of_harness  # type: ignore[attr-defined]

    @pytest.fixture
    def bench(self, request: pytest.FixtureRequest) -> Iterator[ContractHarness | None]:
        """Yield the harness of the provider: lab, clock and router; None for a provider that the subclass made."""
        row = self.row if self.row is not None else self._row_of_class()
        if row is None:
            _require_provider_fixture(type(self), request)
            yield None
            return
        try:
            with open_harness(self.name, row, self.dialect) as harness:
                yield harness
        except ConfigurationError as error:
            pytest.fail(f"{type(self).__name__}: {error}", pytrace=False)

    def _row_of_class(self) -> Mapping[str, Any] | None:
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


def _require_provider_fixture(kind: type[Any], request: pytest.FixtureRequest) -> None:
    """Fail with a short message if the class, its module and its conftest files define no fixture `provider`."""
    try:
        request.getfixturevalue("provider")
    except pytest.FixtureLookupError as error:
        if error.argname != "provider":
            raise
        is_missing = True
    else:
        is_missing = False
    if is_missing:  # outside of `except`, so that pytest does not show the lookup error as well
        pytest.fail(f"{kind.__name__} sets no provider to test: set {INPUTS}", pytrace=False)
