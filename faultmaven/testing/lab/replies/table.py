"""The reply to each fault in each dialect: the documented text of the vendor, or a text in its error envelope."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from ..faults import STREAM_FAULTS
from ..reply import NO_ROUTE, LabReply, json_reply
from .hosted import (
    ANTHROPIC,
    ANTHROPIC_UNDOCUMENTED,
    COHERE,
    COHERE_UNDOCUMENTED,
    GEMINI,
    GEMINI_UNDOCUMENTED,
    anthropic_error,
    cohere_error,
    gemini_error,
)
from .local import (
    LLAMACPP,
    LLAMACPP_UNDOCUMENTED,
    OLLAMA,
    OLLAMA_UNDOCUMENTED,
    TGI,
    TGI_UNDOCUMENTED,
    llamacpp_error,
    ollama_error,
    tgi_error,
)
from .openai import OPENAI_CHAT, OPENAI_CHAT_UNDOCUMENTED, OPENAI_RESPONSES, OPENAI_RESPONSES_UNDOCUMENTED, openai_error

Replies: TypeAlias = Mapping[str, LabReply]

OVERSIZED_BYTES = 33 * 1024 * 1024

REPLIES: Mapping[str, Replies] = {
    "openai-chat": OPENAI_CHAT,
    "openai-responses": OPENAI_RESPONSES,
    "anthropic-messages": ANTHROPIC,
    "gemini-generate-content": GEMINI,
    "cohere-v2-chat": COHERE,
    "ollama-native": OLLAMA,
    "llamacpp-completion": LLAMACPP,
    "tgi-generate": TGI,
}
"""Documented replies by dialect and fault; "models" is the reply to a request for the list of models."""

UNDOCUMENTED_REPLIES: Mapping[str, Replies] = {
    "openai-chat": OPENAI_CHAT_UNDOCUMENTED,
    "openai-responses": OPENAI_RESPONSES_UNDOCUMENTED,
    "anthropic-messages": ANTHROPIC_UNDOCUMENTED,
    "gemini-generate-content": GEMINI_UNDOCUMENTED,
    "cohere-v2-chat": COHERE_UNDOCUMENTED,
    "ollama-native": OLLAMA_UNDOCUMENTED,
    "llamacpp-completion": LLAMACPP_UNDOCUMENTED,
    "tgi-generate": TGI_UNDOCUMENTED,
}

ENVELOPES: Mapping[str, Callable[[int], bytes]] = {
    "openai-chat": openai_error,
    "openai-responses": openai_error,
    "anthropic-messages": anthropic_error,
    "gemini-generate-content": gemini_error,
    "cohere-v2-chat": cohere_error,
    "ollama-native": ollama_error,
    "llamacpp-completion": llamacpp_error,
    "tgi-generate": tgi_error,
}

# Faults that occur before a reply exists.
CONNECTION_FAULTS = ("refused", "reset", "silent", "cut_headers")

# Replies without vendor text, which any vendor or proxy may send.
_HTML_HEADERS = {"content-type": "text/html; charset=utf-8"}
GENERIC_REPLIES: Replies = {
    "html": LabReply(200, b"<!doctype html><html><body>Sign in</body></html>", _HTML_HEADERS),
    "html_error": LabReply(502, b"<html><head><title>502 Bad Gateway</title></head></html>", _HTML_HEADERS),
    "wrong_shape": json_reply(200, b'{"unexpected":true}'),
    "not_found_route": NO_ROUTE,
    "redirect": LabReply(307, b"", {"location": "https://elsewhere.invalid/login"}),
}

STATUSES = {
    "bad_request": 400,
    "forbidden": 403,
    "request_timeout": 408,
    "too_large": 413,
    "rate_limited": 429,
    "server_error": 500,
    "bad_gateway": 502,
    "unavailable": 503,
    "gateway_timeout": 504,
    "overloaded_529": 529,
}

# Alterations of a vendor's normal answer.
ALTERED_REPLIES: Mapping[str, Callable[[LabReply], LabReply]] = {
    "silent_body": lambda ok: replace(ok, pace="silent"),
    "trickle": lambda ok: replace(ok, pace="trickle"),
    "cut_body": lambda ok: replace(ok, body=_first_half(ok), announced=len(ok.body)),
    "wrong_length": lambda ok: replace(ok, announced=len(ok.body) + 100),
    "short_length": lambda ok: replace(ok, announced=len(ok.body) - 20),
    "wrong_content_type": lambda ok: replace(ok, headers={**ok.headers, "content-type": "text/plain; charset=utf-8"}),
    "truncated_json": lambda ok: replace(ok, body=_first_half(ok)),
    "oversized": lambda ok: replace(ok, body=ok.body + b" " * OVERSIZED_BYTES),
}

# RFC 9110, 10.2.3, and vendor headers (README.md, retry classification). A date is relative to the reply's own date.
_REPLY_DATE = "Mon, 23 Nov 2026 10:00:00 GMT"
RETRY_HINTS: Mapping[str, Mapping[str, str]] = {
    "rate_limited_seconds": {"retry-after": "2"},
    "rate_limited_float": {"retry-after": "1.5"},
    "rate_limited_date": {"date": _REPLY_DATE, "retry-after": "Mon, 23 Nov 2026 10:00:30 GMT"},
    "rate_limited_ms": {"retry-after-ms": "1500"},
    "rate_limited_info": {"retry-after": "31"},
    "rate_limited_past": {"date": _REPLY_DATE, "retry-after": "Mon, 23 Nov 2026 09:00:00 GMT"},
    "rate_limited_absurd": {"retry-after": "31536000"},
    "rate_limited_no_hint": {},
    "rate_limited_final": {"retry-after": "2", "x-should-retry": "false"},
}


def is_documented(dialect: str, fault: str) -> bool:
    """Return whether the vendor documents its reply to `fault`, or the fault needs no vendor text."""
    return fault in REPLIES[dialect] or fault in (*CONNECTION_FAULTS, *GENERIC_REPLIES, *ALTERED_REPLIES)


def reply_to(dialect: str, fault: str) -> LabReply:
    """Return the reply to a request with `fault`, which must not be one of `CONNECTION_FAULTS`."""
    for replies in (REPLIES[dialect], UNDOCUMENTED_REPLIES[dialect], GENERIC_REPLIES):
        if fault in replies:
            return replies[fault]
    if fault in STREAM_FAULTS:
        return REPLIES[dialect]["ok"]
    if fault in ALTERED_REPLIES:
        return ALTERED_REPLIES[fault](REPLIES[dialect]["ok"])
    if fault in RETRY_HINTS:
        return _rate_limited(dialect, fault)
    return json_reply(STATUSES[fault], ENVELOPES[dialect](STATUSES[fault]))


def _rate_limited(dialect: str, fault: str) -> LabReply:
    """Return a 429 whose only retry hints are the headers; the body contains none."""
    without_hint = REPLIES[dialect].get("rate_limited_no_hint") or reply_to(dialect, "rate_limited")
    return LabReply(429, without_hint.body, {"content-type": "application/json", **RETRY_HINTS[fault]})


def _first_half(ok: LabReply) -> bytes:
    return ok.body[: len(ok.body) // 2]
