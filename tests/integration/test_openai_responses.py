"""The OpenAI Responses dialect: selected by a row, and by models that require the dialect for tools."""

from dataclasses import replace

import pytest

from faultmaven import StopReason, Tool, open_container
from faultmaven.application.validation.request import chat_request
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.dialects.openai_chat import dialect as openai_chat
from faultmaven.infrastructure.llm.dialects.openai_responses import dialect as openai_responses
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, OpenAIProvider
from faultmaven.testing import FaultLab
from faultmaven.testing.lab import ANSWER


async def test_row_dialect_selects_responses_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDER_SCHEMA, "openai", {**PROVIDER_SCHEMA["openai"], "dialect": "openai-responses"})
    lab = FaultLab()
    async with lab.client() as client, open_container(lab.env("openai"), http_client=client) as container:
        response = await container.llm().generate("ping")
    assert lab.requests[0].path == "/v1/responses"
    assert lab.requests[0].json["store"] is False
    assert (response.content, response.stop_reason, response.tokens_used) == (ANSWER, StopReason.STOP, 42)


@pytest.mark.parametrize(
    ("model", "with_tools", "expected"),
    [
        # wire/openai-chat.md, section 8
        ("gpt-6.2-sol", False, openai_chat),
        ("gpt-6.2-sol", True, openai_responses),
        ("gpt-6.1-sol", True, openai_responses),
        ("gpt-6-luna", True, openai_responses),
        ("a-model-of-tomorrow", True, openai_chat),
    ],
)
def test_model_and_tools_select_dialect(model: str, with_tools: bool, expected: object) -> None:
    clock = SystemClock()
    provider = OpenAIProvider(ProviderConfig("openai", dialect="openai-chat/openai"), HTTPTransport(clock), clock)
    request = chat_request("ping", model=model)
    if with_tools:
        request = replace(request, tools=(Tool("restart"),))
    assert provider.wire(request) is expected
