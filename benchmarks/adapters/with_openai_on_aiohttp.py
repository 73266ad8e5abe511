"""openai's SDK with the SDK's aiohttp transport."""

import openai
from with_openai import WithOpenAI


async def open_client(address: str, fallback: str | None) -> WithOpenAI:
    """Return a client of one address, or of two."""
    bases = [base for base in (address, fallback) if base]
    clients = [
        openai.AsyncOpenAI(api_key="key", base_url=base, max_retries=0, http_client=openai.DefaultAioHttpClient())
        for base in bases
    ]
    return WithOpenAI(*clients)
