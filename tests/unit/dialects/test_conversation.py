"""Tool call ids and tool names that link the messages of a conversation, across providers."""

from faultmaven.domain.messages import Message
from faultmaven.domain.replay import Replay
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.infrastructure.llm.dialects.shared.conversation import link_calls

TARGET = ("acme", "openai-chat", "acme-1")


def call_message(call_id: str, name: str, provider: str = "acme") -> Message:
    return Message(
        "assistant", (), (ToolCall(call_id, name, {}, "{}"),), replay=Replay(provider, *TARGET[1:], {}, "", (call_id,))
    )


def call_ids(messages: list[Message]) -> list[str]:
    return [message.tool_call_id or message.tool_calls[0].id for message in messages]


def test_other_provider_call_id_yields_to_own() -> None:
    conversation = link_calls(
        [
            call_message("a", "first", "other"),
            Message.tool("a", "1"),
            call_message("a", "second"),
            Message.tool("a", "2"),
        ],
        TARGET,
    )
    other, other_result, own, own_result = call_ids(conversation.messages)
    assert (own, own_result) == ("a", "a")
    assert other == other_result != "a"
    assert conversation.names == ["", "first", "", "second"]


def test_repeated_call_id_keeps_each_tool_name() -> None:
    conversation = link_calls(
        [call_message("a", "first"), Message.tool("a", "1"), call_message("a", "second"), Message.tool("a", "2")],
        TARGET,
    )
    assert call_ids(conversation.messages) == ["a"] * 4
    assert conversation.names == ["", "first", "", "second"]


def test_result_without_call_keeps_id() -> None:
    conversation = link_calls([Message.tool("x", "1")], TARGET)
    assert (call_ids(conversation.messages), conversation.names) == (["x"], ["x"])
