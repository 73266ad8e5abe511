"""respx intercepts all requests of the httpx carrier and of a passed-in httpx client."""

import json

import httpx
import pytest
import respx

from faultmaven import open_container

# wire/anthropic-messages.md, section 3
REPLY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 12, "output_tokens": 30},
}
ENV = {"ANTHROPIC_API_KEY": "k", "LLM_HTTP_CARRIER": "httpx"}
URL = "https://api.anthropic.com/v1/messages"


@respx.mock
async def test_plain_respx_intercepts_the_httpx_carrier() -> None:
    route = respx.post(URL).mock(return_value=httpx.Response(200, json=REPLY))
    async with open_container(ENV) as container:
        response = await container.llm().generate("Say hi")
    assert response.content == "Hi"
    assert json.loads(route.calls.last.request.content)["messages"] == [{"role": "user", "content": "Say hi"}]


async def test_mock_transport_intercepts_passed_in_client() -> None:
    router = respx.Router(assert_all_called=True)
    router.post(URL).mock(return_value=httpx.Response(200, json=REPLY))
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler)) as client,
        open_container({"ANTHROPIC_API_KEY": "k"}, http_client=client) as container,
    ):
        assert (await container.llm().generate("Say hi")).content == "Hi"
    router.assert_all_called()


def test_unknown_carrier_error_suggests_nearest_name() -> None:
    from faultmaven import ConfigurationError, create_container

    with pytest.raises(ConfigurationError, match=r"LLM_HTTP_CARRIER .*did you mean 'httpx'"):
        create_container({"LLM_HTTP_CARRIER": "htpx"})
