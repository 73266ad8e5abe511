"""Ask any model from any vendor, and keep answering while vendors fail.

Importing this package does no I/O, reads no environment and builds nothing: names are resolved when they are used.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .application.monitoring.health_report import BreakerHealth, HealthReport, Latency, LimitsLeft, ProviderHealth
    from .application.monitoring.probe import Probe
    from .application.planning.plan import Plan
    from .application.policies.acceptance import AcceptancePolicy
    from .application.policies.errors import ErrorPolicy, Reaction
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
    from .opening import create_container, open_container
    from .parts import Parts
    from .ports.llm import LLMProvider, LLMStream, Options
else:
    import importlib

    _MODULES = {
        ".application.policies.acceptance": ("AcceptancePolicy",),
        ".application.policies.errors": ("ErrorPolicy", "Reaction"),
        ".application.monitoring.health_report": (
            "BreakerHealth",
            "HealthReport",
            "Latency",
            "LimitsLeft",
            "ProviderHealth",
        ),
        ".application.planning.plan": ("Plan",),
        ".application.monitoring.probe": ("Probe",),
        ".application.router": ("LLMRouter",),
        ".container": ("Container",),
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
    _HOME = {name: module for module, names in _MODULES.items() for name in names}

    def __getattr__(name):
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOME[name], __name__), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_HOME})


__all__ = [
    "AcceptancePolicy",
    "AllProvidersFailedError",
    "Attempt",
    "AuthenticationError",
    "BreakerHealth",
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
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "QuotaExceededError",
    "RateLimitError",
    "Reaction",
    "RejectedRequestError",
    "Replay",
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
