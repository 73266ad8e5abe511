"""Probe of a provider: at most one free request for the list of models, and the findings that follow from the reply."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..application.monitoring.probe import PROBE_SECONDS, probe_provider
from ..domain.errors import (
    LLMError,
    MalformedResponseError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RateLimitError,
    RejectedRequestError,
    WrongEndpointError,
)
from ..domain.names import nearest
from ..ports.clock import Clock
from .diagnosis import DoctorFinding, ProviderFacts

CONNECT_TIMEOUT_SECONDS = 1.0
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")

# The default ports of local servers (openai-chat.md 9.1, llamacpp-completion.md 1).
USUAL_PORTS = {
    11434: "Ollama",
    8000: "vLLM",
    1234: "LM Studio",
    9931: "llama.cpp",
    8080: "older llama.cpp",
    3000: "TGI",
}

# Dialects whose list of models does not prove that a model is missing, and the reason (wire reference, 2026-11-23).
UNRELIABLE_LISTS = {
    "openai-chat/azure": "Azure lists models, but requests name a deployment",
    "openai-chat/fireworks": "Fireworks' list omits serverless models",
    "openai-chat/nvidia": "NVIDIA's list differs from the models that NVIDIA serves",
    "llamacpp-completion": "llama.cpp answers with the loaded model",
    "tgi-generate": "TGI answers with the model of the server",
}


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one probe: the list of models, an error, or neither for a class without `list_models`.

    Attributes:
        seconds: Time from the request to the reply or the error.
    """

    facts: ProviderFacts
    seconds: float = 0.0
    models: tuple[str, ...] | None = None
    error: LLMError | None = None

    @property
    def is_local_refusal(self) -> bool:
        """Whether a local server refused the connection."""
        is_local = self.facts.is_local or get_host(self.facts.base_url) in LOOPBACK_HOSTS
        return is_local and isinstance(self.error, ProviderUnavailableError) and self.error.phase == "connect"


async def run_doctor_probe(
    facts: ProviderFacts, provider: Any, clock: Clock, seconds: float = PROBE_SECONDS
) -> ProbeResult:
    """Request the list of models from `provider`, within `seconds`; send nothing for a class without `list_models`."""
    result = await probe_provider(facts.name, provider, clock, seconds)
    return ProbeResult(facts, result.seconds, result.models, result.error) if result else ProbeResult(facts)


async def find_open_ports(host: str, ports: Iterable[int]) -> list[int]:
    """Return those of `ports` that accept a connection at `host`, each within `CONNECT_TIMEOUT_SECONDS`."""

    async def is_open(port: int) -> bool:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    ports = list(ports)
    results = await asyncio.gather(*map(is_open, ports))
    return [port for port, opened in zip(ports, results, strict=True) if opened]


def diagnose_probe(result: ProbeResult, open_ports: Mapping[str, Sequence[int]]) -> list[DoctorFinding]:
    """Return the findings that follow from a probe.

    Args:
        open_ports: The open ports among `USUAL_PORTS`, by host, for the hosts of local servers that refused.
    """
    facts, error = result.facts, result.error
    if error is not None:
        return [
            _diagnose_refusal(facts, error, open_ports) if result.is_local_refusal else _diagnose_error(facts, error)
        ]
    if result.models is None:
        text = "the class has no list route, so the provider cannot be probed without cost"
        return [DoctorFinding("note", facts.name, text, _ask_advice(facts))]
    unknown = [model for model in facts.models if not _is_listed(model, result.models)]
    if not result.models:
        return [_diagnose_empty_list(facts)]
    if unknown:
        return [_diagnose_unknown_model(facts, model, result.models) for model in unknown]
    detail = f", including {facts.models[0]}" if facts.models else f"; the first is {result.models[0]}"
    return [DoctorFinding("ok", facts.name, f"lists {len(result.models)} models{detail} ({result.seconds:.2f} s)")]


def _diagnose_error(facts: ProviderFacts, error: LLMError) -> DoctorFinding:
    """Return the finding of an error. A list route may fail although requests for answers succeed."""
    description = _describe_error(error)
    if isinstance(error, RejectedRequestError):
        return _diagnose_rejection(facts, error)
    if isinstance(error, RateLimitError):
        return DoctorFinding("note", facts.name, f"address and key work: {description}", error.advice)
    if facts.dialect == "openai-chat/fireworks" and error.status is not None and error.status >= 500:
        return DoctorFinding(
            "note", facts.name, f"Fireworks' list route is unreliable: {description}", _ask_advice(facts)
        )
    if isinstance(error, MalformedResponseError | ProviderTimeoutError):
        return DoctorFinding("problem", facts.name, description, _address_advice(facts))
    return DoctorFinding("problem", facts.name, description, error.advice)


def _diagnose_rejection(facts: ProviderFacts, error: RejectedRequestError) -> DoctorFinding:
    """Return the finding of a rejected list request: a wrong base URL, or a server without a list of models.

    A base URL that a variable sets, and a redirect, make the wrong base URL the more likely cause.
    """
    if isinstance(error, WrongEndpointError) and (facts.address_is_set or error.status in range(300, 400)):
        remedy = f"{_address_advice(facts)} If the server has no list of models, {_ask_advice(facts)}"
        return DoctorFinding("problem", facts.name, _describe_error(error), remedy)
    reason = f"HTTP {error.status}" if error.status is not None else type(error).__name__
    text = f"the server has no list of models to probe ({reason}); this is not a fault"
    return DoctorFinding("note", facts.name, text, _ask_advice(facts))


def _diagnose_refusal(facts: ProviderFacts, error: LLMError, open_ports: Mapping[str, Sequence[int]]) -> DoctorFinding:
    host = get_host(facts.base_url)
    open_usual_ports = open_ports.get(host, ())
    variable = facts.base_url_var or "the base URL"
    usual = ", ".join(f"{port} {server}" for port, server in USUAL_PORTS.items())
    if open_usual_ports:
        answers = "; ".join(f"{port} answers ({USUAL_PORTS[port]})" for port in open_usual_ports)
        advice = f"Start the server, or set {variable} to the right port."
    else:
        answers, advice = "none of these ports answers", f"Start the server, or set {variable} to its address."
    text = f"{error.problem} ({facts.base_url}); usual ports at {host}: {usual}; {answers}"
    return DoctorFinding("problem", facts.name, text, advice)


def _diagnose_unknown_model(facts: ProviderFacts, model: str, listed: Sequence[str]) -> DoctorFinding:
    reason = UNRELIABLE_LISTS.get(facts.dialect)
    if reason:
        text = f"{model} is not in the provider's list of models, which may be correct: {reason}"
        return DoctorFinding("note", facts.name, text)
    near = nearest(model, listed)
    hint = f"the nearest is {near}" if near else f"the list begins with {', '.join(listed[:3])}"
    variable = f" and {facts.model_var}" if facts.model_var else ""
    return DoctorFinding(
        "problem",
        facts.name,
        f"{model} is not in the provider's list of {len(listed)} models; {hint}",
        f"Check the provider's documentation for exact model names{variable}.",
    )


def _diagnose_empty_list(facts: ProviderFacts) -> DoctorFinding:
    if facts.models:
        text = "the provider's list of models is empty, so the configured model cannot be checked"
        return DoctorFinding("note", facts.name, text, _ask_advice(facts))
    remedy = (
        f"Load a model on the server, or set {facts.model_var}." if facts.model_var else "Load a model on the server."
    )
    return DoctorFinding("problem", facts.name, "the server lists no model, and no model is configured", remedy)


def _is_listed(model: str, listed: Sequence[str]) -> bool:
    """Return whether a list has a model. Ollama's list adds `:latest`; routers accept `vendor/model:choice`."""
    names = set(listed)
    return model in names or f"{model}:latest" in names or ("/" in model and model.partition(":")[0] in names)


def _describe_error(error: LLMError) -> str:
    status = f" (HTTP {error.status})" if error.status is not None else ""
    return f"{error.problem}{status}"


def _address_advice(facts: ProviderFacts) -> str:
    return f"Check if {facts.base_url_var or 'the base URL'} is set correctly."


def _ask_advice(facts: ProviderFacts) -> str:
    return f"`faultmaven ask --provider {facts.name}` checks the provider with a real request."


def get_host(address: str) -> str:
    """Return the host of an address."""
    return urlsplit(address).hostname or ""
