"""The reply to each fault in each dialect: the vendor's own words where it documents them, else its envelope."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from ..faults import STREAM_FAULTS
from ..reply import NO_ROUTE, LabReply, json_reply
from .hosted import (
    ANTHROPIC,
    ANTHROPIC_BESIDES,
    COHERE,
    COHERE_BESIDES,
    GEMINI,
    GEMINI_BESIDES,
    anthropic_error,
    cohere_error,
    gemini_error,
)
from .local import (
    LLAMACPP,
    LLAMACPP_BESIDES,
    OLLAMA,
    OLLAMA_BESIDES,
    TGI,
    TGI_BESIDES,
    llamacpp_error,
    ollama_error,
    tgi_error,
)
from .openai import OPENAI_CHAT, OPENAI_CHAT_BESIDES, OPENAI_RESPONSES, OPENAI_RESPONSES_BESIDES, openai_error

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
"""What vendors document, by dialect and fault; "models" is the answer of the list route."""

BESIDES: Mapping[str, Replies] = {
    "openai-chat": OPENAI_CHAT_BESIDES,
    "openai-responses": OPENAI_RESPONSES_BESIDES,
    "anthropic-messages": ANTHROPIC_BESIDES,
    "gemini-generate-content": GEMINI_BESIDES,
    "cohere-v2-chat": COHERE_BESIDES,
    "ollama-native": OLLAMA_BESIDES,
    "llamacpp-completion": LLAMACPP_BESIDES,
    "tgi-generate": TGI_BESIDES,
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

# What breaks before there is a reply.
OF_THE_CONNECTION = ("refused", "reset", "silent", "cut_headers")

# Replies that need no words of the vendor's, and are no less likely from one that documents none.
_PAGE = {"content-type": "text/html; charset=utf-8"}
FROM_ANYONE: Replies = {
    "html": LabReply(200, b"<!doctype html><html><body>Sign in</body></html>", _PAGE),
    "html_error": LabReply(502, b"<html><head><title>502 Bad Gateway</title></head></html>", _PAGE),
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

# A whole answer that comes wrong.
SPOILT: Mapping[str, Callable[[LabReply], LabReply]] = {
    "silent_body": lambda ok: replace(ok, pace="silent"),
    "trickle": lambda ok: replace(ok, pace="trickle"),
    "cut_body": lambda ok: replace(ok, body=_half(ok), announced=len(ok.body)),
    "wrong_length": lambda ok: replace(ok, announced=len(ok.body) + 100),
    "short_length": lambda ok: replace(ok, announced=len(ok.body) - 20),
    "wrong_content_type": lambda ok: replace(ok, headers={**ok.headers, "content-type": "text/plain; charset=utf-8"}),
    "truncated_json": lambda ok: replace(ok, body=_half(ok)),
    "oversized": lambda ok: replace(ok, body=ok.body + b" " * OVERSIZED_BYTES),
}

# RFC 9110, 10.2.3, and the vendors' own forms (README.md, retry classification). A date counts from the reply's own.
_SENT = "Mon, 23 Nov 2026 10:00:00 GMT"
HINTS: Mapping[str, Mapping[str, str]] = {
    "rate_limited_seconds": {"retry-after": "2"},
    "rate_limited_float": {"retry-after": "1.5"},
    "rate_limited_date": {"date": _SENT, "retry-after": "Mon, 23 Nov 2026 10:00:30 GMT"},
    "rate_limited_ms": {"retry-after-ms": "1500"},
    "rate_limited_info": {"retry-after": "31"},
    "rate_limited_past": {"date": _SENT, "retry-after": "Mon, 23 Nov 2026 09:00:00 GMT"},
    "rate_limited_absurd": {"retry-after": "31536000"},
    "rate_limited_no_hint": {},
    "rate_limited_final": {"retry-after": "2", "x-should-retry": "false"},
}


def is_documented(dialect: str, fault: str) -> bool:
    """Return whether the vendor documents its reply to `fault`, or whether the fault needs no words of the vendor's."""
    return fault in REPLIES[dialect] or fault in (*OF_THE_CONNECTION, *FROM_ANYONE, *SPOILT)


def reply_to(dialect: str, fault: str) -> LabReply:
    """Return the reply to a request that gets `fault`, which is none of `OF_THE_CONNECTION`."""
    for replies in (REPLIES[dialect], BESIDES[dialect], FROM_ANYONE):
        if fault in replies:
            return replies[fault]
    if fault in STREAM_FAULTS:
        return REPLIES[dialect]["ok"]
    if fault in SPOILT:
        return SPOILT[fault](REPLIES[dialect]["ok"])
    if fault in HINTS:
        return _rate_limited(dialect, fault)
    return json_reply(STATUSES[fault], ENVELOPES[dialect](STATUSES[fault]))


def _rate_limited(dialect: str, fault: str) -> LabReply:
    """A 429 whose only hints are the headers; a vendor whose own hint is in the body has a body without one."""
    hintless = REPLIES[dialect].get("rate_limited_no_hint") or reply_to(dialect, "rate_limited")
    return LabReply(429, hintless.body, {"content-type": "application/json", **HINTS[fault]})


def _half(ok: LabReply) -> bytes:
    return ok.body[: len(ok.body) // 2]
