"""Emission of events to observers: an observer that raises never costs an answer."""

import asyncio
import sys

from ..domain.events import Event
from ..ports.observer import Observer


def emit(observer: Observer, event: Event) -> None:
    """Pass `event` to `observer`. An exception of the observer is reported, see `report`."""
    try:
        observer(event)
    except Exception as error:  # noqa: BLE001 - an observer is the host's code; its exception is reported
        report(error, f"faultmaven: the observer raised on {type(event).__name__}")


def report(error: BaseException, message: str) -> None:
    """Report an exception of the host's own code that no caller waits for.

    The running event loop's exception handler gets the exception, or `sys.excepthook` where no loop runs.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        sys.excepthook(type(error), error, error.__traceback__)
    else:
        loop.call_exception_handler({"message": message, "exception": error})
