"""The sample requests are what they say, and every shipped provider that takes one answers it."""

import contextlib

import pytest

from faultmaven import InvalidAnswerError, InvalidRequestError, open_container
from faultmaven.domain.capabilities import CAPABILITIES
from faultmaven.testing import SAMPLE_REQUESTS, FakeProvider, FaultLab, SampleRequest

NEEDS = {
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
async def test_a_fake_is_given_it_as_it_is(sample: SampleRequest) -> None:
    fake = FakeProvider('{"cause": "memory", "confidence": 0.9}')
    response = await sample.ask(fake)
    async with sample.stream(fake) as stream:
        assert "".join([chunk.text or "" async for chunk in stream]) == response.content
    assert fake.requests == [sample.request, sample.request]
    assert sample.needs == NEEDS.get(sample.name, ())


def test_together_they_need_every_feature_that_is_no_hint() -> None:
    needed = {feature for sample in SAMPLE_REQUESTS.values() for feature in sample.needs}
    assert set(CAPABILITIES) - {"text", "stream", "reasoning"} <= needed


@EVERY_SAMPLE
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere", "ollama"])
async def test_a_shipped_provider_sends_it_or_says_that_it_cannot(provider: str, sample: SampleRequest) -> None:
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
