"""What is wrong with a configuration, found by looking at it: pure functions over values, no network.

Vendors' retirements: wire reference of 2026-11-23 (ai21.md; openai-chat.md 9.5).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..domain.errors import ConfigurationError

if TYPE_CHECKING:
    from ..infrastructure.configuration.settings import Settings

Severity = Literal["problem", "warning", "note", "ok"]
UNHEALTHY = ("problem", "warning")

# A base URL ends before these: adapters append them.
ROUTES = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/v2/chat",
    "/api/chat",
    "/api/generate",
    "/completion",
    "/generate",
    ":generateContent",
)

_JAMBA = (
    "AI21's Jamba API was retired on 2026-08-09",
    "Jamba models still run on a server of one's own (the row vllm) and in cloud marketplaces. Unset the variable.",
)
_SONAR = (
    "Perplexity's Sonar chat was retired on 2026-09-27",
    "Its Agent API (https://api.perplexity.ai/v1/agent) replaced it; no row here speaks that. Unset the variable.",
)
RETIRED = {"AI21_API_KEY": _JAMBA, "PERPLEXITY_API_KEY": _SONAR, "PERPLEXITYAI_API_KEY": _SONAR}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. A note leaves the configuration healthy; a warning and a problem do not."""

    severity: Severity
    subject: str
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """A configured provider as the doctor sees it; the key stays behind.

    Attributes:
        base_url: Without credentials.
        base_url_var: The variable that holds it, "" where there is none.
        address_is_set: Whether a variable gives the base URL, rather than the row's default.
        models: The default first; empty where the server's first is taken.
        timeout: Seconds for one attempt.
        weight: The row's confidence.
        key_is_placeholder: The key is one to be replaced, as examples have it.
    """

    name: str
    base_url: str = ""
    base_url_var: str = ""
    model_var: str = ""
    api_key_var: str = ""
    dialect: str = ""
    address_is_set: bool = False
    is_local: bool = False
    models: tuple[str, ...] = ()
    timeout: float = 30.0
    weight: float = 1.0
    key_is_placeholder: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """A whole configuration as the doctor sees it.

    Attributes:
        chain: Who is asked for a chat, in order.
        missing: The providers that are not configured, with what they lack.
        warnings: What the registry holds for a mistake.
        variables: Every variable that is set, with its source.
        nothing_configured: What to set when there is no provider.
    """

    settings: "Settings"
    providers: tuple[ProviderFacts, ...]
    chain: tuple[str, ...]
    missing: Mapping[str, str]
    warnings: tuple[str, ...]
    variables: Mapping[str, str]
    nothing_configured: str


def diagnose(facts: Facts) -> list[Finding]:
    """Return everything that is wrong or worth knowing."""
    return [
        *_nothing_configured(facts),
        *(Finding("warning", "configuration", warning) for warning in facts.warnings),
        *(finding for provider in facts.providers for finding in _of_provider(provider)),
        *_chain(facts),
        *_times(facts),
        *_threshold(facts),
        *_retired(facts.variables),
    ]


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings by severity, otherwise in their order."""
    order: tuple[Severity, ...] = ("problem", "warning", "note", "ok")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Return whether nothing is wrong."""
    return not any(finding.severity in UNHEALTHY for finding in findings)


def faults(error: ConfigurationError) -> list[Finding]:
    """Return a finding for each fault of an error that kept the container from opening."""
    found = [Finding("problem", "configuration", fault) for fault in error.faults]
    alone = [Finding("problem", "configuration", error.problem, error.advice)]
    return (found or alone) + [Finding("warning", "configuration", warning) for warning in error.warnings]


def is_placeholder(key: str) -> bool:
    """Return whether a key is one to be replaced, such as the guide's "your-anthropic-api-key"."""
    folded = key.casefold()
    return folded.startswith(("your-", "your_", "<")) or folded in {"changeme", "change-me", "xxx", "...", "todo"}


def _nothing_configured(facts: Facts) -> Iterator[Finding]:
    if not facts.providers:
        yield Finding("problem", "configuration", "no provider is configured", facts.nothing_configured)


def _of_provider(provider: ProviderFacts) -> Iterator[Finding]:
    if provider.key_is_placeholder:
        yield Finding(
            "problem", provider.name, f"{provider.api_key_var} holds a placeholder", "Put the real key in its place."
        )
    address, variable = provider.base_url, provider.base_url_var
    route = next((route for route in ROUTES if address.endswith(route)), None)
    if route:
        yield Finding(
            "problem",
            provider.name,
            f"the base URL ends with the route {route}, which is appended to it once more",
            f"Take {route} off {variable or 'the base URL'}.",
        )
    if provider.is_local and variable and not provider.address_is_set:
        yield Finding(
            "note",
            provider.name,
            f"it has no address of its own; {address} is tried",
            f"Set {variable} when the server is elsewhere.",
        )


def _chain(facts: Facts) -> Iterator[Finding]:
    settings = facts.settings
    for name in settings.fallback_chain:
        if name in facts.missing:
            yield Finding(
                "warning",
                "LLM_FALLBACK_CHAIN",
                f"{name} is not configured and is skipped: {facts.missing[name]}",
                f"Configure {name}, or take it out of the chain.",
            )
    if settings.strict_provider_mode and settings.fallback_chain:
        yield Finding(
            "warning",
            "STRICT_PROVIDER_MODE",
            "only the primary is asked, so LLM_FALLBACK_CHAIN has no effect",
            "Unset one of the two.",
        )
    elif len(facts.chain) == 1 and not settings.strict_provider_mode:
        yield Finding(
            "note",
            "chain",
            f"{facts.chain[0]} is the only one in the chain: when it fails, nobody else is asked",
            "Configure a second provider.",
        )


def _times(facts: Facts) -> Iterator[Finding]:
    deadline, request_timeout = facts.settings.deadline, facts.settings.request_timeout
    if request_timeout is not None and deadline < request_timeout:
        yield Finding(
            "warning",
            "LLM_DEADLINE",
            f"the whole call has {deadline:g} s, one attempt {request_timeout:g} s (LLM_REQUEST_TIMEOUT)",
            "Raise LLM_DEADLINE, or lower LLM_REQUEST_TIMEOUT.",
        )
        return
    slow = [f"{provider.name} ({provider.timeout:g} s)" for provider in facts.providers if provider.timeout > deadline]
    if slow:
        yield Finding(
            "note",
            "LLM_DEADLINE",
            f"the whole call has {deadline:g} s, less than one attempt may take at {', '.join(slow)}",
            "Attempts are cut to what the deadline leaves; raise LLM_DEADLINE if answers are cut off.",
        )


def _threshold(facts: Facts) -> Iterator[Finding]:
    threshold = facts.settings.confidence_threshold
    if facts.providers and all(provider.weight < threshold for provider in facts.providers):
        yield Finding(
            "warning",
            "LLM_CONFIDENCE_THRESHOLD",
            f"every configured provider is below it ({threshold:g})",
            "Lower it to a weight that `faultmaven providers` shows.",
        )


def _retired(variables: Mapping[str, str]) -> Iterator[Finding]:
    for variable, (text, remedy) in RETIRED.items():
        if variable in variables:
            yield Finding("note", variable, text, remedy)
