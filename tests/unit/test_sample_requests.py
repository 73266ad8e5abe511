"""Tests for the sample requests: the features that they need, and the providers that answer or refuse them."""

import contextlib

import pytest

from faultmaven import InvalidAnswerError, InvalidRequestError, open_container
from faultmaven.domain.capabilities import CAPABILITIES
from faultmaven.testing import SAMPLE_REQUESTS, FakeProvider, FaultLab, SampleRequest

NEEDED_FEATURES = {
    "conversation": ("assistant turns",),
    "tool_offer": ("tools",),
    "tool_result": ("tools", "assistant turns"),
    "image": ("images",),
    "image_address": ("images", "image addresses"),
    "file": ("files",),
    "structured_output": ("schema",),
    "json": ("schema",),
    "settings": ("stop",),
}
EVERY_SAMPLE = pytest.mark.parametrize("sample", SAMPLE_REQUESTS.values(), ids=SAMPLE_REQUESTS)


@EVERY_SAMPLE
async def test_fake_provider_receives_sample_request_unchanged(sample: SampleRequest) -> None:
    fake = FakeProvider('{"cause": "memory", "confidence": 0.9}')
    response = await sample.ask(fake)
    async with sample.stream(fake) as stream:
        assert "".join([chunk.text or "" async for chunk in stream]) == response.content
    assert fake.requests == [sample.request, sample.request]
    assert sample.needs == NEEDED_FEATURES.get(sample.name, ())


def test_samples_cover_every_required_feature() -> None:
    needed = {feature for sample in SAMPLE_REQUESTS.values() for feature in sample.needs}
    assert set(CAPABILITIES) - {"text", "stream", "reasoning"} <= needed


@EVERY_SAMPLE
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere", "ollama"])
async def test_shipped_provider_answers_or_refuses_sample(provider: str, sample: SampleRequest) -> None:
    lab = FaultLab()
    env = {"LLM_MAX_RETRIES": "0"} | lab.env(provider)
    async with lab.client() as client, open_container(env, http_client=client) as container:
        skipped = container.explain(sample.prompt, **sample.options).skipped
        can_carry_it = provider not in [entry.name for entry in skipped]
        expected = (InvalidAnswerError,) if "schema" in sample.needs else ()  # the lab answers in prose
        with contextlib.suppress(*(expected if can_carry_it else (InvalidRequestError,))):
            await sample.ask(container.llm())
    assert bool(lab.asked(provider)) == can_carry_it
    assert lab.refusals == []
