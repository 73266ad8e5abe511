"""OpenAI, and other vendors and servers with the OpenAI Chat dialect."""

from ....application.planning.requirements import required_features
from ....domain.requests import ChatRequest
from ..dialects.openai_chat import dialect as openai_chat
from ..dialects.openai_responses import dialect as openai_responses
from ..dialects.protocol import Dialect
from ..dialects.registry import dialect_for
from ..models import model_facts
from .dialect_provider import DialectProvider


class OpenAIProvider(DialectProvider):
    """Chat Completions, or Responses where the row names it or the model requires it."""

    dialects = (openai_chat.DIALECT, openai_responses.DIALECT)

    def select_dialect(self, request: ChatRequest | None = None) -> Dialect:
        """Return the dialect of the row, or Responses when the model requires it for the features of `request`."""
        row_dialect = dialect_for(self.config.dialect or openai_chat.DIALECT)
        if request is None or row_dialect is not dialect_for(openai_chat.DIALECT):
            return row_dialect
        facts = model_facts(openai_chat.vendor_of(self.config).facts, self.get_effective_model(request.model))
        if not facts.responses_for:
            return row_dialect
        needs_responses = facts.responses_for.intersection(("text", *required_features(request)))
        return dialect_for(openai_responses.DIALECT) if needs_responses else row_dialect
