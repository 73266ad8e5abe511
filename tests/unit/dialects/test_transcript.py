"""Transcripts for dialects that take no messages, and cut prompts."""

import pytest

from faultmaven.domain.errors import ContextLengthError
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.http.types import Headers, Origin, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.dialects import llamacpp as llamacpp_completion
from faultmaven.infrastructure.llm.dialects import tgi as tgi_generate
from faultmaven.infrastructure.llm.dialects.shared.transcript import render_transcript

CONVERSATION = (Message.system("Be terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?"))


def test_single_question_transcript_is_unchanged() -> None:
    assert render_transcript(ChatRequest((Message.user("Say hi:"),))) == "Say hi:"


def test_conversation_transcript_ends_with_assistant_label() -> None:
    assert render_transcript(ChatRequest(CONVERSATION)) == (
        "Be terse.\n\nUser: 2+2?\n\nAssistant: 4\n\nUser: times 3?\n\nAssistant:"
    )


@pytest.mark.parametrize("dialect", [llamacpp_completion, tgi_generate])
def test_transcript_of_conversation_adds_note(dialect: object) -> None:
    build = dialect.build_request  # type: ignore[attr-defined]
    config = ProviderConfig("mine", base_url="http://localhost")
    assert build(ChatRequest(CONVERSATION), config, "").notes
    assert build(ChatRequest((Message.user("hi"),)), config, "").notes == ()


def test_answer_to_truncated_prompt_raises_error() -> None:
    # wire/llamacpp-completion.md, section 3: `truncated:true` = the prompt exceeded the context
    sent = WireRequest(Origin("llamacpp", "llamacpp-completion"), "http://localhost/completion", Headers())
    body = b'{"content":"An answer","stop":true,"stop_type":"eos","truncated":true}'
    with pytest.raises(ContextLengthError):
        llamacpp_completion.parse_response(WireReply(sent, 200, {}, body))
