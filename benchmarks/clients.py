"""The measured clients, each with the adapter, the installed requirements and the measured features."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAULTMAVEN, AIOHTTP, HTTPX = "faultmaven", "aiohttp", "httpx"
CEILING = "raw socket"


@dataclass(frozen=True, slots=True)
class Client:
    """One row of the tables.

    Attributes:
        adapter: Module in `adapters/`.
        environment: Name of the environment that it runs in; clients may share one.
        requirements: Requirements for pip. The lower bounds are the major versions that PERFORMANCE.md measured.
        imported: The import statement that is timed; None if another row has the same import.
        streams: Whether streams are measured.
        fails_over: Whether calls with a failing primary are measured.
    """

    name: str
    adapter: str
    environment: str
    requirements: tuple[str, ...]
    imported: str | None = None
    streams: bool = True
    fails_over: bool = True


_LITELLM = ("litellm>=1.106,<2",)
_PYDANTIC_AI = ("pydantic-ai-slim[openai]>=2.68,<3",)

CLIENTS = (
    Client(CEILING, "with_raw_socket", "raw-socket", ("uvloop>=0.21; sys_platform != 'win32'",), None, True, False),
    Client(AIOHTTP, "with_aiohttp", "aiohttp", ("aiohttp>=3.14,<4",), "import aiohttp"),
    Client(HTTPX, "with_httpx", "httpx", ("httpx>=0.28.1,<0.29",), "import httpx"),
    Client(FAULTMAVEN, "with_faultmaven", "faultmaven", (str(ROOT),), "import faultmaven"),
    Client("openai", "with_openai", "openai", ("openai>=3.54,<4",), "import openai"),
    Client("openai on aiohttp", "with_openai_on_aiohttp", "openai-aiohttp", ("openai[aiohttp]>=3.54,<4",)),
    Client("litellm", "with_litellm", "litellm", _LITELLM, "import litellm", fails_over=False),
    Client("litellm.Router", "with_litellm_router", "litellm", _LITELLM),
    Client(
        "pydantic-ai direct", "with_pydantic_ai_direct", "pydantic-ai", _PYDANTIC_AI, "import pydantic_ai", True, False
    ),
    Client("pydantic-ai agent", "with_pydantic_ai_agent", "pydantic-ai", _PYDANTIC_AI),
    Client("langchain-openai", "with_langchain", "langchain", ("langchain-openai>=1.7,<2",), "import langchain_openai"),
    Client("any-llm", "with_any_llm", "any-llm", ("any-llm-sdk[openai]>=1.40,<2",), "import any_llm"),
)
SHORT = tuple(client for client in CLIENTS if client.name in (CEILING, AIOHTTP, HTTPX, FAULTMAVEN))
"""The clients without the peers, for the check of the benchmarks."""
