"""Opening a container: arguments are validated and override the parts of their names."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Unpack

from dependency_injector import providers as entries

from .application.emitting import report
from .container import Container
from .domain.hidden import HiddenMapping
from .infrastructure.optional.optional_dependencies import require_watchfiles
from .parts import Parts, check_mapping, check_parts
from .ports.llm import LLMProvider


def create_container(
    env: Mapping[str, str] | None = None,
    *,
    providers: Mapping[str, LLMProvider] | None = None,
    **parts: Unpack[Parts],
) -> Container:
    """Return an opened container; close it with `await container.aclose()`.

    Args:
        env: Variables in place of the process's environment and of every `.env` file. None reads those.
        providers: Provider objects by name. Without `env`, the container has exactly these providers and reads no
            environment. With `env`, they replace or add rows of that name.
        parts: Parts by name; see `Parts`. `configure_logging=True` applies `LOG_LEVEL` and `LOG_FORMAT`.

    Raises:
        ConfigurationError: lists every fault of the configuration; also for an unknown part or one of a wrong type.
    """
    env = _hidden(env)
    check_mapping("providers", providers)
    check_parts(parts)
    container = Container()
    _override(container, "env", env)
    if providers is not None:
        _override(container, "given", dict(providers))
        _override(container, "only_given", env is None)
    if "settings" in parts:
        _override(container, "given_settings", parts["settings"])
    for name, part in parts.items():
        if name not in ("settings", "configure_logging"):
            _override(container, name, part)
    if parts.get("configure_logging"):
        container.apply_logging()
    container.router_parts()  # builds every part that may be wrongly configured, so that the error is raised here
    return container


@asynccontextmanager
async def open_container(
    env: Mapping[str, str] | None = None,
    *,
    providers: Mapping[str, LLMProvider] | None = None,
    **parts: Unpack[Parts],
) -> AsyncIterator[Container]:
    """Open a container for the body and close it afterwards; arguments and errors as for `create_container`."""
    env = _hidden(env)
    container = create_container(env, providers=providers, **parts)
    try:
        async with _watching(container):
            yield container
    finally:
        await container.aclose()


@asynccontextmanager
async def _watching(container: Container) -> AsyncIterator[None]:
    """Watch the files while the body runs, if `LLM_WATCH_FILES` is on."""
    if not container.settings().watch_files:
        yield
        return
    require_watchfiles()
    task = asyncio.ensure_future(container.watch())
    task.add_done_callback(_report)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _report(task: asyncio.Future[None]) -> None:
    """Report the exception that ended the watching, since no caller awaits the task."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        report(error, "faultmaven: the file watcher stopped")


def _override(container: Container, name: str, value: Any) -> None:
    container.providers[name].override(entries.Object(value))


def _hidden(env: Mapping[str, str] | None) -> HiddenMapping | None:
    """Return a view of `env` whose values no traceback shows."""
    check_mapping("env", env)
    return None if env is None else HiddenMapping(env)
