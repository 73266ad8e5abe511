"""Replies with status 200, parsed by each dialect, against values worked out by hand."""

from typing import Any

import pytest

from faultmaven.domain import errors
from faultmaven.domain.errors import LLMError
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.dialects.registry import dialect_for
from faultmaven.infrastructure.llm.dialects.shared.reading import parse_json

from .samples import DIALECTS, Sample, load, reply_of, stop_reasons

ANSWERS = [sample for sample in load("answers") if "error" not in sample.expected]
FAILURES = [sample for sample in load("answers") if "error" in sample.expected]


@pytest.mark.parametrize("sample", ANSWERS, ids=str)
def test_reply_parses_to_documented_values(sample: Sample) -> None:
    """Text, stop reason, usage, tool calls and model are those of the vendor's document."""
    answer = dialect_for(sample.dialect).parse_response(sample.reply)
    expected: dict[str, Any] = sample.expected
    usage = expected.get("usage")
    assert answer.content == expected["content"]
    assert answer.stop_reason.value == expected["stop_reason"]
    assert answer.usage == (None if usage is None else Usage(**usage))
    calls = [[call.id, call.name, call.arguments, call.raw_arguments] for call in answer.tool_calls]
    assert calls == expected.get("tool_calls", [])
    assert answer.model == expected.get("model", answer.model)


@pytest.mark.parametrize("sample", [s for s in ANSWERS if s.expected.get("usage")], ids=str)
def test_usage_buckets_sum_to_vendor_total(sample: Sample) -> None:
    """The total is unknown where the vendor reports only one side."""
    answer = dialect_for(sample.dialect).parse_response(sample.reply)
    assert answer.usage is not None
    assert answer.usage.total == sample.expected["total"]


@pytest.mark.parametrize("sample", ANSWERS, ids=str)
def test_answer_keeps_raw_reply(sample: Sample) -> None:
    """`raw` holds the decoded reply, with the fields that no other attribute carries."""
    answer = dialect_for(sample.dialect).parse_response(sample.reply)
    decoded = parse_json(sample.reply.body)
    assert answer.raw == (decoded[0] if isinstance(decoded, list) else decoded)


@pytest.mark.parametrize("sample", FAILURES, ids=str)
def test_error_body_under_200_raises_error(sample: Sample) -> None:
    """An error object, a failed state or a third-party body under status 200 raises the documented class."""
    with pytest.raises(LLMError) as caught:
        dialect_for(sample.dialect).parse_response(sample.reply)
    expected = sample.expected
    assert isinstance(caught.value, getattr(errors, expected["error"]))
    for name in ("code", "retryable", "retry_after", "request_id", "status"):
        assert getattr(caught.value, name) == expected.get(name, getattr(caught.value, name)), name
    assert (caught.value.provider, caught.value.model) == ("acme", "acme-1")


@pytest.mark.parametrize("sample", stop_reasons(), ids=str)
def test_stop_reason_follows_documented_table(sample: Sample) -> None:
    """Each row of the document's table. Unknown, null and missing reasons are `unknown`, never `stop`."""
    answer = dialect_for(sample.dialect).parse_response(sample.reply)
    assert answer.stop_reason.value == sample.expected


@pytest.mark.parametrize("sample", load("models"), ids=str)
def test_list_route_returns_model_names(sample: Sample) -> None:
    """The names have the form that a request sends."""
    assert dialect_for(sample.dialect).parse_models(sample.reply) == sample.expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_list_route_error_object_raises_error(dialect: str) -> None:
    """An error under status 200 never becomes an empty list of models."""
    with pytest.raises(LLMError):
        dialect_for(dialect).parse_models(reply_of(dialect, b'{"error":"Unexpected endpoint or method."}'))


def test_every_dialect_has_every_sample_kind() -> None:
    """A misnamed file would leave a dialect untested."""
    for kind in ("answers", "errors", "models"):
        assert {sample.dialect.partition("/")[0] for sample in load(kind)} == set(DIALECTS), kind
    assert {sample.dialect for sample in stop_reasons()} == set(DIALECTS)
