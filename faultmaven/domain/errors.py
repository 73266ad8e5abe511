"""Every error this package raises.

```text
LLMError                       retryable: the same provider may answer later.  elsewhere: another provider may answer.
├── ConfigurationError         no / no     names the variable to set and the known names
│   └── ProviderConfigurationError   no / yes    one provider's settings are wrong; found when it was asked
├── AuthenticationError        no / yes    wrong key, or a key without the permission
├── QuotaExceededError         no / yes    billing: credits or quota used up
├── InvalidRequestError        no / no     refused at our door, nothing was sent
│   ├── ContextLengthError     no / yes    prompt larger than this model takes
│   └── UnsupportedRequestError  no / yes  this provider or model cannot carry it; nothing was sent
├── ModelNotFoundError         no / yes
├── RejectedRequestError       no / yes    the vendor's own 400 or 422
│   └── WrongEndpointError     no / yes    wrong path or redirect: 404 without a model in it, 405, 410, 3xx
├── ContentBlockedError        no / yes    refused or filtered; `response` holds what came
├── EmptyAnswerError           no / yes    nothing came; `response` holds the rest
├── TruncatedAnswerError       no / yes    cut below `min_output_tokens`; `response` holds what came
├── InvalidAnswerError         no / yes    not of the schema that was asked for; `response` holds it
├── LowConfidenceError         no / yes    below the confidence threshold; `response` holds it
├── ProviderError              yes / yes   whatever else a provider did wrong
│   ├── RateLimitError                     `retry_after` in seconds
│   │   └── LimitReachedError  no / yes    a limit of ours; nothing was sent
│   ├── ProviderUnavailableError           refused, reset, DNS, TLS, 5xx, overloaded
│   │   ├── StreamInterruptedError         a stream that broke off, or ended without its end marker
│   │   └── CircuitOpenError   no / yes    it failed too often lately; nothing was sent
│   ├── ProviderTimeoutError               `phase`: connect, first byte, body, first chunk, next chunk
│   └── MalformedResponseError             no JSON, wrong shape, wrong content type, too large
├── DeadlineExceededError      no / no     the whole call's time is over; names who used it
└── AllProvidersFailedError    no / yes    `causes`: every provider's error, in order
```

A message never holds a key, a prompt, an answer or a vendor's prose (vendors echo keys and prompts in it). The vendor's
prose, with the key taken out, is at `vendor_message` for whoever asks for it by name.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypedDict, Unpack

from .attempts import Attempt
from .hidden import HiddenText
from .responses import LLMResponse


class ErrorFacts(TypedDict, total=False):
    """What may be said of an error beside its problem; see the attributes of `LLMError`."""

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
    """The root of the tree: catch this to catch everything this package raises.

    Attributes:
        retryable: The same provider may answer later.
        elsewhere: Another provider may answer.
        counts_against_provider: A retryable error of this class counts in the provider's circuit breaker.
        max_retries: The largest number of retries for this class, None for as many as are configured.
        problem: What went wrong, in one clause.
        provider: Who was asked; "" when nobody was.
        model: What was sent as the model; "" when none was.
        status: The HTTP status, None when no reply came.
        code: The vendor's own error code, "" when it gave none.
        request_id: The vendor's id of the exchange, for its support.
        phase: How far the exchange came, "" where it does not matter: "dns", "tls", "proxy", "connect", "request",
            "first byte", "body", "first chunk" or "next chunk".
        retry_after: Seconds that the vendor asks us to wait, None when it did not say.
        advice: What to set or try.
        vendor_message: The vendor's prose without the key; never part of `str`, `repr` or a pickle.
        response: The partial answer, where one came.
        attempts: Every provider that was asked before this was raised, in order.
        retry_limit: At most so many retries at the same provider, None for as many as are configured.
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
        return " ".join(text for text in (self._where() + self.problem + self._facts(), self.advice) if text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # An answer, a vendor's prose and a foreign cause stay behind: a pickled error travels into logs and queues.
        kept = {**self.__dict__, "vendor_message": HiddenText(), "response": None}
        return _rebuild, (type(self), kept)

    def copy(self) -> Self:
        """Return an error of the same type and facts with the same cause, for one more caller to raise."""
        fresh = type(self).__new__(type(self), *self.args)
        fresh.__dict__.update(self.__dict__)
        fresh.__cause__ = self.__cause__
        return fresh

    def _where(self) -> str:
        if not self.provider:
            return ""
        return f"{self.provider} ({self.model}): " if self.model else f"{self.provider}: "

    def _facts(self) -> str:
        facts = [
            f"HTTP {self.status}" if self.status is not None else "",
            f"code {self.code}" if self.code else "",
            f"retry after {self.retry_after:g} s" if self.retry_after is not None else "",
            f"request id {self.request_id}" if self.request_id else "",
        ]
        told = ", ".join(fact for fact in facts if fact)
        if told:
            return f" [{told}]."
        return "" if self.problem.endswith(("?", ".")) else "."


def _rebuild(kind: type[LLMError], state: dict[str, Any]) -> LLMError:
    error = kind.__new__(kind, state["problem"])
    error.__dict__.update(state)
    return error


class ConfigurationError(LLMError):
    """The configuration is wrong: an unknown name, an unparsable value, a missing key, a faulty row.

    Attributes:
        faults: What is wrong, where several things may be, each as one sentence.
        warnings: What else looks like a mistake, likewise.
    """

    elsewhere = False
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ProviderConfigurationError(ConfigurationError):
    """One provider cannot be asked as it is configured; another provider may answer."""

    elsewhere = True


class AuthenticationError(LLMError):
    """The vendor does not accept the key, or the key lacks a permission."""

    elsewhere = True
    default_advice = "Verify that the key is correct and has proper permissions."


class QuotaExceededError(LLMError):
    """Credits or a long-term quota are used up: waiting does not help, paying does."""

    elsewhere = True
    default_advice = "Add credits or raise the quota in the vendor's console, or use another provider."


class InvalidRequestError(LLMError):
    """The request was refused at our door; nothing was sent."""

    elsewhere = False


class ContextLengthError(InvalidRequestError):
    """The prompt is larger than this model or this route takes."""

    elsewhere = True
    default_advice = "Send less text, or use a model with a larger context window."


class UnsupportedRequestError(InvalidRequestError):
    """The provider, or its model, cannot carry what the request asks; nothing was sent. Another one may."""

    elsewhere = True
    default_advice = "Leave the named option out, or use a provider that takes it."


class ModelNotFoundError(LLMError):
    """The vendor does not know the model, or does not serve it for this key."""

    elsewhere = True
    default_advice = "Check the provider's documentation for exact model names."


class RejectedRequestError(LLMError):
    """The vendor refused the request as it is (its own 400 or 422); another vendor may take it."""

    elsewhere = True
    default_advice = (
        "Check the model's documentation for what it accepts; the vendor's text is at error.vendor_message."
    )


class WrongEndpointError(RejectedRequestError):
    """The address answers, but there is no such route: a wrong base URL, or a redirect to elsewhere."""


class ContentBlockedError(LLMError):
    """The vendor's safety filter or the model itself refused."""

    elsewhere = True
    default_advice = "Rephrase the request, or use another provider."


class EmptyAnswerError(LLMError):
    """An answer came without text and without tool calls."""

    elsewhere = True
    default_advice = "If the model reasons, raise max_tokens: reasoning may have used them all."


class TruncatedAnswerError(LLMError):
    """The answer was cut below the caller's `min_output_tokens`."""

    elsewhere = True
    default_advice = "Raise max_tokens; if the model reasons, reasoning may have used most of them."


class InvalidAnswerError(LLMError):
    """The answer is not of the schema that `response_format` asks for."""

    elsewhere = True
    default_advice = "Use a model that is better at structured output, or a simpler schema."


class LowConfidenceError(LLMError):
    """The confidence that a custom class computed for its answer is below `LLM_CONFIDENCE_THRESHOLD`."""

    elsewhere = True
    default_advice = "Lower LLM_CONFIDENCE_THRESHOLD, or configure a better provider."


class ProviderError(LLMError):
    """A provider failed in a way that may pass."""

    retryable = True
    elsewhere = True
    default_advice = "Try again later, or configure another provider."


class RateLimitError(ProviderError):
    """Too many requests or tokens just now; `retry_after` is in seconds, None when the vendor did not say."""

    counts_against_provider = False  # the provider is available; the host sends too many requests
    default_advice = "Wait and try again, or lower the request rate."


class LimitReachedError(RateLimitError):
    """A limit of our own, or one that the vendor announced, lets nothing through now; nothing was sent."""

    retryable = False
    default_advice = "Wait and try again, or raise the limits of the provider's row."


class ProviderUnavailableError(ProviderError):
    """No connection, a 5xx, or an overloaded vendor."""


class StreamInterruptedError(ProviderUnavailableError):
    """A stream broke off, or ended without its end marker; `response` holds what came of it."""


class CircuitOpenError(ProviderUnavailableError):
    """The provider failed too often lately and is left alone for `retry_after` seconds; nothing was sent."""

    retryable = False
    default_advice = "Wait and try again, or configure another provider; LLM_BREAKER_WINDOW=0 turns breakers off."


class ProviderTimeoutError(ProviderError):
    """No answer in the attempt's time; `phase` is "connect", "first byte" or "body", in a stream also "first chunk" or
    "next chunk"."""

    default_advice = "Give attempts more time with LLM_REQUEST_TIMEOUT or the row's timeout."


class MalformedResponseError(ProviderError):
    """A reply came that is not what the vendor documents."""

    max_retries = 1  # a reply that is no vendor's reply may pass once; more retries do not help
    default_advice = "Check that the base URL points at the vendor's API and at nothing in between."


class DeadlineExceededError(LLMError):
    """The whole call's time is over; `attempts` says who used it."""

    elsewhere = False
    default_advice = "Give the call more time with deadline= or LLM_DEADLINE."


class AllProvidersFailedError(LLMError):
    """Every planned provider failed.

    Attributes:
        causes: Each provider's own error, in the order in which they were asked.
    """

    elsewhere = True  # for a router that is itself a candidate of another one

    def __init__(self, causes: Sequence[LLMError], *, attempts: Sequence[Attempt] = ()) -> None:
        self.causes: tuple[LLMError, ...] = tuple(causes)
        super().__init__(f"all {len(self.causes)} providers failed", attempts=attempts)
        partial = [cause.response for cause in self.causes if cause.response is not None]
        self.response = partial[-1] if partial else None

    def __str__(self) -> str:
        lines = [f"- {type(cause).__name__} after {self._spent(cause.provider)}: {cause}" for cause in self.causes]
        return "\n".join([f"{self.problem}:", *lines])

    def _spent(self, provider: str) -> str:
        """Return the seconds that went into a provider, waits included, and the attempts where there were several."""
        lines = [line for line in self.attempts if line.provider == provider]
        seconds = sum(line.waited + line.duration for line in lines)
        return f"{seconds:.2f} s" + (f" and {len(lines)} attempts" if len(lines) > 1 else "")
