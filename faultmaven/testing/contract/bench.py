"""A provider made of a row, over a lab in which everything that can go wrong does so on demand."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from faultmaven.application.reuse import AnswerReuse
from faultmaven.application.router import LLMRouter, RouterParts
from faultmaven.application.traffic import Traffic
from faultmaven.domain.errors import ConfigurationError
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.extras import build_rate_counter
from faultmaven.infrastructure.http.transport import build_transport
from faultmaven.infrastructure.llm.providers.adapted import has_answer
from faultmaven.infrastructure.llm.providers.base import BaseLLMProvider
from faultmaven.infrastructure.llm.providers.catalogue import ProviderRegistry
from faultmaven.infrastructure.llm.providers.registry import exported_classes, read_sources
from faultmaven.infrastructure.llm.providers.sources import with_class
from faultmaven.infrastructure.llm.providers.wire_provider import WireProvider
from faultmaven.ports.clock import Clock
from faultmaven.ports.llm import LLMProvider
from faultmaven.testing.contract.asked_through_router import AskedThroughRouter
from faultmaven.testing.contract.contract_lab import ContractLab
from faultmaven.testing.lab.fault_lab import IN_PROCESS
from faultmaven.testing.lab.threaded import served_in_a_thread
from faultmaven.testing.virtual_time import VirtualClock, run_in_virtual_time

T = TypeVar("T")

KEY = "contract-key-0123456789abcdef"
TIMEOUT_SECONDS = 30.0
"""A row's timeout, unless a rule wants another one."""
LIMIT_SECONDS = 50.0
"""A rule that takes longer over a socket hangs; in process nothing hangs unseen, since time is virtual there."""
BUSY_SECONDS = 3.0
"""A busy machine may add this to a call over a socket, where time is real; a hang is far longer."""

# The router would count these and refuse calls that the rules mean to send.
LIMITS_OF_THE_ROUTER = ("max_concurrency", "requests_per_minute", "tokens_per_minute")


@dataclass(frozen=True, slots=True)
class Bench:
    """One provider over one lab.

    Attributes:
        provider: As its caller has it: itself, or for a class of the guide's form through the router.
        made: The object of the row's class, which may be anybody's.
        new_router: Makes a router with this provider alone, without retries; each knows nothing of earlier calls, so
            that no hint of a vendor's about when to come back holds up the next one.
        address: Where the lab answers; `IN_PROCESS` where no socket is used.
    """

    name: str
    row: Mapping[str, Any]
    lab: ContractLab
    dialect: str
    address: str
    provider: LLMProvider
    made: Any
    new_router: Callable[[], LLMProvider]

    @property
    def is_in_process(self) -> bool:
        """Whether no socket is used and time is virtual."""
        return self.address == IN_PROCESS

    @property
    def is_guide_form(self) -> bool:
        """Whether the class overrides `generate` alone, so that the router types what it raises."""
        return not has_answer(self.made)

    @property
    def streams(self) -> bool:
        """Whether the class has a stream of its own."""
        return not self.is_guide_form and type(self.made).open_stream is not BaseLLMProvider.open_stream

    @property
    def short(self) -> float:
        """Seconds that are soon over, in which a healthy vendor has answered all the same."""
        return 2.0 if self.is_in_process else 0.5

    def most(self, limit: float) -> float:
        """Return the seconds after which a call with a limit is late."""
        return limit * 1.5 if self.is_in_process else limit + BUSY_SECONDS

    def guard(self, limit: float) -> float:
        """Return the seconds after which a call with a limit is given up."""
        return limit * 10 + (0.0 if self.is_in_process else BUSY_SECONDS)

    def run(self, body: Coroutine[Any, Any, Any]) -> Any:
        """Run `body` in a new event loop."""
        if self.is_in_process:
            return run_in_virtual_time(body)
        return asyncio.run(limited(body))

    def with_timeout(self, seconds: float) -> "Bench":
        """Return the same over the same lab, with so many seconds for an attempt."""
        return _on_the_bench(self.name, self.row, self.lab, self.dialect, self.address, seconds)


async def limited(body: Coroutine[Any, Any, T]) -> T:
    """Return what comes of `body`.

    Raises:
        TimeoutError: nothing did within `LIMIT_SECONDS`.
    """
    limit = asyncio.timeout(LIMIT_SECONDS)
    try:
        async with limit:
            return await body
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"it hangs: nothing came of it for {LIMIT_SECONDS:g} s") from error


@contextmanager
def open_bench(
    name: str, row: Mapping[str, Any], dialect: str = "", *, over_a_socket: bool | None = None
) -> Iterator[Bench]:
    """Give a bench for the provider that `row` describes.

    Args:
        dialect: What its vendor speaks; "" is the row's, its class's, or "openai-chat".
        over_a_socket: Serve the lab on the loopback interface; None does it for a class with an HTTP client of its own.

    Raises:
        ConfigurationError: lists every fault of the row; the provider is not available; the dialect is unknown.
    """
    if not isinstance(row, Mapping):
        raise ConfigurationError(f"row is a {type(row).__name__}, not a mapping")
    resolved: dict[str, Any] = with_class(dict(row), exported_classes())
    kind = resolved.get("provider_class")
    spoken = dialect or resolved.get("dialect") or next(iter(getattr(kind, "dialects", ())), "openai-chat")
    lab = ContractLab()
    lab.add(name, spoken)
    if over_a_socket is None:
        over_a_socket = not (isinstance(kind, type) and issubclass(kind, WireProvider))
    with served_in_a_thread(lab) if over_a_socket else nullcontext(IN_PROCESS) as address:
        yield _on_the_bench(name, resolved, lab, spoken.partition("/")[0], address, TIMEOUT_SECONDS)


def _on_the_bench(
    name: str, row: Mapping[str, Any], lab: ContractLab, dialect: str, address: str, timeout: float
) -> Bench:
    clock: Clock = VirtualClock() if address == IN_PROCESS else SystemClock()
    registry = _registry(name, _led_to(row, name, lab, address), clock, lab, address, timeout)
    status = registry.get_provider_status()[name]
    if not status["available"]:
        raise ConfigurationError(f"provider {name!r} is not configured: {status['missing']}")
    made = registry.get_provider(name)
    new_router = functools.partial(_router, registry, name, clock)
    asked = made if has_answer(made) else AskedThroughRouter(made, new_router())
    return Bench(name, row, lab, dialect, address, asked, made, new_router)


def _led_to(row: Mapping[str, Any], name: str, lab: ContractLab, address: str) -> dict[str, Any]:
    """Return `row` with the lab's address, under the version path that the row itself has."""
    path = urlsplit(str(row.get("default_base_url", ""))).path.rstrip("/")
    base = f"{address}/{name}{path}" if row.get("default_base_url") else lab.base_url(name, address)
    return {key: value for key, value in row.items() if key not in LIMITS_OF_THE_ROUTER} | {"default_base_url": base}


def _registry(
    name: str, row: Mapping[str, Any], clock: Clock, lab: ContractLab, address: str, timeout: float
) -> ProviderRegistry:
    env = {"LLM_REQUEST_TIMEOUT": f"{timeout}", "LLM_MAX_RETRIES": "0", "LLM_BREAKER_WINDOW": "0"}
    for field, value in (("api_key_var", KEY), ("base_url_var", row["default_base_url"])):
        if variable := row.get(field):
            env[str(variable)] = value
    if not row.get("api_key_var") and not row.get("base_url_var") and isinstance(row.get("model_var"), str):
        env[row["model_var"]] = row.get("default_model") or "lab-model"  # one of its variables must be set
    client = lab.client() if address == IN_PROCESS else None
    # Nothing but this row: no shipped one, and none of an installed package.
    registry = ProviderRegistry(
        {}, lambda: read_sources(env), lambda settings: build_transport(clock, client, settings), clock, only_given=True
    )
    registry.register_provider(name, row)
    return registry


def _router(registry: ProviderRegistry, name: str, clock: Clock) -> LLMRouter:
    observer: Callable[[object], None] = lambda event: None  # noqa: E731 - a port, and nothing to do
    traffic = Traffic(registry.generation, clock, observer, lambda: build_rate_counter(clock))
    parts = RouterParts(registry.generation, traffic, AnswerReuse(None), clock, observer, lambda: 0.5)
    return LLMRouter(parts, provider=name)
