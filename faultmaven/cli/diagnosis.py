"""Checks of a configuration for `faultmaven doctor`: pure functions over values, no network.

Retired vendor APIs: wire reference of 2026-11-23 (ai21.md; openai-chat.md 9.5).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..domain.errors import ConfigurationError

if TYPE_CHECKING:
    from ..infrastructure.configuration.settings import Settings

Severity = Literal["problem", "warning", "note", "ok"]
UNHEALTHY_SEVERITIES = ("problem", "warning")

# Routes that dialects append to the base URL; a base URL must not end with one.
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
    "Jamba models still run on your own server (the row vllm) and in cloud marketplaces. Unset the variable.",
)
_SONAR = (
    "Perplexity's Sonar chat was retired on 2026-09-27",
    "The Agent API (https://api.perplexity.ai/v1/agent) replaced Sonar; no row supports this API. Unset the variable.",
)
RETIRED_APIS = {"AI21_API_KEY": _JAMBA, "PERPLEXITY_API_KEY": _SONAR, "PERPLEXITYAI_API_KEY": _SONAR}


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """A result of one check. A configuration with a problem or a warning is not healthy; a note leaves it healthy.

    Attributes:
        subject: The provider, the variable or the part that the finding is about.
        remedy: The advice, "" where there is none.
    """

    severity: Severity
    subject: str
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """Facts about a configured provider, without the API key.

    Attributes:
        base_url: The base URL, without credentials.
        base_url_var: The variable of the base URL, "" where there is none.
        address_is_set: Whether a variable sets the base URL; otherwise the default of the row applies.
        is_local: Whether the provider is a server that the user runs.
        models: The default model, or empty where the first model of the server is used.
        timeout: Seconds for one attempt.
        weight: The confidence of the row.
        key_is_placeholder: Whether the API key is a placeholder of an example.
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
class ConfigurationFacts:
    """Facts about a whole configuration, without secrets.

    Attributes:
        chain: The providers of the chain for chat, in order.
        missing: The missing settings of each provider that is not configured.
        warnings: The warnings of the registry.
        variables: The source of every variable that is set.
        nothing_configured: The advice for a configuration without a provider.
    """

    settings: "Settings"
    providers: tuple[ProviderFacts, ...]
    chain: tuple[str, ...]
    missing: Mapping[str, str]
    warnings: tuple[str, ...]
    variables: Mapping[str, str]
    nothing_configured: str


def diagnose(facts: ConfigurationFacts) -> list[DoctorFinding]:
    """Run every check over `facts`, and return the findings."""
    return [
        *_check_any_provider(facts),
        *(DoctorFinding("warning", "configuration", warning) for warning in facts.warnings),
        *(finding for provider in facts.providers for finding in _check_provider(provider)),
        *_check_chain(facts),
        *_check_times(facts),
        *_check_threshold(facts),
        *_check_retired_apis(facts.variables),
    ]


def sort_by_severity(findings: Iterable[DoctorFinding]) -> list[DoctorFinding]:
    """Sort findings by severity, the worst first; findings of one severity keep their order."""
    order: tuple[Severity, ...] = ("problem", "warning", "note", "ok")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def is_healthy(findings: Iterable[DoctorFinding]) -> bool:
    """Return whether no finding is a problem or a warning."""
    return not any(finding.severity in UNHEALTHY_SEVERITIES for finding in findings)


def list_error_findings(error: ConfigurationError) -> list[DoctorFinding]:
    """Return a finding for each fault and each warning of an error that kept the container from opening."""
    faults = [DoctorFinding("problem", "configuration", fault) for fault in error.faults]
    if not faults:
        faults = [DoctorFinding("problem", "configuration", error.problem, error.advice)]
    return faults + [DoctorFinding("warning", "configuration", warning) for warning in error.warnings]


def is_placeholder(key: str) -> bool:
    """Return whether an API key is a placeholder of an example, such as the guide's "your-anthropic-api-key"."""
    folded = key.casefold()
    return folded.startswith(("your-", "your_", "<")) or folded in {"changeme", "change-me", "xxx", "...", "todo"}


def _check_any_provider(facts: ConfigurationFacts) -> Iterator[DoctorFinding]:
    if not facts.providers:
        yield DoctorFinding("problem", "configuration", "no provider is configured", facts.nothing_configured)


def _check_provider(provider: ProviderFacts) -> Iterator[DoctorFinding]:
    if provider.key_is_placeholder:
        yield DoctorFinding(
            "problem",
            provider.name,
            f"{provider.api_key_var} holds a placeholder",
            "Replace the placeholder with the real key.",
        )
    address, variable = provider.base_url, provider.base_url_var
    route = next((route for route in ROUTES if address.endswith(route)), None)
    if route:
        yield DoctorFinding(
            "problem",
            provider.name,
            f"the base URL ends with the route {route}, which every request appends again",
            f"Remove {route} from {variable or 'the base URL'}.",
        )
    if provider.is_local and variable and not provider.address_is_set:
        yield DoctorFinding(
            "note",
            provider.name,
            f"no address is set; the default {address} is used",
            f"Set {variable} if the server has another address.",
        )


def _check_chain(facts: ConfigurationFacts) -> Iterator[DoctorFinding]:
    settings = facts.settings
    for name in settings.fallback_chain:
        if name in facts.missing:
            yield DoctorFinding(
                "warning",
                "LLM_FALLBACK_CHAIN",
                f"{name} is not configured and is skipped: {facts.missing[name]}",
                f"Configure {name}, or remove {name} from the chain.",
            )
    if settings.strict_provider_mode and settings.fallback_chain:
        yield DoctorFinding(
            "warning",
            "STRICT_PROVIDER_MODE",
            "only the primary is tried, so LLM_FALLBACK_CHAIN has no effect",
            "Unset one of the two.",
        )
    elif len(facts.chain) == 1 and not settings.strict_provider_mode:
        yield DoctorFinding(
            "note",
            "chain",
            f"{facts.chain[0]} is the only provider of the chain: a failed request has no fallback",
            "Configure a second provider.",
        )


def _check_times(facts: ConfigurationFacts) -> Iterator[DoctorFinding]:
    deadline, request_timeout = facts.settings.deadline, facts.settings.request_timeout
    if request_timeout is not None and deadline < request_timeout:
        yield DoctorFinding(
            "warning",
            "LLM_DEADLINE",
            f"the whole call has {deadline:g} s, one attempt {request_timeout:g} s (LLM_REQUEST_TIMEOUT)",
            "Raise LLM_DEADLINE, or lower LLM_REQUEST_TIMEOUT.",
        )
        return
    slow = [f"{provider.name} ({provider.timeout:g} s)" for provider in facts.providers if provider.timeout > deadline]
    if slow:
        yield DoctorFinding(
            "note",
            "LLM_DEADLINE",
            f"the whole call has {deadline:g} s, less than one attempt may take at {', '.join(slow)}",
            "Attempts are limited to the remaining time; raise LLM_DEADLINE if attempts time out.",
        )


def _check_threshold(facts: ConfigurationFacts) -> Iterator[DoctorFinding]:
    threshold = facts.settings.confidence_threshold
    if facts.providers and all(provider.weight < threshold for provider in facts.providers):
        yield DoctorFinding(
            "warning",
            "LLM_CONFIDENCE_THRESHOLD",
            f"the confidence of every configured provider is below the threshold ({threshold:g})",
            "Lower the threshold to a confidence that `faultmaven providers` lists.",
        )


def _check_retired_apis(variables: Mapping[str, str]) -> Iterator[DoctorFinding]:
    for variable, (text, remedy) in RETIRED_APIS.items():
        if variable in variables:
            yield DoctorFinding("note", variable, text, remedy)
