"""What each dialect reads from a vendor's reply with status 200, against values worked out by hand."""

from typing import Any

import pytest

from faultmaven.domain import errors
from faultmaven.domain.errors import LLMError
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.dialects.registry import wire_for
from faultmaven.infrastructure.llm.dialects.shared.reading import parse_json

from .samples import DIALECTS, Sample, load, reply_of, stop_reasons

ANSWERS = [sample for sample in load("answers") if "error" not in sample.expected]
FAILURES = [sample for sample in load("answers") if "error" in sample.expected]


@pytest.mark.parametrize("sample", ANSWERS, ids=str)
def test_reply_is_read_as_the_document_says(sample: Sample) -> None:
    """Text, stop reason, usage, tool calls and the model are those of the document."""
    answer = wire_for(sample.dialect).parse_response(sample.reply)
    expected: dict[str, Any] = sample.expected
    usage = expected.get("usage")
    assert answer.content == expected["content"]
    assert answer.stop_reason.value == expected["stop_reason"]
    assert answer.usage == (None if usage is None else Usage(**usage))
    calls = [[call.id, call.name, call.arguments, call.raw_arguments] for call in answer.tool_calls]
    assert calls == expected.get("tool_calls", [])
    assert answer.model == expected.get("model", answer.model)


@pytest.mark.parametrize("sample", [s for s in ANSWERS if s.expected.get("usage")], ids=str)
def test_buckets_add_up_to_the_vendors_total(sample: Sample) -> None:
    """The sum of the buckets is the vendor's own total; where half is unknown there is none."""
    answer = wire_for(sample.dialect).parse_response(sample.reply)
    assert answer.usage is not None
    assert answer.usage.total == sample.expected["total"]


@pytest.mark.parametrize("sample", ANSWERS, ids=str)
def test_raw_reply_is_kept(sample: Sample) -> None:
    """The decoded reply stays reachable, for what the values do not carry."""
    answer = wire_for(sample.dialect).parse_response(sample.reply)
    decoded = parse_json(sample.reply.body)
    assert answer.raw == (decoded[0] if isinstance(decoded, list) else decoded)


@pytest.mark.parametrize("sample", FAILURES, ids=str)
def test_failure_inside_a_200_is_an_error(sample: Sample) -> None:
    """An error object, a failed state or a foreign body under 200 raises the type that the document calls for."""
    with pytest.raises(LLMError) as caught:
        wire_for(sample.dialect).parse_response(sample.reply)
    expected = sample.expected
    assert isinstance(caught.value, getattr(errors, expected["error"]))
    for name in ("code", "retryable", "retry_after", "request_id", "status"):
        assert getattr(caught.value, name) == expected.get(name, getattr(caught.value, name)), name
    assert (caught.value.provider, caught.value.model) == ("acme", "acme-1")


@pytest.mark.parametrize("sample", stop_reasons(), ids=str)
def test_stop_reason_goes_through_the_table(sample: Sample) -> None:
    """Each row of the document's table; unknown, null and missing reasons are unknown, never stop."""
    answer = wire_for(sample.dialect).parse_response(sample.reply)
    assert answer.stop_reason.value == sample.expected


@pytest.mark.parametrize("sample", load("models"), ids=str)
def test_list_route_gives_the_models_names(sample: Sample) -> None:
    """The names as a request would send them."""
    assert wire_for(sample.dialect).parse_models(sample.reply) == sample.expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_error_object_of_the_list_route_is_no_empty_list(dialect: str) -> None:
    """A server that answers 200 with an error has no list; it is not one without models."""
    with pytest.raises(LLMError):
        wire_for(dialect).parse_models(reply_of(dialect, b'{"error":"Unexpected endpoint or method."}'))


def test_every_dialect_has_samples_of_every_kind() -> None:
    """No dialect is left out by a misnamed file."""
    for kind in ("answers", "errors", "models"):
        assert {sample.dialect.partition("/")[0] for sample in load(kind)} == set(DIALECTS), kind
    assert {sample.dialect for sample in stop_reasons()} == set(DIALECTS)
