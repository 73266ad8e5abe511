"""`faultmaven demo`: failover between four vendors, with no API key and no network.

A container with four providers of four dialects sends real HTTP requests to a fault lab on the loopback interface. The
command scripts faults in the lab, and prints the events of the library.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from ...domain.errors import LLMError
from ...domain.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CacheAnswered,
    CallAnswered,
    CallFailed,
    CallShared,
    ConfigurationReloaded,
    Event,
    FellBack,
    HedgeStarted,
    InputTruncated,
    ProviderSkipped,
    ReloadRefused,
    RetryRefused,
    RetryScheduled,
)
from ..output import json_option, open_console, print_json, style_text
from ..session import quiet_logging

if TYPE_CHECKING:
    from rich.console import Console

    from ... import LLMProvider
    from ...testing import FaultLab

PROVIDERS = ("openai", "anthropic", "gemini", "ollama")
PROMPT = "Why does my pod restart?"
SETTINGS = {
    "CHAT_PROVIDER": PROVIDERS[0],
    "LLM_FALLBACK_CHAIN": ",".join(PROVIDERS),
    "LLM_DEADLINE": "20",
    "LLM_MAX_RETRIES": "0",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One call of the demo.

    Attributes:
        faults: The fault of the next reply, by provider; providers without a fault answer.
    """

    title: str
    faults: dict[str, str]


SCENES = (
    Scene("All vendors are available", {}),
    Scene("The primary is overloaded", {"openai": "overloaded"}),
    Scene(
        "A wrong API key, then a truncated reply",
        {"openai": "unauthorized", "anthropic": "truncated_json"},
    ),
    Scene(
        "Every vendor fails",
        {"openai": "overloaded", "anthropic": "rate_limited", "gemini": "quota", "ollama": "reset"},
    ),
)


@click.command("demo", short_help="Show failover between simulated vendors, without a key or a network.")
@json_option
def command(as_json: bool) -> None:
    """Show failover without a key or a network: simulated vendors fail, and other vendors answer the prompt.

    With --json, each event of the library is one line.
    """
    with quiet_logging():
        asyncio.run(_play(_JsonStage() if as_json else _TextStage(open_console())))


async def _play(stage: "_JsonStage | _TextStage") -> None:
    # Imported here: the lab imports httpx, and --help needs neither.
    from ... import open_container
    from ...testing import FaultLab

    lab = FaultLab()
    started = time.monotonic()
    async with lab.serve() as address:
        env = {**lab.env(*PROVIDERS, address=address), **SETTINGS}
        async with open_container(env, observer=stage.observe) as container:
            llm = container.llm()
            for scene in SCENES:
                await _play_scene(scene, lab, llm, stage)
    stage.close(address, len(lab.requests), time.monotonic() - started)


async def _play_scene(scene: Scene, lab: "FaultLab", llm: "LLMProvider", stage: "_JsonStage | _TextStage") -> None:
    for provider, fault in scene.faults.items():
        lab.script(provider, fault)
    stage.open(scene)
    try:
        response = await llm.generate(PROMPT)
    except LLMError as error:
        stage.fail(error)
    else:
        stage.answer(response.content)


class _JsonStage:
    """Prints each event as one line of JSON, with the number of the scene."""

    def __init__(self) -> None:
        self._scene = 0

    def open(self, scene: Scene) -> None:
        self._scene += 1

    def observe(self, event: Event, /) -> None:
        print_json({"scene": self._scene, "event": type(event).__name__, **asdict(event)}, indent=None)

    def answer(self, content: str) -> None:
        """Print nothing: the events have all the data."""

    def fail(self, error: LLMError) -> None:
        """Print nothing: the events have all the data."""

    def close(self, address: str, requests: int, seconds: float) -> None:
        """Print nothing: the events have all the data."""


class _TextStage:
    """Prints each event as a line of text at once, with the seconds since the start of the scene."""

    def __init__(self, console: "Console", monotonic: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._monotonic = monotonic
        self._scene = 0
        self._scene_start = 0.0

    def open(self, scene: Scene) -> None:
        self._scene += 1
        self._scene_start = self._monotonic()
        faults = ", ".join(f"{provider}: {fault}" for provider, fault in scene.faults.items())
        self._print(f"{self._scene}. {scene.title}", "bold")
        self._print(f"   simulated faults: {faults or 'none'}; prompt: {PROMPT}", "dim")

    def observe(self, event: Event, /) -> None:
        text, style = describe_event(event)
        self._print(f"   {self._monotonic() - self._scene_start:6.3f} s  {text}", style)

    def answer(self, content: str) -> None:
        self._print(f"   answer: {content}\n", "green")

    def fail(self, error: LLMError) -> None:
        text = str(error).replace("\n", "\n   ")
        self._print(f"   {type(error).__name__}: {text}\n", "red")

    def close(self, address: str, requests: int, seconds: float) -> None:
        self._print(
            f"{self._scene} calls, {requests} HTTP requests to the fault lab at {address}, {seconds:.2f} s, "
            "without a key or a network.",
            "dim",
        )

    def _print(self, text: str, style: str) -> None:
        self._console.print(style_text(text, style), soft_wrap=True)


def describe_event(event: Event) -> tuple[str, str]:
    """Return an event as a line of text, and the style of the line."""
    match event:
        case AttemptStarted():
            model = f" ({event.model})" if event.model else ""
            return f"trying {event.provider}{model} for at most {event.timeout:.3g} s", ""
        case AttemptEnded():
            return _describe_attempt(event)
        case FellBack():
            return f"falling back from {event.provider} to {event.successor} ({event.reason})", "yellow"
        case CallAnswered():
            total = event.usage.total if event.usage else None
            tokens = "tokens not counted" if total is None else f"{total} tokens"
            count = len(event.attempts)
            attempts = f"{count} attempt{'s' if count > 1 else ''}"
            return f"the call is answered by {event.provider}: {attempts}, {tokens}, {event.duration:.3f} s", "green"
        case InputTruncated():
            return f"{event.provider} truncated the prompt: {event.reported} of about {event.expected} tokens", "yellow"
        case CallFailed():
            return (
                f"the call failed ({event.reason}) after {len(event.attempts)} attempts, {event.duration:.3f} s",
                "red",
            )
        case RetryScheduled():
            return f"retrying {event.provider} in {event.delay:.3g} s ({event.reason})", "yellow"
        case RetryRefused():
            return f"no retry of {event.provider}: {event.reason}", "yellow"
        case ProviderSkipped():
            return f"{event.provider} is skipped: {event.reason}", "yellow"
        case HedgeStarted():
            return f"{event.provider} is slow; hedging with {event.successor}", "yellow"
        case BreakerChanged():
            duration = f" for {event.seconds:.3g} s" if event.phase == "open" else ""
            return f"the circuit breaker of {event.provider} is {event.phase}{duration}", "yellow"
        case CallShared():
            return "the call waits for an identical call in flight", ""
        case CacheAnswered():
            return f"the call is answered by the cache: {event.provider}", "green"
        case ConfigurationReloaded():
            return f"the configuration is reloaded: {', '.join(event.providers)}", ""
        case ReloadRefused():
            return f"the reload is refused: {event.reason}", "red"


def _describe_attempt(event: AttemptEnded) -> tuple[str, str]:
    attempt = event.attempt
    status = f"HTTP {attempt.status}, " if attempt.status is not None else ""
    if attempt.outcome == "answered":
        return f"{attempt.provider} answered ({status}{attempt.duration:.3f} s)", "green"
    return f"{attempt.provider} failed: {attempt.error or attempt.outcome} ({status}{attempt.duration:.3f} s)", "yellow"
