"""What is going on, with the seconds since the start."""

import time

_STARTED = time.monotonic()


def tell(text: str) -> None:
    """Print a line."""
    print(f"{time.monotonic() - _STARTED:5.0f} s  {text}", flush=True)
