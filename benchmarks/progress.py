"""Progress messages with the seconds since the start."""

import time

_STARTED = time.monotonic()


def print_progress(text: str) -> None:
    """Print a progress message."""
    print(f"{time.monotonic() - _STARTED:5.0f} s  {text}", flush=True)
