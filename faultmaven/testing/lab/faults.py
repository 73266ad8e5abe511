"""Faults of a vendor by name, each with the error that a call then raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ...domain.errors import (
    AuthenticationError,
    ContentBlockedError,
    ContextLengthError,
    EmptyAnswerError,
    LLMError,
    MalformedResponseError,
    ModelNotFoundError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RejectedRequestError,
    StreamInterruptedError,
    WrongEndpointError,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a vendor fails.

    Attributes:
        description: The behavior of the vendor, as a clause.
        error: The error of a call to this provider alone without retries; None if the call is answered.
        elsewise: Other errors by dialect, for vendors whose reply to this fault differs.
    """

    name: str
    description: str
    error: type[LLMError] | None
    elsewise: Mapping[str, type[LLMError] | None] = field(default_factory=dict, hash=False)

    @property
    def errors(self) -> tuple[type[LLMError], ...]:
        """Every error type that this fault may cause, the usual one first; empty if calls are answered."""
        kinds = dict.fromkeys((self.error, *self.elsewise.values()))
        return tuple(kind for kind in kinds if kind is not None)

    def error_in(self, dialect: str) -> type[LLMError] | None:
        """Return the error type that this fault causes over `dialect`, None if calls are answered."""
        return self.elsewise.get(dialect, self.error)


# These dialects allow an empty list of blocks or items; in the others a documented field is missing.
_EMPTY_LIST_IS_VALID = {
    "openai-responses": EmptyAnswerError,
    "anthropic-messages": EmptyAnswerError,
    "cohere-v2-chat": EmptyAnswerError,
}
_TEXT_IS_REQUIRED = {"llamacpp-completion": MalformedResponseError, "tgi-generate": MalformedResponseError}
_ERROR_AS_FINISH_REASON = {"cohere-v2-chat": ProviderError}
_OVERLOAD_AS_429 = {"tgi-generate": RateLimitError}
# Dialects without a content filter: a model refuses in text, which is an answer.
_NO_FILTER = dict.fromkeys(("ollama-native", "llamacpp-completion", "tgi-generate"))

_FAULTS = (
    Fault("ok", "answers", None),
    # Faults of the connection.
    Fault("refused", "refuses the connection (over a socket: ends it at once)", ProviderUnavailableError),
    Fault("reset", "resets the connection before the reply", ProviderUnavailableError),
    Fault("silent", "sends no byte until the caller gives up", ProviderTimeoutError),
    Fault("silent_body", "sends headers and no body", ProviderTimeoutError),
    Fault("trickle", "sends one byte every two seconds", ProviderTimeoutError),
    Fault("cut_headers", "ends the connection inside the headers", ProviderUnavailableError),
    Fault("cut_body", "ends the connection inside the body", ProviderUnavailableError),
    Fault("wrong_length", "announces more bytes than the body has", ProviderUnavailableError),
    Fault("short_length", "announces fewer bytes than the body has", MalformedResponseError),
    # Replies without an answer.
    Fault("wrong_content_type", "answers in JSON with the content type text/plain", None),
    Fault("html", "answers with a login page", MalformedResponseError),
    Fault("html_error", "502: a proxy sends an HTML page", ProviderUnavailableError),
    Fault("truncated_json", "sends half of the JSON body with a matching length", MalformedResponseError),
    Fault("wrong_shape", "sends JSON of another structure", MalformedResponseError),
    Fault("empty", "answers without text", EmptyAnswerError),
    Fault("empty_choices", "sends no choice, block or message", MalformedResponseError, _EMPTY_LIST_IS_VALID),
    Fault("null_content", "sends null in place of the text", EmptyAnswerError, _TEXT_IS_REQUIRED),
    Fault("error_in_200", "sends an error with status 200", ProviderUnavailableError, _ERROR_AS_FINISH_REASON),
    Fault("blocked", "refuses the content", ContentBlockedError, _NO_FILTER),
    Fault("redirect", "redirects to another address", WrongEndpointError),
    Fault("oversized", "sends more bytes than the transport reads", MalformedResponseError),
    # A status.
    Fault("bad_request", "400: rejects the request", RejectedRequestError),
    Fault("context_too_long", "rejects the prompt as too long", ContextLengthError),
    Fault("unauthorized", "rejects the API key", AuthenticationError),
    Fault("forbidden", "403: the API key lacks the permission", AuthenticationError),
    Fault("not_found_model", "rejects the model as unknown", ModelNotFoundError),
    Fault("not_found_route", "does not have the route", WrongEndpointError),
    Fault("request_timeout", "408: waited too long for the request", ProviderUnavailableError),
    Fault("too_large", "413: the request is too large", ContextLengthError),
    Fault("server_error", "500: has an internal error", ProviderUnavailableError),
    Fault("bad_gateway", "502: an upstream server failed", ProviderUnavailableError),
    Fault("unavailable", "503: is temporarily unavailable", ProviderUnavailableError),
    Fault("gateway_timeout", "504: an upstream server was too slow", ProviderUnavailableError),
    Fault("overloaded_529", "529: is overloaded", ProviderUnavailableError),
    Fault(
        "overloaded",
        "is overloaded, with the status that the vendor documents",
        ProviderUnavailableError,
        _OVERLOAD_AS_429,
    ),
    # Status 429, with each form of a retry hint.
    Fault("rate_limited", "429, with the hint that the vendor documents", RateLimitError),
    Fault("rate_limited_seconds", "429, retry-after in whole seconds", RateLimitError),
    Fault("rate_limited_float", "429, retry-after in seconds with a fraction", RateLimitError),
    Fault("rate_limited_date", "429, retry-after as a date 30 s after the date header", RateLimitError),
    Fault("rate_limited_ms", "429, retry-after-ms", RateLimitError),
    Fault("rate_limited_info", "429, Gemini's RetryInfo; others: a header", RateLimitError),
    Fault("rate_limited_past", "429, retry-after as a date in the past", RateLimitError),
    Fault("rate_limited_absurd", "429, retry-after of a year", RateLimitError),
    Fault("rate_limited_no_hint", "429, without a retry hint", RateLimitError),
    Fault("rate_limited_final", "429, x-should-retry: false", RateLimitError),
    Fault("quota", "reports that no credit is left", QuotaExceededError),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _FAULTS})

# Faults of a stream; a request without streaming gets a normal response.
_STREAM_FAULTS = (
    Fault("stream_pings_between", "sends a ping before every event", None),
    Fault("stream_duplicate_index", "calls two tools, with the most irregular indices known of the vendor", None),
    Fault("stream_whole", "sends the whole answer instead of a stream", None),
    Fault("stream_cut", "ends the stream in the middle, without an error", StreamInterruptedError),
    Fault("stream_broken", "breaks the connection in the middle", StreamInterruptedError),
    Fault("stream_error_first", "sends an error as the first event", ProviderError),
    Fault("stream_error_middle", "sends an error in the middle", ProviderError),
    Fault("stream_error_last", "sends an error in place of the last event", ProviderError),
    Fault("stream_bad_event", "sends an event that is not JSON in the middle", MalformedResponseError),
    Fault("stream_stall", "stops in the middle and sends no more bytes", ProviderTimeoutError),
    Fault("stream_pings", "sends pings only", ProviderTimeoutError),
)
STREAM_FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _STREAM_FAULTS})
