"""Every error that this package raises.

```text
LLMError                       retryable: the same provider may answer later.  elsewhere: another provider may answer.
├── ConfigurationError         no / no     unknown name, invalid value, missing key; names the variable to set
│   └── ProviderConfigurationError   no / yes    the settings of one provider are wrong
├── AuthenticationError        no / yes    wrong key, or a key without the permission
├── QuotaExceededError         no / yes    billing: credits or quota used up
├── InvalidRequestError        no / no     validation refused the request; nothing was sent
│   ├── ContextLengthError     no / yes    the prompt is longer than this model allows
│   └── UnsupportedRequestError  no / yes  this provider or model does not support an option; nothing was sent
├── ModelNotFoundError         no / yes    the vendor does not know the model, or does not serve it for this key
├── RejectedRequestError       no / yes    the vendor rejected the request with a 400 or 422
│   └── WrongEndpointError     no / yes    wrong path or redirect: 404 without a model in it, 405, 410, 3xx
├── ContentBlockedError        no / yes    refused or filtered; `response` holds the partial response
├── EmptyAnswerError           no / yes    the response has no text; `response` holds the rest
├── TruncatedAnswerError       no / yes    cut off below `min_output_tokens`; `response` holds the partial response
├── InvalidAnswerError         no / yes    the response does not match the requested schema; `response` holds it
├── LowConfidenceError         no / yes    the confidence is below the threshold; `response` holds the response
├── ProviderError              yes / yes   any other failure of a provider
│   ├── RateLimitError                     `retry_after` in seconds
│   │   └── LimitReachedError  no / yes    a limit of this library is reached; nothing was sent
│   ├── ProviderUnavailableError           refused, reset, DNS, TLS, 5xx, overloaded
│   │   ├── StreamInterruptedError         a stream broke off, or ended without its end marker
│   │   └── CircuitOpenError   no / yes    the provider failed too often; nothing was sent
│   ├── ProviderTimeoutError               `phase`: connect, first byte, body, first chunk, next chunk
│   └── MalformedResponseError             no JSON, undocumented fields, wrong content type, too large
├── DeadlineExceededError      no / no     the deadline of the call has passed; names the providers that used the time
└── AllProvidersFailedError    no / yes    `causes` holds the error of every provider, in order
```

A message never contains a key, a prompt, a response or the vendor's error text, since vendors echo keys and prompts in
such texts. `vendor_message` holds the vendor's error text with the key removed.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypedDict, Unpack

from .attempts import Attempt
from .hidden import HiddenText
from .responses import LLMResponse


class ErrorFacts(TypedDict, total=False):
    """Keyword arguments of `LLMError`, named as its attributes."""

    provider: str
    model: str
    status: int | None
    code: str
    request_id: str
    phase: str
    retry_after: float | None
    advice: str
    vendor_message: str
    response: LLMResponse | None
    attempts: Sequence[Attempt]
    retry_limit: int | None


class LLMError(Exception):
    """The base class of every error of this package.

    Attributes:
        retryable: Whether the same provider may succeed later.
        elsewhere: Whether another provider may succeed.
        counts_against_provider: Whether a retryable error of this class counts in the provider's circuit breaker.
        max_retries: The most retries at one provider after an error of this class, None for no limit of the class. The
            smallest of the limits applies: that of the row, of the class or the host's override, and `retry_limit`.
        problem: The failure in one clause.
        provider: The name of the provider, "" for an error of no single provider.
        model: The requested model, "" for none.
        status: The HTTP status, None without a reply.
        code: The vendor's own error code, "" for none.
        request_id: The vendor's id of the request, for the vendor's support; "" for none.
        phase: The phase in which the exchange failed, "" for an error without a phase: "dns", "tls", "proxy",
            "connect", "request", "first byte", "body", "first chunk" or "next chunk".
        retry_after: Seconds to wait before the next request, None when unknown.
        advice: The remedy: a setting to change or an action to take.
        vendor_message: The vendor's error text without the key; never part of `str`, `repr` or a pickle.
        response: The partial response, None without one.
        attempts: The ledger of the call up to this error, in order.
        retry_limit: The most retries at the same provider after this one error, None for no limit of its own. The
            smallest of the limits applies, see `max_retries`.
    """

    retryable: bool = False
    elsewhere: bool = False
    counts_against_provider: ClassVar[bool] = True
    max_retries: ClassVar[int | None] = None
    default_advice: ClassVar[str] = ""

    def __init__(self, problem: str, **facts: Unpack[ErrorFacts]) -> None:
        self.problem: str = problem
        self.provider: str = facts.get("provider", "")
        self.model: str = facts.get("model", "")
        self.status: int | None = facts.get("status")
        self.code: str = facts.get("code", "")
        self.request_id: str = facts.get("request_id", "")
        self.phase: str = facts.get("phase", "")
        self.retry_after: float | None = facts.get("retry_after")
        self.advice: str = facts.get("advice", "") or self.default_advice
        self.vendor_message: HiddenText = HiddenText(facts.get("vendor_message", ""))
        self.response: LLMResponse | None = facts.get("response")
        self.attempts: tuple[Attempt, ...] = tuple(facts.get("attempts", ()))
        self.retry_limit: int | None = facts.get("retry_limit")
        super().__init__(problem)

    def __str__(self) -> str:
        return " ".join(text for text in (self._prefix() + self.problem + self._suffix(), self.advice) if text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The pickle omits the response, the vendor's text and the cause, since pickled errors reach logs and queues.
        state = {**self.__dict__, "vendor_message": HiddenText(), "response": None}
        return _rebuild, (type(self), state)

    def copy(self) -> Self:
        """Return a copy with the same cause, so that each caller of a shared call raises its own error."""
        error = type(self).__new__(type(self), *self.args)
        error.__dict__.update(self.__dict__)
        error.__cause__ = self.__cause__
        return error

    def _prefix(self) -> str:
        """Return the provider and the model, in front of the problem."""
        if not self.provider:
            return ""
        return f"{self.provider} ({self.model}): " if self.model else f"{self.provider}: "

    def _suffix(self) -> str:
        """Return the status, code, delay and request id in brackets, or the full stop that the problem lacks."""
        facts = [
            f"HTTP {self.status}" if self.status is not None else "",
            f"code {self.code}" if self.code else "",
            f"retry after {self.retry_after:g} s" if self.retry_after is not None else "",
            f"request id {self.request_id}" if self.request_id else "",
        ]
        text = ", ".join(fact for fact in facts if fact)
        if text:
            return f" [{text}]."
        return "" if self.problem.endswith(("?", ".")) else "."


def _rebuild(error_type: type[LLMError], state: dict[str, Any]) -> LLMError:
    """Return the error of a pickle. The name of this function is part of every pickled error."""
    error = error_type.__new__(error_type, state["problem"])
    error.__dict__.update(state)
    return error


class ConfigurationError(LLMError):
    """The configuration is wrong: an unknown name, a value that does not parse, a missing key, a faulty row.

    Attributes:
        faults: Every fault, one sentence each; empty for an error that is not the result of a whole check.
        warnings: Further probable mistakes, one sentence each.
    """

    elsewhere = False
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ProviderConfigurationError(ConfigurationError):
    """The configuration of one provider is unusable; another provider may answer."""

    elsewhere = True


class AuthenticationError(LLMError):
    """The vendor does not accept the key, or the key lacks a permission."""

    elsewhere = True
    default_advice = "Verify that the key is correct and has proper permissions."


class QuotaExceededError(LLMError):
    """Credits or a long-term quota are used up. Waiting does not help."""

    elsewhere = True
    default_advice = "Add credits or raise the quota in the vendor's console, or use another provider."


class InvalidRequestError(LLMError):
    """Validation refused the request; nothing was sent."""

    elsewhere = False


class ContextLengthError(InvalidRequestError):
    """The prompt is longer than this model or this route allows."""

    elsewhere = True
    default_advice = "Send less text, or use a model with a larger context window."


class UnsupportedRequestError(InvalidRequestError):
    """The provider or its model does not support an option of the request; nothing was sent."""

    elsewhere = True
    default_advice = "Leave the named option out, or use a provider that supports it."


class ModelNotFoundError(LLMError):
    """The vendor does not know the model, or does not serve it for this key."""

    elsewhere = True
    default_advice = "Check the provider's documentation for exact model names."


class RejectedRequestError(LLMError):
    """The vendor rejected the request with a 400 or 422; another vendor may accept the request."""

    elsewhere = True
    default_advice = (
        "Check the model's documentation for the accepted values; the vendor's text is at error.vendor_message."
    )


class WrongEndpointError(RejectedRequestError):
    """The server does not serve the vendor's API at this URL: a wrong base URL, or a redirect."""


class ContentBlockedError(LLMError):
    """The vendor's safety filter or the model refused the request."""

    elsewhere = True
    default_advice = "Rephrase the request, or use another provider."


class EmptyAnswerError(LLMError):
    """The response has no text and no tool calls."""

    elsewhere = True
    default_advice = "If the model reasons, raise max_tokens: reasoning may have used all tokens."


class TruncatedAnswerError(LLMError):
    """The response was cut off below the caller's `min_output_tokens`."""

    elsewhere = True
    default_advice = "Raise max_tokens; if the model reasons, reasoning may have used most tokens."


class InvalidAnswerError(LLMError):
    """The response does not match the schema of `response_format`."""

    elsewhere = True
    default_advice = "Use a model that is better at structured output, or a simpler schema."


class LowConfidenceError(LLMError):
    """The confidence that a custom provider class reports is below `LLM_CONFIDENCE_THRESHOLD`."""

    elsewhere = True
    default_advice = "Lower LLM_CONFIDENCE_THRESHOLD, or configure a better provider."


class ProviderError(LLMError):
    """A provider failed, and a retry may succeed."""

    retryable = True
    elsewhere = True
    default_advice = "Try again later, or configure another provider."


class RateLimitError(ProviderError):
    """The vendor refuses further requests or tokens for a while.

    `retry_after` is in seconds, None when the vendor sent no delay.
    """

    counts_against_provider = False  # the provider is available; the host sends too many requests
    default_advice = "Wait and try again, or lower the request rate."


class LimitReachedError(RateLimitError):
    """A limit of this library, or one that the vendor announced, is reached; nothing was sent."""

    retryable = False
    default_advice = "Wait and try again, or raise the limits of the provider's row."


class ProviderUnavailableError(ProviderError):
    """The provider has no connection, sent a 5xx, or is overloaded."""


class StreamInterruptedError(ProviderUnavailableError):
    """A stream broke off, or ended without its end marker; `response` holds the partial response."""


class CircuitOpenError(ProviderUnavailableError):
    """The provider failed too often and is skipped for `retry_after` seconds; nothing was sent."""

    retryable = False
    default_advice = "Wait and try again, or configure another provider; LLM_BREAKER_WINDOW=0 turns breakers off."


class ProviderTimeoutError(ProviderError):
    """No response came within the timeout of the attempt.

    `phase` is "connect", "first byte" or "body", in a stream also "first chunk" or "next chunk".
    """

    default_advice = "Give attempts more time with LLM_REQUEST_TIMEOUT or the row's timeout."


class MalformedResponseError(ProviderError):
    """The reply does not have the format that the vendor documents."""

    max_retries = 1  # a reply that is no vendor's reply may pass once; more retries do not help
    default_advice = "Check that the base URL points at the vendor's API and not at a server in between."


class DeadlineExceededError(LLMError):
    """The deadline of the call has passed; `attempts` lists the providers that used the time."""

    elsewhere = False
    default_advice = "Give the call more time with deadline= or LLM_DEADLINE."


class AllProvidersFailedError(LLMError):
    """Every planned provider failed.

    Attributes:
        causes: The error of each provider, in the order of the attempts.
    """

    elsewhere = True  # since a router may be a candidate of another router

    def __init__(self, causes: Sequence[LLMError], *, attempts: Sequence[Attempt] = ()) -> None:
        self.causes: tuple[LLMError, ...] = tuple(causes)
        super().__init__(f"all {len(self.causes)} providers failed", attempts=attempts)
        partial = [cause.response for cause in self.causes if cause.response is not None]
        self.response = partial[-1] if partial else None

    def __str__(self) -> str:
        lines = [f"- {type(cause).__name__} after {self._time_spent(cause.provider)}: {cause}" for cause in self.causes]
        return "\n".join([f"{self.problem}:", *lines])

    def _time_spent(self, provider: str) -> str:
        """Return the seconds that a provider used, waits included, and the number of its attempts if above 1."""
        attempts = [attempt for attempt in self.attempts if attempt.provider == provider]
        seconds = sum(attempt.waited + attempt.duration for attempt in attempts)
        return f"{seconds:.2f} s" + (f" and {len(attempts)} attempts" if len(attempts) > 1 else "")
