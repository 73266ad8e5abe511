"""Send one question from the command line: python examples/ask.py "Why does my pod restart?"

Providers come from the environment and from .env in the working directory; OPENAI_API_KEY alone is enough.
"""

import asyncio
import sys

from faultmaven import LLMError, open_container


async def main(question: str) -> int:
    """Print the answer and the attempts; return the exit code."""
    try:
        async with open_container() as container:
            response = await container.llm().generate(question, deadline=60)
    except LLMError as error:
        print(error, file=sys.stderr)
        return 1
    print(response.content)
    for attempt in response.attempts:
        print(f"{attempt.provider}: {attempt.outcome} after {attempt.duration:.2f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "What does exit code 137 mean?")))
