"""A conversation as one prompt, for routes that take no messages."""

from .....domain.requests import ChatRequest
from .conversation import ReplayTarget, lost_replay_notes


def render_transcript(request: ChatRequest) -> str:
    """Return the conversation as one prompt.

    A single message follows the system text unchanged. Longer conversations have the role before each message and end
    with "Assistant:". No chat template is applied; the server's chat route does that.
    """
    turns = request.turns
    if len(turns) == 1:
        return "\n\n".join(text for text in (request.system, turns[0].text) if text)
    lines = [f"{turn.role.capitalize()}: {turn.text}" for turn in turns]
    return "\n\n".join([*([request.system] if request.system else []), *lines, "Assistant:"])


def transcript_notes(request: ChatRequest, target: ReplayTarget, *, unsupported: tuple[str, ...]) -> tuple[str, ...]:
    """Return the notes on options that a route without messages leaves out or writes in another way.

    Args:
        target: Provider, dialect and model of the request.
        unsupported: Options without a field in this route. The server's chat route may have such a field, so that the
            planner, which sees the features of the provider, does not report the loss.
    """
    options = {"reasoning": request.reasoning, "cache_prompt": request.cache_prompt}
    lost = tuple(f"{name} left out: this route has no such field" for name in unsupported if options[name] is not None)
    notes = (*lost_replay_notes(request.messages, target), *lost)
    if len(request.messages) == 1:
        return notes
    note = "the turns were written out as one prompt: this route accepts no messages and applies no chat template"
    return (note, *notes)
