"""Ask any model from any vendor, and keep answering while vendors fail.

Importing this package does no I/O, reads no environment and builds nothing. Each exported name is imported from its
module at first use.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .application.monitoring.health_report import BreakerHealth, HealthReport, Latency, LimitsLeft, ProviderHealth
    from .application.monitoring.probe import Probe
    from .application.planning.plan import Candidate, Plan, Skipped
    from .application.policies.acceptance import AcceptancePolicy
    from .application.policies.errors import DEFAULT_ERROR_POLICY, ErrorPolicy, Reaction
    from .application.router import LLMRouter
    from .container import Container
    from .domain.attachments import File, Image
    from .domain.attempts import Attempt
    from .domain.errors import (
        AllProvidersFailedError,
        AuthenticationError,
        CircuitOpenError,
        ConfigurationError,
        ContentBlockedError,
        ContextLengthError,
        DeadlineExceededError,
        EmptyAnswerError,
        InvalidAnswerError,
        InvalidRequestError,
        LimitReachedError,
        LLMError,
        LowConfidenceError,
        MalformedResponseError,
        ModelNotFoundError,
        ProviderConfigurationError,
        ProviderError,
        ProviderTimeoutError,
        ProviderUnavailableError,
        QuotaExceededError,
        RateLimitError,
        RejectedRequestError,
        StreamInterruptedError,
        TruncatedAnswerError,
        UnsupportedRequestError,
        WrongEndpointError,
    )
    from .domain.messages import Message, Prompt
    from .domain.replay import Replay
    from .domain.requests import ChatRequest
    from .domain.responses import LLMResponse, StopReason, StreamChunk
    from .domain.tool_calls import ToolCall, ToolCallDelta
    from .domain.tools import Tool
    from .domain.usage import Usage
    from .infrastructure.llm.providers.registry import ProviderStatus
    from .opening import create_container, open_container
    from .parts import Parts
    from .ports.llm import LLMProvider, LLMStream, Options
else:
    import importlib

    _NAMES_BY_MODULE = {
        ".application.policies.acceptance": ("AcceptancePolicy",),
        ".application.policies.errors": ("DEFAULT_ERROR_POLICY", "ErrorPolicy", "Reaction"),
        ".application.monitoring.health_report": (
            "BreakerHealth",
            "HealthReport",
            "Latency",
            "LimitsLeft",
            "ProviderHealth",
        ),
        ".application.planning.plan": ("Candidate", "Plan", "Skipped"),
        ".application.monitoring.probe": ("Probe",),
        ".application.router": ("LLMRouter",),
        ".container": ("Container",),
        ".infrastructure.llm.providers.registry": ("ProviderStatus",),
        ".opening": ("create_container", "open_container"),
        ".parts": ("Parts",),
        ".domain.attempts": ("Attempt",),
        ".domain.attachments": ("File", "Image"),
        ".domain.messages": ("Message", "Prompt"),
        ".domain.replay": ("Replay",),
        ".domain.requests": ("ChatRequest",),
        ".domain.responses": ("LLMResponse", "StopReason", "StreamChunk"),
        ".domain.tool_calls": ("ToolCall", "ToolCallDelta"),
        ".domain.tools": ("Tool",),
        ".domain.errors": (
            "AllProvidersFailedError",
            "AuthenticationError",
            "CircuitOpenError",
            "ConfigurationError",
            "ContentBlockedError",
            "ContextLengthError",
            "DeadlineExceededError",
            "EmptyAnswerError",
            "InvalidAnswerError",
            "InvalidRequestError",
            "LLMError",
            "LimitReachedError",
            "LowConfidenceError",
            "MalformedResponseError",
            "ModelNotFoundError",
            "ProviderConfigurationError",
            "ProviderError",
            "ProviderTimeoutError",
            "ProviderUnavailableError",
            "QuotaExceededError",
            "RateLimitError",
            "RejectedRequestError",
            "StreamInterruptedError",
            "TruncatedAnswerError",
            "UnsupportedRequestError",
            "WrongEndpointError",
        ),
        ".domain.usage": ("Usage",),
        ".ports.llm": ("LLMProvider", "LLMStream", "Options"),
    }
    _MODULE_BY_NAME = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

    def __getattr__(name):
        if name not in _MODULE_BY_NAME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_MODULE_BY_NAME[name], __name__), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_MODULE_BY_NAME})


__all__ = [
    "DEFAULT_ERROR_POLICY",
    "AcceptancePolicy",
    "AllProvidersFailedError",
    "Attempt",
    "AuthenticationError",
    "BreakerHealth",
    "Candidate",
    "ChatRequest",
    "CircuitOpenError",
    "ConfigurationError",
    "Container",
    "ContentBlockedError",
    "ContextLengthError",
    "DeadlineExceededError",
    "EmptyAnswerError",
    "ErrorPolicy",
    "File",
    "HealthReport",
    "Image",
    "InvalidAnswerError",
    "InvalidRequestError",
    "LLMError",
    "LLMProvider",
    "LLMResponse",
    "LLMRouter",
    "LLMStream",
    "Latency",
    "LimitReachedError",
    "LimitsLeft",
    "LowConfidenceError",
    "MalformedResponseError",
    "Message",
    "ModelNotFoundError",
    "Options",
    "Parts",
    "Plan",
    "Probe",
    "Prompt",
    "ProviderConfigurationError",
    "ProviderError",
    "ProviderHealth",
    "ProviderStatus",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "QuotaExceededError",
    "RateLimitError",
    "Reaction",
    "RejectedRequestError",
    "Replay",
    "Skipped",
    "StopReason",
    "StreamChunk",
    "StreamInterruptedError",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "TruncatedAnswerError",
    "UnsupportedRequestError",
    "Usage",
    "WrongEndpointError",
    "__version__",
    "create_container",
    "open_container",
]
