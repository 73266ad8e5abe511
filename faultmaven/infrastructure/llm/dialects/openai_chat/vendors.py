"""Differences between the vendors of OpenAI Chat, as data. Source: openai-chat.md section 9, 2026-11-23."""

import functools
import re
from dataclasses import dataclass
from typing import Literal

from ..shared.conversation import PLAIN_ID

NINE_CHARACTER_ID = re.compile(r"[A-Za-z0-9]{9}")
"""Format of tool call ids at Mistral."""
ALL_CHOICES = frozenset({"none", "required", "named"})
NOT_NAMED = frozenset({"none", "required"})
TGI_ROUTE = "hf-inference"
"""Part of a Hugging Face URL, or suffix of a model name, for requests that TGI serves (huggingface.md 1, 2)."""

DIALECT = "openai-chat"


@dataclass(frozen=True, slots=True)
class ChatVendor:
    """The variant of one vendor. The defaults fit most compatible servers.

    Attributes:
        limit_parameter: Name of the parameter for the output limit.
        seed_parameter: Name of the parameter for the seed, "" where the vendor has none.
        auth: "bearer" or "api-key", the header for the API key. Without a key, neither header is sent.
        facts: Family of `models.MODEL_FACTS` for the vendor's models.
        schema: Form of a schema: OpenAI's form, the same with strict mode, an instruction beside the JSON mode, or the
            forms of llama.cpp and TGI, in which the JSON mode holds the schema.
        has_json_mode: Whether the vendor supports `json_object`. Otherwise a schema for any object is sent.
        stream_usage: Whether the vendor supports `stream_options`. Other vendors send the usage without this option.
        returned: Fields of an assistant message that must be sent back with the message (9.2, resending history).
        lacks: Features of the dialect that the vendor does not support.
        choices: Values of `tool_choice` that the vendor obeys: "none", "required", and "named" for a tool's name.
        schema_with_tools: Whether a request may have both a schema and tools.
        call_id: Pattern of the tool call ids that the vendor accepts.
        call_id_length: Length in characters of a new tool call id.
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
    """Return the vendor of a dialect such as "openai-chat/groq", for this base URL and model."""
    name = dialect.partition("/")[2] if dialect.startswith(DIALECT) else ""
    is_served_by_tgi = TGI_ROUTE in base_url or model.endswith(f":{TGI_ROUTE}")
    return VENDORS["tgi" if name == "huggingface" and is_served_by_tgi else name]


@functools.lru_cache(maxsize=512)
def vendor_named(dialect: str) -> ChatVendor:
    """Return the vendor of a dialect, or the defaults where the vendor is not known."""
    return VENDORS.get(dialect.partition("/")[2], VENDORS[""])
