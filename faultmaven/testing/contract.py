"""What every provider owes its caller. Subclass it, give `provider`, and pytest runs each rule."""

import asyncio
from typing import Any

from faultmaven.domain.chat import LLMResponse, Message, StopReason
from faultmaven.domain.errors import InvalidRequestError
from faultmaven.ports.llm import LLMProvider


class LLMProviderContract:
    """The rules of the port. A subclass named `Test...` overrides `provider` with a fixture that gives a provider which
    answers every prompt."""

    async def test_it_has_a_name_and_is_available(self, provider: LLMProvider) -> None:
        """A configured provider says who it is and that it is there, without asking anyone."""
        assert isinstance(provider.provider_name, str)
        assert provider.provider_name
        assert provider.is_available() is True

    async def test_its_list_of_models_is_its_callers_to_change(self, provider: LLMProvider) -> None:
        """Whoever changes the returned list changes nothing inside."""
        listed = provider.get_supported_models()
        listed.append("a model of the caller's own")
        assert "a model of the caller's own" not in provider.get_supported_models()

    async def test_a_prompt_gets_a_whole_response(self, provider: LLMProvider) -> None:
        """Text, who answered, how it ended, how long it took and what it cost are all there and of their types."""
        response = await provider.generate("Why does my pod restart?")
        assert isinstance(response, LLMResponse)
        assert response.content.strip()
        assert isinstance(response.stop_reason, StopReason)
        assert response.provider
        assert response.response_time_ms >= 0
        assert response.tokens_used is None or response.tokens_used > 0
        if response.usage is not None:
            assert response.usage.total == response.tokens_used

    async def test_the_requested_model_is_the_one_that_answers(self, provider: LLMProvider) -> None:
        """A model that the caller names is sent as it is."""
        response = await provider.generate("ping", model="a-model-of-tomorrow")
        assert response.model == "a-model-of-tomorrow"

    async def test_a_conversation_is_taken(self, provider: LLMProvider) -> None:
        """System, user and assistant turns are one prompt."""
        turns = [Message.system("Be terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")]
        response = await provider.generate(turns)
        assert response.content

    async def test_a_blank_prompt_is_refused_at_the_door(self, provider: LLMProvider) -> None:
        """Nothing is sent for a prompt that asks nothing."""
        await _refused(provider, "   ")
        await _refused(provider, [])

    async def test_bad_limits_are_refused_at_the_door(self, provider: LLMProvider) -> None:
        """Nothing is sent with a limit or a temperature that cannot be meant."""
        await _refused(provider, "ping", max_tokens=0)
        await _refused(provider, "ping", temperature=-1.0)
        await _refused(provider, "ping", temperature=float("nan"))

    async def test_a_zero_temperature_is_a_temperature(self, provider: LLMProvider) -> None:
        """0 is a value and None is unset: both are taken."""
        assert (await provider.generate("ping", temperature=0)).content
        assert (await provider.generate("ping", temperature=None)).content

    async def test_the_ledger_has_one_line(self, provider: LLMProvider) -> None:
        """Every answer says what was asked of whom."""
        response = await provider.generate("ping")
        assert len(response.attempts) == 1
        assert response.attempts[0].outcome == "answered"

    async def test_a_stream_gives_the_same_text(self, provider: LLMProvider) -> None:
        """The chunks' texts add up to the response's content."""
        texts = []
        async with provider.stream("ping") as stream:
            async for chunk in stream:
                texts.append(chunk.text or "")
        assert "".join(texts) == stream.response.content

    async def test_a_stream_has_no_response_before_its_end(self, provider: LLMProvider) -> None:
        """Half an answer never looks like a whole one."""
        async with provider.stream("ping") as stream:
            try:
                response = stream.response
            except InvalidRequestError:
                response = None
            assert response is None
            async for _ in stream:
                pass
            assert isinstance(stream.response, LLMResponse)

    async def test_a_stream_that_is_left_can_be_followed_by_another(self, provider: LLMProvider) -> None:
        """Leaving early leaves nothing behind that the next call would meet."""
        for _ in range(3):
            async with provider.stream("ping") as stream:
                async for _chunk in stream:
                    break
        assert (await provider.generate("ping")).content

    async def test_a_stream_refuses_what_generate_refuses(self, provider: LLMProvider) -> None:
        """The door is the same for both."""
        try:
            async with provider.stream("   "):
                pass
        except InvalidRequestError:
            return
        raise AssertionError("a blank prompt was not refused")

    async def test_many_calls_at_once_do_not_mix(self, provider: LLMProvider) -> None:
        """Fifty concurrent calls get fifty answers."""
        responses = await asyncio.gather(*(provider.generate(f"question {n}") for n in range(50)))
        assert len(responses) == 50
        assert all(response.content for response in responses)

    async def test_no_text_shows_in_a_repr(self, provider: LLMProvider) -> None:
        """A response that is logged by accident shows sizes, not text."""
        response = await provider.generate("a prompt that must not be seen")
        assert response.content not in repr(response)


async def _refused(provider: LLMProvider, prompt: Any, **arguments: Any) -> None:
    try:
        await provider.generate(prompt, **arguments)
    except InvalidRequestError:
        return
    raise AssertionError(f"{type(prompt).__name__} prompt with {sorted(arguments)} was not refused")
