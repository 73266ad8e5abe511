"""Call from synchronous code: a script, and a notebook, where an event loop is already running.

Run it with `python examples/notebook.py`, or cell by cell in an editor that knows `# %%`. Providers come from the
environment and from .env in the working directory.
"""

# %% Once: without `async with`, the container is closed by hand, see the last cell.
import asyncio

from faultmaven import create_container

container = create_container()
llm = container.llm()

# %% A line of a script.
response = llm.generate_sync("What does exit code 137 mean?", deadline=60)
print(f"{response.provider}: {response.content}")


# %% The same where a loop is running, as it is in every cell of a notebook. The loop stands still meanwhile.
def cell() -> str:
    """Call without `await`."""
    return llm.generate_sync("How can I verify that?", deadline=60).content


async def kernel() -> None:
    """Run a cell inside of the event loop, as the kernel of a notebook does."""
    print(f"in a running loop: {cell()}")


asyncio.run(kernel())

# %% At the end; in a notebook it is `await container.aclose()`.
asyncio.run(container.aclose())
