"""The machine's clock."""

import asyncio
import time


class SystemClock:
    """`Clock` over the machine's monotonic time and the running event loop."""

    monotonic = staticmethod(time.monotonic)
    """Seconds since an arbitrary moment."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """Return a context that raises `TimeoutError` after `seconds`; None never does."""
        return asyncio.timeout(seconds)
