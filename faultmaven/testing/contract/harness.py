"""The contract harness: a provider built from a row, over a fault lab."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ...application.resilience.admission import AdmissionControl
from ...application.reuse.response_reuse import ResponseReuse
from ...application.router import LLMRouter, RouterDependencies
from ...domain.errors import ConfigurationError
from ...infrastructure.clock import SystemClock
from ...infrastructure.http.transport import build_transport
from ...infrastructure.llm.providers.adapter import is_chat_backend
from ...infrastructure.llm.providers.assembly.provider_registry import ProviderRegistry
from ...infrastructure.llm.providers.base import BaseLLMProvider
from ...infrastructure.llm.providers.dialect_provider import DialectProvider
from ...infrastructure.llm.providers.registry import exported_classes, read_sources
from ...infrastructure.llm.providers.rows.sources import resolve_provider_class
from ...infrastructure.optional.optional_dependencies import build_rate_counter
from ...ports.clock import Clock
from ...ports.llm import LLMProvider
from ..lab.fault_lab import IN_PROCESS
from ..lab.threaded import served_in_a_thread
from ..virtual_time import VirtualClock, run_in_virtual_time
from .contract_lab import ContractLab
from .routed_provider import RoutedProvider

T = TypeVar("T")

API_KEY = "contract-key-0123456789abcdef"
DEFAULT_TIMEOUT_SECONDS = 30.0
"""The timeout of a row, unless a rule sets another one."""
MAX_RULE_SECONDS = 50.0
"""Limit for a rule over a socket; in process, virtual time makes a hanging rule visible without a limit."""
BUSY_MACHINE_SECONDS = 3.0
"""Seconds that a busy machine may add to a call over a socket, where time is real. A hang takes far longer."""

# The router would enforce these and refuse calls that the rules mean to send.
ROUTER_LIMIT_FIELDS = ("max_concurrency", "requests_per_minute", "tokens_per_minute")


@dataclass(frozen=True, slots=True)
class ContractHarness:
    """One provider over one fault lab.

    Attributes:
        provider: The provider as its callers see it: the instance itself, or the router for a guide-form class.
        instance: The instance of the row's class, possibly a third-party one.
        build_router: Builds a router over this provider alone, without retries. Each router starts without state, so
            that a vendor's `retry-after` delays no later call.
        address: The address of the lab; `IN_PROCESS` without a socket.
    """

    name: str
    row: Mapping[str, Any]
    lab: ContractLab
    dialect: str
    address: str
    provider: LLMProvider
    instance: Any
    build_router: Callable[[], LLMProvider]

    @property
    def is_in_process(self) -> bool:
        """Whether the lab runs without a socket and in virtual time."""
        return self.address == IN_PROCESS

    @property
    def is_guide_form(self) -> bool:
        """Whether the class overrides `generate` alone, so that the router converts its exceptions."""
        return not is_chat_backend(self.instance)

    @property
    def has_own_stream(self) -> bool:
        """Whether the class overrides `open_stream`."""
        return not self.is_guide_form and type(self.instance).open_stream is not BaseLLMProvider.open_stream

    @property
    def short_timeout(self) -> float:
        """A timeout in seconds that ends soon, but leaves an available vendor enough time to answer."""
        return 2.0 if self.is_in_process else 0.5

    def max_call_seconds(self, limit: float) -> float:
        """Return the longest time in seconds that a call with a limit of `limit` seconds may take."""
        return limit * 1.5 if self.is_in_process else limit + BUSY_MACHINE_SECONDS

    def hang_seconds(self, limit: float) -> float:
        """Return the time in seconds after which a rule ends a call with a limit of `limit` seconds."""
        return limit * 10 + (0.0 if self.is_in_process else BUSY_MACHINE_SECONDS)

    def run(self, body: Coroutine[Any, Any, Any]) -> Any:
        """Run `body` in a new event loop."""
        if self.is_in_process:
            return run_in_virtual_time(body)
        return asyncio.run(run_within_limit(body))

    def with_timeout(self, seconds: float) -> "ContractHarness":
        """Return a harness over the same lab with a timeout of `seconds` for each attempt."""
        return _build_harness(self.name, self.row, self.lab, self.dialect, self.address, seconds)


async def run_within_limit(body: Coroutine[Any, Any, T]) -> T:
    """Return the result of `body`.

    Raises:
        TimeoutError: `body` did not end within `MAX_RULE_SECONDS`.
    """
    limit = asyncio.timeout(MAX_RULE_SECONDS)
    try:
        async with limit:
            return await body
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"the call hangs: no result within {MAX_RULE_SECONDS:g} s") from error


@contextmanager
def open_harness(
    name: str, row: Mapping[str, Any], dialect: str = "", *, over_a_socket: bool | None = None
) -> Iterator[ContractHarness]:
    """Yield a harness for the provider that `row` describes.

    Args:
        dialect: The vendor's dialect; "" means the row's, that of the row's class, or "openai-chat".
        over_a_socket: Whether to serve the lab on the loopback interface; None means only for a class with an HTTP
            client of its own.

    Raises:
        ConfigurationError: lists every fault of the row; the provider is not available; the dialect is unknown.
    """
    if not isinstance(row, Mapping):
        raise ConfigurationError(f"row is a {type(row).__name__}, not a mapping")
    resolved_row: dict[str, Any] = resolve_provider_class(dict(row), exported_classes())
    kind = resolved_row.get("provider_class")
    dialect = dialect or resolved_row.get("dialect") or next(iter(getattr(kind, "dialects", ())), "openai-chat")
    lab = ContractLab()
    lab.add(name, dialect)
    if over_a_socket is None:
        over_a_socket = not (isinstance(kind, type) and issubclass(kind, DialectProvider))
    with served_in_a_thread(lab) if over_a_socket else nullcontext(IN_PROCESS) as address:
        yield _build_harness(name, resolved_row, lab, dialect.partition("/")[0], address, DEFAULT_TIMEOUT_SECONDS)


def _build_harness(
    name: str, row: Mapping[str, Any], lab: ContractLab, dialect: str, address: str, timeout: float
) -> ContractHarness:
    clock: Clock = VirtualClock() if address == IN_PROCESS else SystemClock()
    registry = _build_registry(name, _point_at_lab(row, name, lab, address), clock, lab, address, timeout)
    status = registry.get_provider_status()[name]
    if not status["available"]:
        raise ConfigurationError(f"provider {name!r} is not configured: {status['missing']}")
    instance = registry.get_provider(name)
    build_router = functools.partial(_build_router, registry, name, clock)
    provider = instance if is_chat_backend(instance) else RoutedProvider(instance, build_router())
    return ContractHarness(name, row, lab, dialect, address, provider, instance, build_router)


def _point_at_lab(row: Mapping[str, Any], name: str, lab: ContractLab, address: str) -> dict[str, Any]:
    """Return `row` with the lab's address, followed by the version path of the row's own base URL."""
    path = urlsplit(str(row.get("default_base_url", ""))).path.rstrip("/")
    base = f"{address}/{name}{path}" if row.get("default_base_url") else lab.base_url(name, address)
    return {key: value for key, value in row.items() if key not in ROUTER_LIMIT_FIELDS} | {"default_base_url": base}


def _build_registry(
    name: str, row: Mapping[str, Any], clock: Clock, lab: ContractLab, address: str, timeout: float
) -> ProviderRegistry:
    env = {"LLM_REQUEST_TIMEOUT": f"{timeout}", "LLM_MAX_RETRIES": "0", "LLM_BREAKER_WINDOW": "0"}
    for field, value in (("api_key_var", API_KEY), ("base_url_var", row["default_base_url"])):
        if variable := row.get(field):
            env[str(variable)] = value
    if not row.get("api_key_var") and not row.get("base_url_var") and isinstance(row.get("model_var"), str):
        env[row["model_var"]] = row.get("default_model") or "lab-model"  # a row is configured by a variable of its own
    client = lab.client() if address == IN_PROCESS else None
    # `only_given` excludes the shipped rows and those of installed packages.
    registry = ProviderRegistry(
        {},
        lambda: read_sources(env),
        lambda settings: build_transport(clock, client, settings),
        clock,
        only_overrides=True,
    )
    registry.register_provider(name, row)
    return registry


def _build_router(registry: ProviderRegistry, name: str, clock: Clock) -> LLMRouter:
    observer: Callable[[object], None] = lambda event: None  # noqa: E731 - a named `def` would only add lines
    admission = AdmissionControl(registry.snapshot, clock, observer, lambda: build_rate_counter(clock))
    dependencies = RouterDependencies(registry.snapshot, admission, ResponseReuse(None), clock, observer, lambda: 0.5)
    return LLMRouter(dependencies, provider=name)
