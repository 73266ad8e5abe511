"""A conversation as one prompt, for routes that take no turns."""

from faultmaven.domain.chat import ChatRequest


def transcript(request: ChatRequest) -> str:
    """Return the prompt of a route without turns.

    A single question goes as it is, below the system text. A longer conversation is written out with its roles and ends
    where the assistant speaks next. No chat template is applied; the server's chat route does that.
    """
    turns = request.turns
    if len(turns) == 1:
        return "\n\n".join(text for text in (request.system, turns[0].text) if text)
    lines = [f"{turn.role.capitalize()}: {turn.text}" for turn in turns]
    return "\n\n".join([*([request.system] if request.system else []), *lines, "Assistant:"])


def transcript_notes(request: ChatRequest) -> tuple[str, ...]:
    """Return the ledger's note for a conversation that was written out."""
    if len(request.messages) == 1:
        return ()
    return ("the turns were written out as one prompt: this route takes no messages and applies no chat template",)
