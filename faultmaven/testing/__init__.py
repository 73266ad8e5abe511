"""The kit for tests of whoever embeds faultmaven, and for our own: a fault lab, fakes, and a contract for providers.

```python
async with open_container(providers={"openai": FakeProvider("It ran out of memory.")}) as container:
    response = await container.llm().generate("Why does my pod restart?")
```
"""

from typing import TYPE_CHECKING

from faultmaven.testing.fake_clock import FakeClock
from faultmaven.testing.fake_stream import FakeStream
from faultmaven.testing.fakes import FakeProvider
from faultmaven.testing.lab import Fault, FaultLab, LabRequest
from faultmaven.testing.virtual_time import VirtualClock, VirtualDeadlockError, run_in_virtual_time

if TYPE_CHECKING:
    from faultmaven.testing.contract import LLMProviderContract
else:

    def __getattr__(name):
        """Import the contract when it is asked for: it needs pytest, which the rest of the kit does without."""
        if name != "LLMProviderContract":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from faultmaven.testing.contract import LLMProviderContract

        return LLMProviderContract


__all__ = [
    "FakeClock",
    "FakeProvider",
    "FakeStream",
    "Fault",
    "FaultLab",
    "LLMProviderContract",
    "LabRequest",
    "VirtualClock",
    "VirtualDeadlockError",
    "run_in_virtual_time",
]
