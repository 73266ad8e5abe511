"""The shipped providers, and the process-wide registry.

To add a provider, add an entry to `PROVIDER_SCHEMA`, above the local servers, which stay last. The provider then works
without an edit of another file; a contribution also updates the pages that tests compare with the rows, see
docs/adding-a-provider.md, which documents the fields. Endpoints and models are those of the wire reference of
2026-11-23. `models` lists further models beside the default, so that a call that names one of them goes to its vendor
first.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ....application.policies.policies import DEFAULT_POLICIES, Policies
from ....ports.clock import Clock
from ....ports.observer import Observer
from ...clock import SystemClock
from ...configuration.config_sources import ConfigEntry, settings_entries
from ...configuration.settings import Settings, check_settings, read_environment, working_directory
from ...http.transport import build_transport
from ...http.types import Transport
from ...logging import LoggingObserver, get_logger
from .anthropic_provider import AnthropicProvider
from .assembly.builder import ConfigurationBuilder, Sources
from .assembly.provider_config import row_entries
from .assembly.provider_registry import ProviderRegistry, ProviderStatus
from .cohere_provider import CohereProvider
from .gemini_provider import GeminiProvider
from .local_provider import LocalProvider
from .openai_provider import OpenAIProvider
from .rows.spec import SchemaRow

__all__ = [
    "PROVIDER_SCHEMA",
    "ProviderRegistry",
    "ProviderStatus",
    "SchemaRow",
    "build_registry",
    "exported_classes",
    "get_registry",
    "read_sources",
    "readable_entries",
    "reset_registry",
]

PROVIDER_SCHEMA: dict[str, SchemaRow] = {
    "openai": {
        "api_key_var": "OPENAI_API_KEY",
        "model_var": "OPENAI_MODEL",
        "base_url_var": "OPENAI_API_BASE",
        "default_base_url": "https://api.openai.com/v1",
        "default_model": "gpt-6.2-sol",
        "models": [
            "gpt-6.2-astra",
            "gpt-6.1-sol",
            "gpt-6-astra",
            "gpt-6-sol",
            "gpt-6-luna",
            "gpt-5.6-sol",
            "gpt-5.6-terra",
            "gpt-5.6-luna",
            "gpt-5.4-mini",
        ],
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/openai",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.9,
    },
    "anthropic": {
        "api_key_var": "ANTHROPIC_API_KEY",
        "model_var": "ANTHROPIC_MODEL",
        "base_url_var": "ANTHROPIC_API_BASE",
        "default_base_url": "https://api.anthropic.com/v1",
        "default_model": "claude-sonnet-5-5",
        "models": ["claude-opus-5-5", "claude-haiku-5-5", "claude-haiku-4-5"],
        "provider_class": AnthropicProvider,
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.9,
    },
    "gemini": {
        "api_key_var": "GEMINI_API_KEY",
        "model_var": "GEMINI_MODEL",
        "base_url_var": "GEMINI_API_BASE",
        "default_base_url": "https://generativelanguage.googleapis.com/v1beta",
        "default_model": "gemini-3.8-flash",
        "models": [
            "gemini-4-argon",
            "gemini-3.1-pro-preview",
            "gemini-3.5-flash-lite",
            "gemini-2.5-pro",
            "gemini-2.5-flash",
        ],
        "provider_class": GeminiProvider,
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.85,
    },
    "cohere": {
        "api_key_var": "COHERE_API_KEY",
        "model_var": "COHERE_MODEL",
        "base_url_var": "COHERE_API_BASE",
        "default_base_url": "https://api.cohere.com/v2",
        "default_model": "command-a-plus-05-2026",
        "models": ["command-a-03-2025", "command-r7b-12-2024"],
        "provider_class": CohereProvider,
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.8,
    },
    "fireworks": {
        "api_key_var": "FIREWORKS_API_KEY",
        "model_var": "FIREWORKS_MODEL",
        "base_url_var": "FIREWORKS_API_BASE",
        "default_base_url": "https://api.fireworks.ai/inference/v1",
        "default_model": "accounts/fireworks/models/gpt-oss-120b",
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/fireworks",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.8,
    },
    "groq": {
        "api_key_var": "GROQ_API_KEY",
        "model_var": "GROQ_MODEL",
        "base_url_var": "GROQ_API_BASE",
        "default_base_url": "https://api.groq.com/openai/v1",
        "default_model": "openai/gpt-oss-120b",
        "models": ["openai/gpt-oss-20b", "qwen/qwen3.8-27b"],
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/groq",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.8,
    },
    "openrouter": {
        "api_key_var": "OPENROUTER_API_KEY",
        "model_var": "OPENROUTER_MODEL",
        "base_url_var": "OPENROUTER_API_BASE",
        "default_base_url": "https://openrouter.ai/api/v1",
        "default_model": "openai/gpt-oss-120b",
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/openrouter",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.8,
    },
    "together": {
        "api_key_var": "TOGETHER_API_KEY",
        "model_var": "TOGETHER_MODEL",
        "base_url_var": "TOGETHER_API_BASE",
        "default_base_url": "https://api.together.ai/v1",
        "default_model": "openai/gpt-oss-120b",
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/together",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.8,
    },
    "mistral": {
        "api_key_var": "MISTRAL_API_KEY",
        "model_var": "MISTRAL_MODEL",
        "base_url_var": "MISTRAL_API_BASE",
        "default_base_url": "https://api.mistral.ai/v1",
        "default_model": "mistral-medium-latest",
        "models": ["mistral-large-latest", "mistral-small-latest"],
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/mistral",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.8,
    },
    "deepseek": {
        "api_key_var": "DEEPSEEK_API_KEY",
        "model_var": "DEEPSEEK_MODEL",
        "base_url_var": "DEEPSEEK_API_BASE",
        "default_base_url": "https://api.deepseek.com",
        "default_model": "deepseek-v4-flash",
        "models": ["deepseek-flash", "deepseek-v4-pro"],
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/deepseek",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.8,
    },
    "xai": {
        "api_key_var": "XAI_API_KEY",
        "model_var": "XAI_MODEL",
        "base_url_var": "XAI_API_BASE",
        "default_base_url": "https://api.x.ai/v1",
        "default_model": "grok-4.7",
        "models": ["grok-4.6", "grok-4.5", "grok-4.3"],
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/xai",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.85,
    },
    "cerebras": {
        "api_key_var": "CEREBRAS_API_KEY",
        "model_var": "CEREBRAS_MODEL",
        "base_url_var": "CEREBRAS_API_BASE",
        "default_base_url": "https://api.cerebras.ai/v1",
        "default_model": "gpt-oss-120b",
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/cerebras",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.8,
    },
    "deepinfra": {
        "api_key_var": "DEEPINFRA_API_KEY",
        "model_var": "DEEPINFRA_MODEL",
        "base_url_var": "DEEPINFRA_API_BASE",
        "default_base_url": "https://api.deepinfra.com/v1/openai",
        "default_model": "openai/gpt-oss-120b",
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/deepinfra",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.75,
    },
    "nvidia": {
        "api_key_var": "NVIDIA_API_KEY",
        "model_var": "NVIDIA_MODEL",
        "base_url_var": "NVIDIA_API_BASE",
        "default_base_url": "https://integrate.api.nvidia.com/v1",
        "default_model": "openai/gpt-oss-120b",
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/nvidia",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.75,
    },
    "azure": {
        "api_key_var": "AZURE_API_KEY",
        "model_var": "AZURE_MODEL",
        "base_url_var": "AZURE_API_BASE",
        "default_base_url": "",  # the address of the Azure resource: https://RESOURCE.openai.azure.com/openai/v1
        "default_model": "gpt-6.2-sol",  # the name of the deployment
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/azure",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.9,
    },
    "huggingface": {
        "api_key_var": "HUGGINGFACE_API_KEY",
        "model_var": "HUGGINGFACE_MODEL",
        "base_url_var": "HUGGINGFACE_API_BASE",
        "default_base_url": "https://router.huggingface.co/v1",
        "default_model": "openai/gpt-oss-120b",
        "provider_class": OpenAIProvider,
        "dialect": "openai-chat/huggingface",
        "max_retries": 3,
        "timeout": 60,
        "confidence_score": 0.75,
    },
    # Local servers need no key. They are in the chain only when one of their variables is set or a setting names them.
    # An empty default model stands for the first model that the server lists.
    "vllm": {
        "api_key_var": "VLLM_API_KEY",
        "key": "optional",
        "model_var": "VLLM_MODEL",
        "base_url_var": "VLLM_API_BASE",
        "default_base_url": "http://localhost:8000/v1",
        "default_model": "",
        "provider_class": LocalProvider,
        "dialect": "openai-chat/vllm",
        "max_retries": 1,
        "timeout": 120,
        "confidence_score": 0.7,
    },
    "tgi": {
        "api_key_var": "TGI_API_KEY",
        "key": "optional",
        "model_var": "TGI_MODEL",
        "base_url_var": "TGI_API_BASE",
        "default_base_url": "http://localhost:3000",
        "default_model": "",
        "provider_class": LocalProvider,
        "dialect": "tgi-generate",
        "max_retries": 1,
        "timeout": 120,
        "confidence_score": 0.65,
    },
    "ollama": {
        "api_key_var": "OLLAMA_API_KEY",
        "key": "optional",
        "model_var": "OLLAMA_MODEL",
        "base_url_var": "OLLAMA_API_BASE",
        "default_base_url": "http://localhost:11434",
        "default_model": "",
        "provider_class": LocalProvider,
        "dialect": "ollama-native",
        "max_retries": 1,
        "timeout": 120,
        "confidence_score": 0.65,
    },
    "lmstudio": {
        "api_key_var": "LMSTUDIO_API_KEY",
        "key": "optional",
        "model_var": "LMSTUDIO_MODEL",
        "base_url_var": "LMSTUDIO_API_BASE",
        "default_base_url": "http://localhost:1234/v1",
        "default_model": "",
        "provider_class": LocalProvider,
        "dialect": "openai-chat/lmstudio",
        "max_retries": 1,
        "timeout": 120,
        "confidence_score": 0.65,
    },
    "llamacpp": {
        "api_key_var": "LLAMACPP_API_KEY",
        "key": "optional",
        "model_var": "LLAMACPP_MODEL",
        "base_url_var": "LLAMACPP_API_BASE",
        "default_base_url": "http://localhost:9931",
        "default_model": "",
        "provider_class": LocalProvider,
        "dialect": "llamacpp-completion",
        "max_retries": 1,
        "timeout": 120,
        "confidence_score": 0.65,
    },
    "local": {
        "api_key_var": "LOCAL_LLM_API_KEY",
        "key": "optional",
        "model_var": "LOCAL_LLM_MODEL",
        "base_url_var": "LOCAL_LLM_BASE_URL",
        "default_base_url": "http://localhost:8000",
        "default_model": "",
        "provider_class": LocalProvider,
        "max_retries": 1,
        "timeout": 120,
        "confidence_score": 0.6,
    },
}


def build_registry(
    load: Callable[[], Sources],
    transport_for: Callable[[Settings], Transport],
    clock: Clock,
    logger: Any,
    observer: Observer,
    *,
    provider_overrides: Mapping[str, Any] | None = None,
    only_overrides: bool = False,
    policies: Policies = DEFAULT_POLICIES,
    has_external_rate_counter: bool = False,
    owns_transport: bool = True,
) -> ProviderRegistry:
    """Build a registry over `PROVIDER_SCHEMA`, for the container and for `get_registry`.

    Warnings about the configuration are logged, now and after a reload with new ones. For the arguments, see
    `ProviderRegistry`.
    """
    return ProviderRegistry(
        PROVIDER_SCHEMA,
        load,
        transport_for,
        clock,
        observer=observer,
        provider_overrides=provider_overrides,
        only_overrides=only_overrides,
        policies=policies,
        has_external_rate_counter=has_external_rate_counter,
        owns_transport=owns_transport,
        classes=exported_classes,
        warn=lambda warning: logger.warning("configuration_warning", warning=warning),
    )


def exported_classes() -> dict[str, type[Any]]:
    """Return the provider classes that the package exports, by name."""
    from .. import providers  # imported here, since the package imports this module

    exported = {name: getattr(providers, name) for name in providers.__all__}
    return {name: value for name, value in exported.items() if name.endswith("Provider") and isinstance(value, type)}


def read_sources(
    env: Mapping[str, str] | None = None,
    directory: Path | None = None,
    *,
    name: str | None = None,
    files_only: bool = False,
) -> Sources:
    """Read environment and settings; `read_environment` documents the arguments."""
    environment = read_environment(env, directory, name=name, files_only=files_only)
    return Sources(environment, *check_settings(environment))


def readable_entries(sources: Sources) -> list[ConfigEntry]:
    """Return the readable entries of a faulty configuration: its settings, and the variables of every valid row."""
    clock = SystemClock()
    transport_for = functools.partial(build_transport, clock, None)
    builder = ConfigurationBuilder(PROVIDER_SCHEMA, transport_for, clock, classes=exported_classes)
    entries = settings_entries(sources.environment, sources.settings)
    for spec in builder.collect_specs(sources, {}).valid.values():
        entries += row_entries(spec, sources.environment)
    return entries


@functools.cache
def get_registry() -> ProviderRegistry:
    """Return the process-wide registry, built from the environment on first use. A container has its own registry."""
    clock = SystemClock()
    logger = get_logger()
    transport_for = functools.partial(build_transport, clock, None)
    # The directory is fixed here, so that a reload after a change of the working directory reads the same files.
    load = functools.partial(read_sources, None, working_directory())
    return build_registry(load, transport_for, clock, logger, LoggingObserver(logger))


def reset_registry() -> None:
    """Forget the process-wide registry; the next `get_registry` reads the environment again."""
    get_registry.cache_clear()
