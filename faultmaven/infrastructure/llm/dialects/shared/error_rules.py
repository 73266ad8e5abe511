"""Rules from a vendor's status, code and message to an error class. The first match wins.

The status decides first and the vendor's code second. The message decides only in rules with a `phrase`: the vendor
documents no code for such an error, and the general rule would retry a request that never succeeds.

Source: wire reference, 2026-11-23.
"""

from dataclasses import dataclass

from .....domain.errors import (
    AuthenticationError,
    ContentBlockedError,
    ContextLengthError,
    LLMError,
    ModelNotFoundError,
    ProviderConfigurationError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RejectedRequestError,
    WrongEndpointError,
)


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """Error class for the replies that match every condition that is set.

    Attributes:
        statuses: HTTP statuses; empty matches all.
        source: Section of the vendor's reference. "[3p]" marks a third-party report.
        codes: The reply has one of these codes, types, reasons or quota ids. A trailing `*` matches a prefix, `*` on
            both sides a part of the code.
        dialect: A dialect, or a dialect and vendor such as "openai-chat/xai"; "" matches all.
        phrase: Part of the vendor's message, in lower case.
        has_retry_after: The vendor names a delay.
        retry_limit: The most retries after such an error, None for no limit of its own; see `LLMError.retry_limit`.
    """

    error: type[LLMError]
    source: str
    statuses: frozenset[int] = frozenset()
    codes: tuple[str, ...] = ()
    dialect: str = ""
    phrase: str = ""
    has_retry_after: bool = False
    retry_limit: int | None = None


def _on(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


_TRANSIENT = _on(408, 409, 429, *range(500, 600))

# Status for an error type inside a 200 without a numeric code.
STATUS_OF_TYPE = {
    # anthropic-messages.md 5, llamacpp-completion.md 5, openai-chat.md 5 and 9.4 (Ollama)
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "not_supported_error": 501,
    # openai-chat.md 9.4 (vLLM)
    "NotFoundError": 404,
    # huggingface.md 4 (TGI)
    "validation": 422,
    "template_error": 422,
    "tool_error": 422,
    "generation": 424,
    "overloaded": 429,
}


ERROR_RULES: tuple[ErrorRule, ...] = (
    # Billing errors under other statuses: never retried.
    ErrorRule(
        QuotaExceededError,
        "README.md, never retry",
        codes=(
            "insufficient_quota",
            "credit_balance_exhausted",
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "ramp_limit_exceeded",
            "billing_error",
        ),
    ),
    ErrorRule(QuotaExceededError, "gemini 5: quotaId per day", _on(429), ("*PerDay*",), "gemini-generate-content"),
    ErrorRule(QuotaExceededError, "anthropic 5 [3p]", _on(400), dialect="anthropic-messages", phrase="credit balance"),
    ErrorRule(QuotaExceededError, "openai-chat 9.4 xAI", _on(429), dialect="openai-chat/xai", phrase="credits"),
    ErrorRule(QuotaExceededError, "openai-chat 9.4 xAI", _on(429), dialect="openai-chat/xai", phrase="spending limit"),
    ErrorRule(QuotaExceededError, "cohere 5", _on(429), dialect="cohere-v2-chat", phrase="trial"),
    ErrorRule(QuotaExceededError, "cohere 5", _on(429), dialect="cohere-v2-chat", phrase="month"),
    ErrorRule(
        RateLimitError, "openai-chat 9.4 OpenRouter", _on(402), dialect="openai-chat/openrouter", has_retry_after=True
    ),
    ErrorRule(QuotaExceededError, "402 everywhere", _on(402)),
    # Rejected API keys under another status than 401.
    ErrorRule(AuthenticationError, "gemini 5", _on(400), ("API_KEY_INVALID",), "gemini-generate-content"),
    ErrorRule(AuthenticationError, "openai-chat 9.4 xAI", _on(400), dialect="openai-chat/xai", phrase="api key"),
    # Safety.
    ErrorRule(
        ContentBlockedError, "openai-chat 9.4 Azure", _on(400), ("content_filter", "ResponsibleAIPolicyViolation")
    ),
    ErrorRule(
        ContentBlockedError, "openai-chat 9.4 OpenRouter: moderation", _on(403), dialect="openai-chat/openrouter"
    ),
    ErrorRule(ContentBlockedError, "openai-responses 3", codes=("bio_policy", "misalignment_policy_violation")),
    ErrorRule(ContentBlockedError, "cohere 5: 498 unsafe", _on(498), dialect="cohere-v2-chat", phrase="safe"),
    ErrorRule(
        ContentBlockedError, "cohere 5: 498 unsafe", _on(498), dialect="cohere-v2-chat", phrase="usage guideline"
    ),
    ErrorRule(AuthenticationError, "cohere 5: 498 token", _on(498), dialect="cohere-v2-chat"),
    ErrorRule(ProviderUnavailableError, "openai-chat 9.4 Groq: flex capacity", _on(498)),
    # Prompts beyond the context.
    ErrorRule(ContextLengthError, "openai-chat 5", codes=("context_length_exceeded",)),
    ErrorRule(ContextLengthError, "llamacpp 5", codes=("exceed_context_size_error",)),
    ErrorRule(
        ContextLengthError, "anthropic 5 [3p]", _on(400), dialect="anthropic-messages", phrase="prompt is too long"
    ),
    ErrorRule(ContextLengthError, "cohere 5", _on(400), dialect="cohere-v2-chat", phrase="too many tokens"),
    ErrorRule(ContextLengthError, "openai-chat 5 [3p]", _on(400), phrase="exceeds the context window"),
    ErrorRule(ContextLengthError, "vLLM's sentence, which others copy [3p]", _on(400), phrase="maximum context length"),
    ErrorRule(ContextLengthError, "TGI's sentence [3p]", _on(422), ("validation",), phrase="`inputs` tokens"),
    ErrorRule(
        ContextLengthError, "Gemini's sentence [3p]", _on(400), dialect="gemini-generate-content", phrase="token count"
    ),
    ErrorRule(ContextLengthError, "413 everywhere", _on(413)),
    ErrorRule(ProviderConfigurationError, "RFC 9110, 15.5.8: a proxy requires authentication", _on(407)),
    # Rate limits, overload and server errors by their code, also inside a 200. A 401 or 404 is decided by its status.
    ErrorRule(RateLimitError, "openai-chat 5", _TRANSIENT, ("slow_down", "rate_limit_exceeded", "rate_limit_error")),
    ErrorRule(ProviderUnavailableError, "anthropic 5", _TRANSIENT, ("overloaded_error", "api_error", "timeout_error")),
    ErrorRule(ProviderUnavailableError, "openai-chat 5", _TRANSIENT, ("server_error", "server_is_overloaded")),
    # Models.
    ErrorRule(ModelNotFoundError, "openai-chat 5", _on(400, 404), ("model_not_found",)),
    ErrorRule(ModelNotFoundError, "anthropic 5", _on(404), ("not_found_error",), "anthropic-messages"),
    ErrorRule(ModelNotFoundError, "gemini 5", _on(404), ("NOT_FOUND",), "gemini-generate-content"),
    ErrorRule(
        ModelNotFoundError, "ollama 5: the prose is its only mark", _on(404), dialect="ollama-native", phrase="model"
    ),
    ErrorRule(WrongEndpointError, "llamacpp 5: unknown route", _on(404), ("not_found_error",), phrase="file not found"),
    ErrorRule(
        ModelNotFoundError,
        "openai-chat 9.4: vLLM, Ollama, Fireworks",
        _on(404),
        ("NotFoundError", "not_found_error", "NOT_FOUND", "model_not_available"),
    ),
    ErrorRule(ModelNotFoundError, "openai-chat 9.4 NVIDIA: withdrawn", _on(404), ("404",), "openai-chat/nvidia"),
    ErrorRule(ModelNotFoundError, "prose of a 404 that names a model", _on(404), phrase="model"),
    # Statuses alone.
    ErrorRule(AuthenticationError, "401, 403 everywhere", _on(401, 403)),
    ErrorRule(WrongEndpointError, "no such route, or moved", _on(404, 405, 410, *range(300, 400))),
    ErrorRule(ProviderUnavailableError, "README.md, retry", _on(408, 409)),
    ErrorRule(RejectedRequestError, "README.md, never retry", _on(400, 412, 422, 499, 501)),
    ErrorRule(ProviderUnavailableError, "huggingface 4: once", _on(424), dialect="tgi-generate", retry_limit=1),
    ErrorRule(ProviderUnavailableError, "huggingface 4: once", _on(424), dialect="openai-chat/tgi", retry_limit=1),
    ErrorRule(
        ProviderUnavailableError,
        "huggingface 4: once",
        _on(500),
        ("incomplete_generation",),
        "tgi-generate",
        retry_limit=1,
    ),
    ErrorRule(
        ProviderUnavailableError,
        "huggingface 4: once",
        _on(500),
        ("incomplete_generation",),
        "openai-chat/tgi",
        retry_limit=1,
    ),
    ErrorRule(RateLimitError, "429 everywhere", _on(429)),
    ErrorRule(RejectedRequestError, "any other 4xx", frozenset(range(400, 500))),
    ErrorRule(ProviderUnavailableError, "any 5xx", frozenset(range(500, 600))),
)
