"""Secrets that a vendor echoes: errors never show the key, and show the prompt only in `vendor_message`."""

import pickle
import traceback

import pytest

from faultmaven.domain.errors import LLMError
from faultmaven.infrastructure.http.types import WireReply
from faultmaven.infrastructure.llm.dialects.registry import dialect_for
from faultmaven.infrastructure.llm.dialects.shared.errors import raise_for_status

from .samples import DIALECTS, KEY, json_body, reply_of

PROMPT = "why does pod payments-7f9c restart with exit code 137"
# Known forms of an echoed key: whole, only the beginning, masked in the middle, inside a header line.
ECHOES = {
    "whole": KEY,
    "first eight": KEY[:8],
    "last eight": KEY[-8:],
    "masked": f"{KEY[:8]}****{KEY[-4:]}",
    "header": f"Authorization: Bearer {KEY}",
    "address": f"https://acme.invalid/v1?key={KEY}&x=1",
}


def _raised_by(reply: WireReply) -> LLMError:
    parse = dialect_for(reply.request.origin.dialect).parse_response
    with pytest.raises(LLMError) as caught:
        parse(reply) if reply.status == 200 else raise_for_status(reply)
    return caught.value


def _texts_of(error: LLMError) -> dict[str, str]:
    return {
        "str": str(error),
        "repr": repr(error),
        "pickle": pickle.dumps(error).decode("latin-1"),
        "traceback": "".join(traceback.format_exception(error)),
        "facts": repr(vars(error)),
    }


def _bodies_with(text: str) -> list[bytes]:
    """Return error bodies of every vendor, each with `text` in all fields from which an error is parsed."""
    return [
        json_body({"error": {"message": text, "type": text, "code": text, "param": text, "status": text}}),
        json_body({"error": text, "error_type": text, "code": text}),
        json_body({"object": "error", "message": text, "type": text, "request_id": text}),
        json_body({"message": {"nested": text}, "type_": text}),
        json_body({"detail": [{"loc": [text], "msg": text}], "title": text}),
        json_body({"detail": {"error": {"message": text}}}),
        json_body(
            {"error": {"details": [{"reason": text, "violations": [{"quotaId": text}]}], "innererror": {"code": text}}}
        ),
        json_body([{"error": {"details": {"error_code": text}}}]),
        json_body({"unknown": {"shape": text}}),
        f"<html><body>{text}</body></html>".encode(),
        text.encode(),
    ]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500, 308])
def test_echoed_key_is_redacted_everywhere(status: int, echo: str) -> None:
    """Neither the key nor the first or last eight characters are in any text, pickle or attribute, the vendor message
    included."""
    for body in _bodies_with(ECHOES[echo]):
        error = _raised_by(reply_of("openai-chat", body, status, {"x-request-id": KEY, "content-type": KEY}))
        for place, text in {**_texts_of(error), "prose": str(error.vendor_message)}.items():
            for piece in (KEY, KEY[:8], KEY[-8:]):
                assert piece not in text, (place, body)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500, 308])
def test_echoed_prompt_appears_in_vendor_message_only(status: int) -> None:
    """Only `str(vendor_message)` holds the vendor's text; the repr hides the text."""
    for body in _bodies_with(PROMPT):
        error = _raised_by(reply_of("openai-chat", body, status, {"x-request-id": PROMPT, "content-type": PROMPT}))
        for place, text in _texts_of(error).items():
            assert PROMPT not in text, (place, body)
            assert "payments-7f9c" not in text, (place, body)
        assert "payments-7f9c" not in repr(error.vendor_message)


def test_vendor_message_keeps_prose_without_key() -> None:
    """Only the key is replaced."""
    body = json_body({"error": {"message": f"Incorrect API key provided: {KEY}. See the console."}})
    assert (
        _raised_by(reply_of("openai-chat", body, 401)).vendor_message
        == "Incorrect API key provided: ***. See the console."
    )


def test_vendor_message_without_key_is_unchanged() -> None:
    """An empty secret matches no text, so that nothing is replaced."""
    reply = reply_of("openai-chat", b'{"error":"model is loading"}', 503)
    keyless = WireReply(
        type(reply.request)(reply.request.origin, "http://localhost:1234/v1", reply.request.headers),
        503,
        {"x-request-id": "req_1"},
        reply.body,
    )
    error = _raised_by(keyless)
    assert error.vendor_message == "model is loading"
    assert error.request_id == "req_1"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_malformed_answer_error_hides_content(dialect: str) -> None:
    """A MalformedResponseError names types and paths, never the text of the reply."""
    for body in (
        json_body(PROMPT),
        json_body([PROMPT]),
        json_body({"x": PROMPT}),
        PROMPT.encode(),
        b'{"content":' + PROMPT.encode(),
    ):
        for place, text in _texts_of(_raised_by(reply_of(dialect, body))).items():
            assert "payments-7f9c" not in text, (place, body)


def test_answer_repr_hides_text_and_arguments() -> None:
    """The repr of a parsed answer holds neither content nor arguments nor the raw reply."""
    body = json_body(
        {
            "choices": [
                {
                    "finish_reason": "stop",
                    "message": {
                        "content": PROMPT,
                        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"why": PROMPT}}}],
                    },
                }
            ]
        }
    )
    assert "payments-7f9c" not in repr(dialect_for("openai-chat").parse_response(reply_of("openai-chat", body)))
