"""A conversation as one prompt, for routes that take no turns."""

from .....domain.requests import ChatRequest
from .conversation import ReplayTarget, lost_replay_notes


def render_transcript(request: ChatRequest) -> str:
    """Return the prompt of a route without turns.

    A single question goes as it is, below the system text. A longer conversation is written out with its roles and ends
    where the assistant speaks next. No chat template is applied; the server's chat route does that.
    """
    turns = request.turns
    if len(turns) == 1:
        return "\n\n".join(text for text in (request.system, turns[0].text) if text)
    lines = [f"{turn.role.capitalize()}: {turn.text}" for turn in turns]
    return "\n\n".join([*([request.system] if request.system else []), *lines, "Assistant:"])


def transcript_notes(request: ChatRequest, target: ReplayTarget, *, without: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ledger's notes for what a route without turns leaves out or writes otherwise.

    Args:
        home: Who is asked.
        without: Hints that the route has no field for. A chat route beside it may have one, so that the planner, which
            knows the provider as a whole, does not see that they are lost.
    """
    given = {"reasoning": request.reasoning, "cache_prompt": request.cache_prompt}
    lost = tuple(f"{hint} left out: this route has no such field" for hint in without if given[hint] is not None)
    notes = (*lost_replay_notes(request.messages, target), *lost)
    if len(request.messages) == 1:
        return notes
    told = "the turns were written out as one prompt: this route takes no messages and applies no chat template"
    return (told, *notes)
