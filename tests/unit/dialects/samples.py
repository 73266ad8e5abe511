"""The vendor replies of tests/samples as values. The README there describes the form of the files."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultmaven.infrastructure.http.types import Headers, Origin, WireReply, WireRequest

SAMPLES = Path(__file__).parents[2] / "samples"
KEY = "sk-wire-0123456789abcdef"
DIALECTS = (
    "openai-chat",
    "openai-responses",
    "anthropic-messages",
    "gemini-generate-content",
    "cohere-v2-chat",
    "ollama-native",
    "llamacpp-completion",
    "tgi-generate",
)


@dataclass(frozen=True)
class Sample:
    """One vendor reply with the values that a dialect must read from it."""

    dialect: str
    name: str
    reply: WireReply
    expected: Any = field(repr=False)

    def __str__(self) -> str:
        return f"{self.dialect}: {self.name}"


# openai-responses.md 3
FUNCTION_CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "get_weather",
    "arguments": '{"city":"Oslo"}',
    "status": "completed",
}


def reply_of(dialect: str, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> WireReply:
    """Return a reply as the transport would return it."""
    origin = Origin("acme", dialect, "ACME_API_KEY", "ACME_MODEL", "ACME_API_BASE")
    sent = WireRequest(origin, "https://acme.invalid/v1", Headers(), model="acme-1", secret=KEY)
    return WireReply(sent, status, {"content-type": "application/json", **(headers or {})}, body)


def json_body(value: Any) -> bytes:
    """Return `value` as the bytes of a JSON body."""
    return json.dumps(value).encode()


def load(kind: str) -> list[Sample]:
    """Return every sample of one kind: "answers", "errors" or "models"."""
    return [
        _sample(dialect, row) for dialect in DIALECTS for row in _read(dialect, kind) if _has_source(dialect, kind, row)
    ]


def stop_reasons() -> list[Sample]:
    """Return one reply for each row of each dialect's stop reason table, and one without a stop reason."""
    samples = []
    for dialect in DIALECTS:
        table = _read(dialect, "stop_reasons")
        for raw, expected in table["table"]:
            body = copy.deepcopy(table["body"])
            _parent(body, table["place"])[table["place"][-1]] = raw
            samples.append(Sample(dialect, f"{raw!r}", reply_of(dialect, json_body(body)), expected))
        body = copy.deepcopy(table["body"])
        del _parent(body, table["place"])[table["place"][-1]]
        samples.append(Sample(dialect, "no reason", reply_of(dialect, json_body(body)), "unknown"))
    return samples


def _read(dialect: str, kind: str) -> Any:
    path = SAMPLES / dialect / f"{kind}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _has_source(dialect: str, kind: str, row: dict[str, Any]) -> bool:
    assert row.get("source"), f"{dialect}/{kind}.json: {row.get('name')} names no source"
    return True


def _sample(dialect: str, row: dict[str, Any]) -> Sample:
    dialect = row.get("dialect", dialect)
    body = row["text"].encode() if "text" in row else json_body(row["body"])
    return Sample(
        dialect, row["name"], reply_of(dialect, body, row.get("status", 200), row.get("headers")), row["expected"]
    )


def _parent(body: Any, path: list[Any]) -> Any:
    for key in path[:-1]:
        body = body[key]
    return body
