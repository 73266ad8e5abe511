"""Ask any model from any vendor, and keep answering while vendors fail.

Importing this package does no I/O, reads no environment and builds nothing: names are resolved when they are used.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from faultmaven.application.monitoring.health_report import (
        BreakerHealth,
        HealthReport,
        Latency,
        LimitsLeft,
        ProviderHealth,
    )
    from faultmaven.application.monitoring.probe import Probe
    from faultmaven.application.planning.plan import Plan
    from faultmaven.application.policies.acceptance import AcceptancePolicy
    from faultmaven.application.policies.errors import ErrorPolicy, Reaction
    from faultmaven.application.router import LLMRouter
    from faultmaven.container import Container
    from faultmaven.domain.attachments import File, Image
    from faultmaven.domain.attempts import Attempt
    from faultmaven.domain.errors import (
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
    from faultmaven.domain.messages import Message, Prompt
    from faultmaven.domain.replay import Replay
    from faultmaven.domain.requests import ChatRequest
    from faultmaven.domain.responses import LLMResponse, StopReason, StreamChunk
    from faultmaven.domain.tool_calls import ToolCall, ToolCallDelta
    from faultmaven.domain.tools import Tool
    from faultmaven.domain.usage import Usage
    from faultmaven.opening import create_container, open_container
    from faultmaven.parts import Parts
    from faultmaven.ports.llm import LLMProvider, LLMStream, Options
else:
    import importlib

    _MODULES = {
        "faultmaven.application.policies.acceptance": ("AcceptancePolicy",),
        "faultmaven.application.policies.errors": ("ErrorPolicy", "Reaction"),
        "faultmaven.application.monitoring.health_report": (
            "BreakerHealth",
            "HealthReport",
            "Latency",
            "LimitsLeft",
            "ProviderHealth",
        ),
        "faultmaven.application.planning.plan": ("Plan",),
        "faultmaven.application.monitoring.probe": ("Probe",),
        "faultmaven.application.router": ("LLMRouter",),
        "faultmaven.container": ("Container",),
        "faultmaven.opening": ("create_container", "open_container"),
        "faultmaven.parts": ("Parts",),
        "faultmaven.domain.attempts": ("Attempt",),
        "faultmaven.domain.attachments": ("File", "Image"),
        "faultmaven.domain.messages": ("Message", "Prompt"),
        "faultmaven.domain.replay": ("Replay",),
        "faultmaven.domain.requests": ("ChatRequest",),
        "faultmaven.domain.responses": ("LLMResponse", "StopReason", "StreamChunk"),
        "faultmaven.domain.tool_calls": ("ToolCall", "ToolCallDelta"),
        "faultmaven.domain.tools": ("Tool",),
        "faultmaven.domain.errors": (
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
        "faultmaven.domain.usage": ("Usage",),
        "faultmaven.ports.llm": ("LLMProvider", "LLMStream", "Options"),
    }
    _HOME = {name: module for module, names in _MODULES.items() for name in names}

    def __getattr__(name):
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOME[name]), name)
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
