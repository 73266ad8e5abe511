"""At most one cheap question to each provider, and what its answer says about the configuration."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..application.monitoring.probe import PROBE_SECONDS
from ..application.monitoring.probe import probe_provider as ask_for_models
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
from .diagnosis import Finding, ProviderFacts

CONNECT_SECONDS = 1.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")

# Where local servers listen unless told otherwise (openai-chat.md 9.1, llamacpp-completion.md 1).
USUAL_PORTS = {
    11434: "Ollama",
    8000: "vLLM",
    1234: "LM Studio",
    9931: "llama.cpp",
    8080: "older llama.cpp",
    3000: "TGI",
}

# Lists that say nothing certain about a model, and why (wire/*.md, 2026-11-23).
UNRELIABLE_LISTS = {
    "openai-chat/azure": "Azure lists models, and is asked by the name of a deployment",
    "openai-chat/fireworks": "Fireworks leaves serverless models out of its list",
    "openai-chat/nvidia": "NVIDIA's list and the models it serves differ",
    "llamacpp-completion": "llama.cpp answers with the model it has loaded",
    "tgi-generate": "TGI answers with the model it was started with",
}


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of asking one provider for its models: the list, an error, or neither where it has no such route."""

    facts: ProviderFacts
    seconds: float = 0.0
    models: tuple[str, ...] | None = None
    error: LLMError | None = None

    @property
    def is_local_refusal(self) -> bool:
        """Whether nothing listens at the address of a server of one's own."""
        is_local = self.facts.is_local or host_of(self.facts.base_url) in LOOPBACK
        return is_local and isinstance(self.error, ProviderUnavailableError) and self.error.phase == "connect"


async def probe(facts: ProviderFacts, provider: Any, clock: Clock, seconds: float = PROBE_SECONDS) -> Probed:
    """Ask `provider` for its models within `seconds`; a class without `list_models` is not asked at all."""
    probed = await ask_for_models(facts.name, provider, clock, seconds)
    return Probed(facts, probed.seconds, probed.models, probed.error) if probed else Probed(facts)


async def listening(host: str, ports: Iterable[int]) -> list[int]:
    """Return those of `ports` where something on `host` accepts a connection."""

    async def accepts(port: int) -> bool:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    ports = list(ports)
    answers = await asyncio.gather(*map(accepts, ports))
    return [port for port, answer in zip(ports, answers, strict=True) if answer]


def judge(probed: Probed, open_ports: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Return what a probe found out.

    Args:
        open_ports: For the hosts of local servers that refused: those usual ports that accept connections.
    """
    facts, error = probed.facts, probed.error
    if error is not None:
        return [_refused(facts, error, open_ports) if probed.is_local_refusal else _failed(facts, error)]
    if probed.models is None:
        text = "its class has no list route, so it cannot be probed without cost"
        return [Finding("note", facts.name, text, _ask_advice(facts))]
    unknown = [model for model in facts.models if not _lists(probed.models, model)]
    if not probed.models:
        return [_empty_list(facts)]
    if unknown:
        return [_unknown_model(facts, model, probed.models) for model in unknown]
    told = f", {facts.models[0]} among them" if facts.models else f"; the first is {probed.models[0]}"
    return [Finding("ok", facts.name, f"lists {len(probed.models)} models{told} ({probed.seconds:.2f} s)")]


def _failed(facts: ProviderFacts, error: LLMError) -> Finding:
    """Judge an error: its own advice is the guide's, but a list route may fail where an answer would not."""
    told = _without_name(error)
    if isinstance(error, RejectedRequestError):
        return _no_list_route(facts, error)
    if isinstance(error, RateLimitError):
        return Finding("note", facts.name, f"address and key work: {told}", error.advice)
    if facts.dialect == "openai-chat/fireworks" and error.status is not None and error.status >= 500:
        return Finding("note", facts.name, f"Fireworks' list route fails at times: {told}", _ask_advice(facts))
    if isinstance(error, MalformedResponseError | ProviderTimeoutError):
        return Finding("problem", facts.name, told, _address_advice(facts))
    return Finding("problem", facts.name, told, error.advice)


def _no_list_route(facts: ProviderFacts, error: RejectedRequestError) -> Finding:
    """Tell a wrong path from a server without a list: an address that somebody set is the more likely fault."""
    if isinstance(error, WrongEndpointError) and (facts.address_is_set or error.status in range(300, 400)):
        remedy = f"{_address_advice(facts)} If the server has no list of models, {_ask_advice(facts)}"
        return Finding("problem", facts.name, _without_name(error), remedy)
    told = f"HTTP {error.status}" if error.status is not None else type(error).__name__
    text = f"it has no list of models to probe ({told}), which is no fault"
    return Finding("note", facts.name, text, _ask_advice(facts))


def _refused(facts: ProviderFacts, error: LLMError, open_ports: Mapping[str, Sequence[int]]) -> Finding:
    host = host_of(facts.base_url)
    found = open_ports.get(host, ())
    variable = facts.base_url_var or "the base URL"
    usual = ", ".join(f"{port} {server}" for port, server in USUAL_PORTS.items())
    if found:
        answers = "; ".join(f"{port} answers ({USUAL_PORTS[port]})" for port in found)
        advice = f"Start the server, or set {variable} to the right one."
    else:
        answers, advice = "none of them answers", f"Start the server, or set {variable} to where it listens."
    text = f"{error.problem} ({facts.base_url}); usual ports at {host}: {usual}; {answers}"
    return Finding("problem", facts.name, text, advice)


def _unknown_model(facts: ProviderFacts, model: str, listed: Sequence[str]) -> Finding:
    reason = UNRELIABLE_LISTS.get(facts.dialect)
    if reason:
        return Finding("note", facts.name, f"{model} is not in its list of models, which may be right: {reason}")
    near = nearest(model, listed)
    hint = f"the nearest is {near}" if near else f"it begins with {', '.join(listed[:3])}"
    variable = f" and {facts.model_var}" if facts.model_var else ""
    return Finding(
        "problem",
        facts.name,
        f"{model} is not in its list of {len(listed)} models; {hint}",
        f"Check the provider's documentation for exact model names{variable}.",
    )


def _empty_list(facts: ProviderFacts) -> Finding:
    if facts.models:
        return Finding("note", facts.name, "its list of models is empty, which proves nothing", _ask_advice(facts))
    remedy = f"Load a model on the server, or set {facts.model_var}." if facts.model_var else "Load a model there."
    return Finding("problem", facts.name, "the server lists no model, and none is configured", remedy)


def _lists(listed: Sequence[str], model: str) -> bool:
    """Return whether a list names a model; Ollama adds `:latest`, and routers take `model:choice` behind a name."""
    names = set(listed)
    return model in names or f"{model}:latest" in names or ("/" in model and model.partition(":")[0] in names)


def _without_name(error: LLMError) -> str:
    status = f" (HTTP {error.status})" if error.status is not None else ""
    return f"{error.problem}{status}"


def _address_advice(facts: ProviderFacts) -> str:
    return f"Check if {facts.base_url_var or 'the base URL'} is set correctly."


def _ask_advice(facts: ProviderFacts) -> str:
    return f"`faultmaven ask --provider {facts.name}` tells for certain."


def host_of(address: str) -> str:
    """Return the host of an address."""
    return urlsplit(address).hostname or ""
