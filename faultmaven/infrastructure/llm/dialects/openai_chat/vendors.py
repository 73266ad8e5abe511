"""How vendors differ from OpenAI's own form of OpenAI Chat, as data (openai-chat.md section 9, read on 2026-11-23)."""

import functools
import re
from dataclasses import dataclass
from typing import Literal

from ..shared.conversation import PLAIN_ID

NINE_CHARACTER_ID = re.compile(r"[A-Za-z0-9]{9}")
"""Mistral's form of a tool call's id."""
ALL_CHOICES = frozenset({"none", "required", "named"})
NOT_NAMED = frozenset({"none", "required"})
TGI_ROUTE = "hf-inference"
"""The route of Hugging Face, and the provider as a model's suffix, behind which TGI stands (huggingface.md 1, 2)."""

DIALECT = "openai-chat"


@dataclass(frozen=True, slots=True)
class ChatVendor:
    """One vendor's form. The defaults are what most compatible servers take.

    Attributes:
        limit_parameter: How the output limit is called.
        seed_parameter: How the seed is called, "" where there is none.
        auth: "bearer" or the "api-key" header; a key that is not set sends neither.
        facts: The family of `models.MODEL_FACTS` whose facts hold here.
        schema: How a schema is asked for: OpenAI's form, the same with its strict mode, an instruction beside the JSON
            mode, or the forms of llama.cpp and TGI, which hold it in the JSON mode.
        has_json_mode: It takes `json_object`; elsewhere the schema of any object stands in for it.
        stream_usage: It takes `stream_options`; others send usage by themselves.
        returned: Fields of an assistant message that it wants back with it (9.2, resending history).
        lacks: What of the dialect it does not have.
        choices: What of a `tool_choice` it obeys: "none", "required", and "named" for a tool's name.
        schema_with_tools: It takes a schema and tools in one request.
        call_id, call_id_length: What it takes as a tool call's id, and how long one of ours is.
    """

    limit_parameter: str = "max_tokens"
    seed_parameter: str = "seed"
    auth: Literal["bearer", "api-key"] = "bearer"
    facts: str = "chat"
    schema: Literal["json_schema", "strict", "instruction", "llamacpp", "tgi"] = "json_schema"
    has_json_mode: bool = True
    stream_usage: bool = True
    returned: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset({"files"})
    choices: frozenset[str] = ALL_CHOICES
    schema_with_tools: bool = True
    call_id: re.Pattern[str] = PLAIN_ID
    call_id_length: int = 20


VENDORS: dict[str, ChatVendor] = {
    "": ChatVendor(),
    "openai": ChatVendor("max_completion_tokens", facts="openai", schema="strict", lacks=frozenset()),
    "azure": ChatVendor("max_completion_tokens", auth="api-key", facts="openai", schema="strict", lacks=frozenset()),
    "fireworks": ChatVendor(),
    "groq": ChatVendor("max_completion_tokens"),
    "openrouter": ChatVendor(returned=frozenset({"reasoning_details"})),
    "together": ChatVendor(),
    "mistral": ChatVendor(
        seed_parameter="random_seed", stream_usage=False, call_id=NINE_CHARACTER_ID, call_id_length=9
    ),
    "deepseek": ChatVendor(schema="instruction", returned=frozenset({"reasoning_content"})),
    "xai": ChatVendor("max_completion_tokens"),
    "cerebras": ChatVendor("max_completion_tokens"),
    "deepinfra": ChatVendor(),
    "nvidia": ChatVendor(),
    "huggingface": ChatVendor(),
    "vllm": ChatVendor("max_completion_tokens"),
    "tgi": ChatVendor(schema="tgi", schema_with_tools=False),
    "llamacpp": ChatVendor(schema="llamacpp", choices=NOT_NAMED),
    "lmstudio": ChatVendor(has_json_mode=False, choices=NOT_NAMED),
    "ollama": ChatVendor(lacks=frozenset({"files", "image addresses"}), choices=frozenset()),
}


@functools.lru_cache(maxsize=512)
def find_vendor(dialect: str, base_url: str, model: str) -> ChatVendor:
    """Return the form of the vendor that a dialect names, such as "openai-chat/groq", at this address and model."""
    name = dialect.partition("/")[2] if dialect.startswith(DIALECT) else ""
    behind = TGI_ROUTE in base_url or model.endswith(f":{TGI_ROUTE}")
    return VENDORS["tgi" if name == "huggingface" and behind else name]


@functools.lru_cache(maxsize=512)
def vendor_named(dialect: str) -> ChatVendor:
    """Return the form that an exchange's dialect names; the usual one where that is not known."""
    return VENDORS.get(dialect.partition("/")[2], VENDORS[""])
