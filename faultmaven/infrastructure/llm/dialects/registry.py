"""Registry of the dialects: their modules, features and model families by name."""

import functools

from . import llamacpp as llamacpp_completion
from . import ollama as ollama_native
from . import tgi as tgi_generate
from .anthropic import dialect as anthropic_messages
from .cohere import dialect as cohere_v2_chat
from .gemini import dialect as gemini_generate_content
from .openai_chat import dialect as openai_chat
from .openai_chat.vendors import VENDORS
from .openai_responses import dialect as openai_responses
from .protocol import Dialect

DIALECT_MODULES: dict[str, Dialect] = {
    openai_chat.DIALECT: openai_chat,
    openai_responses.DIALECT: openai_responses,
    anthropic_messages.DIALECT: anthropic_messages,
    gemini_generate_content.DIALECT: gemini_generate_content,
    cohere_v2_chat.DIALECT: cohere_v2_chat,
    ollama_native.DIALECT: ollama_native,
    llamacpp_completion.DIALECT: llamacpp_completion,
    tgi_generate.DIALECT: tgi_generate,
}
"""The module of each dialect, by the name of the dialect."""

DIALECTS: tuple[str, ...] = (*DIALECT_MODULES, *(f"{openai_chat.DIALECT}/{name}" for name in VENDORS if name))
"""All names that a provider row may use, with those of the OpenAI Chat vendors, such as "openai-chat/groq"."""


@functools.lru_cache(maxsize=512)
def dialect_for(name: str) -> Dialect:
    """Return the module of a dialect, such as "openai-chat/groq"."""
    return DIALECT_MODULES[name.partition("/")[0]]


def features_of(dialect: str) -> frozenset[str]:
    """Return the features of a dialect, without those that the vendor in its name does not support."""
    name, _, vendor = dialect.partition("/")
    features = DIALECT_MODULES[name].FEATURES
    return features - VENDORS[vendor].lacks if name == openai_chat.DIALECT else features


_FAMILIES = {
    openai_responses.DIALECT: "openai",
    anthropic_messages.DIALECT: "anthropic",
    gemini_generate_content.DIALECT: "gemini",
    cohere_v2_chat.DIALECT: "cohere",
}


def model_family(dialect: str) -> str:
    """Return the family of `models.MODEL_FACTS` for the models of a dialect, "" when there is none."""
    name, _, vendor = dialect.partition("/")
    return VENDORS[vendor].facts if name == openai_chat.DIALECT else _FAMILIES.get(name, "")
