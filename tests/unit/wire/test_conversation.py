"""Ids and names that hold a conversation together, whoever began it."""

from faultmaven.domain.messages import Message
from faultmaven.domain.replay import Replay
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.infrastructure.llm.dialects.shared.conversation import linked

HOME = ("acme", "openai-chat", "acme-1")


def turn(call_id: str, name: str, provider: str = "acme") -> Message:
    return Message(
        "assistant", (), (ToolCall(call_id, name, {}, "{}"),), replay=Replay(provider, *HOME[1:], {}, "", (call_id,))
    )


def ids(messages: list[Message]) -> list[str]:
    return [message.tool_call_id or message.tool_calls[0].id for message in messages]


def test_a_foreign_turn_makes_way_for_an_own_one_of_the_same_id() -> None:
    told = linked(
        [turn("a", "first", "other"), Message.tool("a", "1"), turn("a", "second"), Message.tool("a", "2")], HOME
    )
    foreign, its_result, own, own_result = ids(told.messages)
    assert (own, own_result) == ("a", "a")
    assert foreign == its_result != "a"
    assert told.names == ["", "first", "", "second"]


def test_two_own_turns_with_one_id_have_each_its_own_tools_name() -> None:
    told = linked([turn("a", "first"), Message.tool("a", "1"), turn("a", "second"), Message.tool("a", "2")], HOME)
    assert ids(told.messages) == ["a"] * 4
    assert told.names == ["", "first", "", "second"]


def test_a_result_of_no_known_call_keeps_its_id() -> None:
    told = linked([Message.tool("x", "1")], HOME)
    assert (ids(told.messages), told.names) == (["x"], ["x"])
