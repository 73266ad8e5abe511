"""OpenAI, and every vendor and server that speaks its Chat Completions."""

from ....application.planning.requirements import needs
from ....domain.requests import ChatRequest
from ..dialects.openai_chat import dialect as openai_chat
from ..dialects.openai_responses import dialect as openai_responses
from ..dialects.protocol import Dialect
from ..dialects.registry import dialect_for
from ..models import model_facts
from .dialect_provider import DialectProvider


class OpenAIProvider(DialectProvider):
    """Chat Completions, or Responses where the row or the model demands it."""

    dialects = (openai_chat.DIALECT, openai_responses.DIALECT)

    def wire(self, request: ChatRequest | None = None) -> Dialect:
        """Return the row's wire; for a chat row, Responses when the model demands it for what `request` needs."""
        chosen = dialect_for(self.config.dialect or openai_chat.DIALECT)
        if request is None or chosen is not dialect_for(openai_chat.DIALECT):
            return chosen
        facts = model_facts(openai_chat.vendor_of(self.config).facts, self.get_effective_model(request.model))
        if not facts.responses_for:
            return chosen
        demands = facts.responses_for.intersection(("text", *needs(request)))
        return dialect_for(openai_responses.DIALECT) if demands else chosen
