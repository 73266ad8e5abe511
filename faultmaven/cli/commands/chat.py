"""`faultmaven chat`: a conversation. Each line is a question; lines that begin with a slash are commands."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...domain.errors import LLMError
from ...domain.messages import Message
from ...domain.names import did_you_mean
from ...domain.responses import LLMResponse
from ..output import LivePrinter, console, print_answer, styled
from ..session import with_container
from ..stdin_lines import Lines, interrupts_call

if TYPE_CHECKING:
    from ... import Container

Result = TypeVar("Result")

HELP = """\
/provider NAME  ask this provider only; without a name, whoever is configured
/model NAME     ask for this model; without a name, each provider's own
/system TEXT    instructions that stand above the conversation
/history        show the conversation
/reset          forget it
/exit           end, as does Ctrl-D
Ctrl-C          stop the answer that is coming; its question is not kept. At the prompt, twice: end"""


@click.command("chat", short_help="Keep a conversation.")
@click.option("--provider", metavar="NAME", help="Begin with this provider only.")
@click.option("--system", metavar="TEXT", help="Instructions that stand above the conversation.")
def command(provider: str | None, system: str | None) -> None:
    """Keep a conversation. Answers are printed as they come; /help lists the commands.

    Ctrl-C stops an answer and not the program. A question that got no whole answer is not kept. At the prompt, a second
    Ctrl-C ends it, as Ctrl-D does.
    """
    with_container(lambda container: _Conversation(container, provider, system).run())


class _InterruptedError(Exception):
    """Ctrl-C came while something was waited for."""


class _Conversation:
    """What was said, and whom the next question goes to."""

    def __init__(self, container: "Container", provider: str | None, system: str | None) -> None:
        """Raises ConfigurationError: `provider` is unknown or not configured; nobody else is asked in its place."""
        container.llm(provider=provider)
        self._container = container
        self._provider = provider
        self._model: str | None = None
        self._system = system
        self._turns: list[Message] = []
        self._lines = Lines()
        self._under_way: asyncio.Task[Any] | None = None

    async def run(self) -> None:
        """Take lines until there are no more, or Ctrl-C came twice at the prompt."""
        hinted = False
        with interrupts_call(self._interrupt):
            while True:
                try:
                    line = await self._unless_interrupted(self._next_line())
                except _InterruptedError:
                    if hinted:
                        return
                    hinted = True
                    _say("\nCtrl-C again, Ctrl-D or /exit ends.")
                    continue
                if line is None or line.strip() == "/exit":
                    return
                hinted = False
                await self._take(line)

    async def _next_line(self) -> str | None:
        """Return the next line; a prompt is shown on a terminal only."""
        if sys.stdin is not None and sys.stdin.isatty():
            click.echo("> ", nl=False, err=True)
        return await self._lines.next()

    def _interrupt(self) -> None:
        if self._under_way is not None:
            self._under_way.cancel()

    async def _unless_interrupted(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` returns, in a task of its own, which Ctrl-C ends and nothing else.

        Raises:
            _InterruptedError: Ctrl-C came before it was done.
        """
        task = asyncio.ensure_future(work)
        self._under_way = task
        try:
            return await task
        except asyncio.CancelledError:
            ours = asyncio.current_task()
            if ours is not None and ours.cancelling():
                raise
            raise _InterruptedError from None
        finally:
            self._under_way = None

    async def _take(self, line: str) -> None:
        if line.startswith("/"):
            self._obey(*line[1:].strip().partition(" ")[::2])
        elif line.strip():
            await self._ask(line)

    async def _ask(self, question: str) -> None:
        turns = [*self._turns, Message.user(question)]
        try:
            response = await self._unless_interrupted(self._answer(turns))
        except _InterruptedError:
            _say("Stopped; the question is not kept.")
        except LLMError as error:
            console(stderr=True).print(styled(str(error)), soft_wrap=True)
        else:
            self._turns = [*turns, response.message]
            _say(f"{response.provider} ({response.model})")

    async def _answer(self, turns: list[Message]) -> LLMResponse:
        above = [Message.system(self._system)] if self._system else []
        llm = self._container.llm(provider=self._provider)
        with LivePrinter() as printer:
            async with llm.stream([*above, *turns], self._model) as stream:
                async for chunk in stream:
                    printer.show(chunk)
        return stream.response

    def _obey(self, name: str, rest: str) -> None:
        match name:
            case "provider":
                self._pin(rest.strip())
            case "model":
                self._model = rest.strip() or None
            case "system":
                self._system = rest.strip() or None
            case "reset":
                self._turns = []
            case "history":
                for turn in self._turns:
                    print_answer(f"{turn.role}: {turn.text}")
            case "help":
                _say(HELP)
            case _:
                known = ("provider", "model", "system", "reset", "history", "exit", "help")
                _say(f"unknown command /{name}{did_you_mean(name, known)}")

    def _pin(self, name: str) -> None:
        known = self._container.registry().get_available_providers()
        if name and name not in known:
            _say(f"{name!r} is not configured{did_you_mean(name, known)}")
            return
        self._provider = name or None


def _say(text: str) -> None:
    console(stderr=True).print(styled(text, "dim"), soft_wrap=True)
