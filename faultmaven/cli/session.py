"""A container for the length of one command, on the environment that the command was started in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .. import Container

Result = TypeVar("Result")


def with_container(work: Callable[["Container"], Awaitable[Result]]) -> Result:
    """Return the result of `work`, done with a container that is opened before and closed after."""

    from .. import open_container  # here, so that `--help` of a command starts without the container

    async def session() -> Result:
        async with open_container(configure_logging=_log_level_is_set()) as container:
            return await work(container)

    with logging_set_aside():
        return asyncio.run(session())


@contextmanager
def logging_set_aside() -> Iterator[None]:
    """Keep the library's records from Python's last-resort handler, so that no answer is buried; undone after.

    `configure_logging` adds its own handler, so whoever sets LOG_LEVEL sees the records all the same.
    """
    logger = logging.getLogger("faultmaven")
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    logger.addHandler(logging.NullHandler())
    try:
        yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


def _log_level_is_set() -> bool:
    """Return whether any source sets LOG_LEVEL: then the user wants the log, otherwise only the answer."""
    from .. import Container

    load = Container().sources()
    return bool(load().environment.get("LOG_LEVEL"))
