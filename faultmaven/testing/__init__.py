"""A test kit for hosts of faultmaven and for its own tests.

The kit contains fakes, a fault lab, a fake and a virtual clock, assertions, sample requests, a network guard, and a
contract for providers.

```python
async with open_container(providers={"openai": FakeProvider("It ran out of memory.")}) as container:
    response = await container.llm().generate("Why does my pod restart?")
```
"""

from typing import TYPE_CHECKING

from .assertions import assert_answered_by, assert_asked, assert_outcomes, ledger_of
from .fake_clock import FakeClock
from .fake_script import Delayed, Step
from .fake_stream import FakeStream
from .fakes import FakeProvider
from .lab import Fault, FaultLab, LabRequest
from .network_guard import NetworkDeniedError, NetworkGuard
from .sample_requests import SAMPLE_REQUESTS, SampleRequest
from .virtual_time import VirtualClock, VirtualDeadlockError, run_in_virtual_time

if TYPE_CHECKING:
    from .contract import LLMProviderContract
else:

    def __getattr__(name):
        """Import the contract on first access: the contract needs pytest, the rest of the kit does not."""
        if name != "LLMProviderContract":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .contract import LLMProviderContract

        return LLMProviderContract


__all__ = [
    "SAMPLE_REQUESTS",
    "Delayed",
    "FakeClock",
    "FakeProvider",
    "FakeStream",
    "Fault",
    "FaultLab",
    "LLMProviderContract",
    "LabRequest",
    "NetworkDeniedError",
    "NetworkGuard",
    "SampleRequest",
    "Step",
    "VirtualClock",
    "VirtualDeadlockError",
    "assert_answered_by",
    "assert_asked",
    "assert_outcomes",
    "ledger_of",
    "run_in_virtual_time",
]
