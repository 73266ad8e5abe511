"""The lab in its own thread, for code that blocks its event loop or has none."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .fault_lab import FaultLab


@contextmanager
def served_in_a_thread(lab: FaultLab) -> Iterator[str]:
    """Serve `lab` on the loopback interface from a separate thread and event loop; yield the address.

    A provider that blocks its event loop thus does not block the simulated vendor.
    """
    ready = threading.Event()
    state: dict[str, Any] = {}

    async def serve() -> None:
        async with lab.serve() as address:
            state.update(address=address, loop=asyncio.get_running_loop(), stop=asyncio.Event())
            ready.set()
            await state["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="faultmaven lab")
    thread.start()
    try:
        assert ready.wait(30), "the lab did not start"
        yield state["address"]
    finally:
        if "loop" in state:
            state["loop"].call_soon_threadsafe(state["stop"].set)
        thread.join()
