"""Routes that take no messages: how a conversation is written out, and what a cut prompt means."""

import pytest

from faultmaven.domain.errors import ContextLengthError
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.http.types import Headers, Origin, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.dialects import llamacpp as llamacpp_completion
from faultmaven.infrastructure.llm.dialects import tgi as tgi_generate
from faultmaven.infrastructure.llm.dialects.shared.transcript import transcript

TALK = (Message.system("Be terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?"))


def test_a_single_question_goes_as_it_is() -> None:
    assert transcript(ChatRequest((Message.user("Say hi:"),))) == "Say hi:"


def test_a_conversation_ends_where_the_assistant_speaks_next() -> None:
    assert transcript(ChatRequest(TALK)) == ("Be terse.\n\nUser: 2+2?\n\nAssistant: 4\n\nUser: times 3?\n\nAssistant:")


@pytest.mark.parametrize("wire", [llamacpp_completion, tgi_generate])
def test_writing_it_out_is_noted(wire: object) -> None:
    build = wire.build_request  # type: ignore[attr-defined]
    config = ProviderConfig("mine", base_url="http://localhost")
    assert build(ChatRequest(TALK), config, "").notes
    assert build(ChatRequest((Message.user("hi"),)), config, "").notes == ()


def test_an_answer_to_a_cut_prompt_does_not_look_whole() -> None:
    # wire/llamacpp-completion.md, section 3: `truncated:true` = the prompt overran the context
    sent = WireRequest(Origin("llamacpp", "llamacpp-completion"), "http://localhost/completion", Headers())
    body = b'{"content":"An answer","stop":true,"stop_type":"eos","truncated":true}'
    with pytest.raises(ContextLengthError):
        llamacpp_completion.parse_response(WireReply(sent, 200, {}, body))
