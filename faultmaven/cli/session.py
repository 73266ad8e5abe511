"""A container that is open for one command, over the environment of the process."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .. import Container

Result = TypeVar("Result")


def run_with_container(work: Callable[["Container"], Awaitable[Result]]) -> Result:
    """Open a container, run `work` with it, close the container, and return the result of `work`."""

    from .. import open_container  # here, so that `--help` of a command starts without the container

    async def session() -> Result:
        async with open_container(configure_logging=_is_log_level_set()) as container:
            return await work(container)

    with quiet_logging():
        return asyncio.run(session())


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Keep log records of the library off the terminal, and restore the logger after the body.

    Without this, Python's last-resort handler would print warnings between the lines of an answer. With LOG_LEVEL set,
    `configure_logging` adds a handler of its own, which prints the records.
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


def _is_log_level_set() -> bool:
    """Return whether any configuration source sets LOG_LEVEL; only then the command prints log records."""
    from .. import Container

    load = Container().sources()
    return bool(load().environment.get("LOG_LEVEL"))
