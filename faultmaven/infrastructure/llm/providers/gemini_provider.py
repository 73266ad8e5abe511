"""Google's Gemini models."""

from ..dialects.gemini import dialect as gemini_generate_content
from .dialect_provider import DialectProvider


class GeminiProvider(DialectProvider):
    """Google's Gemini models, with the `generateContent` dialect."""

    dialects = (gemini_generate_content.DIALECT,)
