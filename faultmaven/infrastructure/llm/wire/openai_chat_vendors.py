"""How vendors differ from OpenAI's own form of OpenAI Chat, as data (openai-chat.md section 9, read on 2026-11-23)."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ChatVendor:
    """One vendor's form. The defaults are what most compatible servers take.

    Attributes:
        limit_parameter: How the output limit is called.
        seed_parameter: How the seed is called, "" where there is none.
        auth: "bearer" or the "api-key" header; a key that is not set sends neither.
        facts: The family of `models.MODEL_FACTS` whose facts hold here.
    """

    limit_parameter: str = "max_tokens"
    seed_parameter: str = "seed"
    auth: Literal["bearer", "api-key"] = "bearer"
    facts: str = "chat"


VENDORS: dict[str, ChatVendor] = {
    "": ChatVendor(),
    "openai": ChatVendor("max_completion_tokens", facts="openai"),
    "azure": ChatVendor("max_completion_tokens", auth="api-key", facts="openai"),
    "fireworks": ChatVendor(),
    "groq": ChatVendor("max_completion_tokens"),
    "openrouter": ChatVendor(),
    "together": ChatVendor(),
    "mistral": ChatVendor(seed_parameter="random_seed"),
    "deepseek": ChatVendor(),
    "xai": ChatVendor("max_completion_tokens"),
    "cerebras": ChatVendor("max_completion_tokens"),
    "deepinfra": ChatVendor(),
    "nvidia": ChatVendor(),
    "huggingface": ChatVendor(),
    "vllm": ChatVendor("max_completion_tokens"),
    "tgi": ChatVendor(),
    "llamacpp": ChatVendor(),
    "lmstudio": ChatVendor(),
    "ollama": ChatVendor(),
}
