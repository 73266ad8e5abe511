"""Telling the observer, so that one that raises costs nobody an answer."""

import asyncio
import sys

from ..domain.events import Event
from ..ports.observer import Observer


def tell(observer: Observer, event: Event) -> None:
    """Tell `observer`. What it raises is reported by the running event loop, or by Python where none runs."""
    try:
        observer(event)
    except Exception as error:  # noqa: BLE001 - an observer is the host's code; what it raises is reported
        report(error, f"faultmaven: the observer raised on {type(event).__name__}")


def report(error: BaseException, message: str) -> None:
    """Report what a host's own code raised where nobody waits for it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        sys.excepthook(type(error), error, error.__traceback__)
    else:
        loop.call_exception_handler({"message": message, "exception": error})
