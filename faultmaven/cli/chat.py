"""`faultmaven chat`: a conversation. Each line is a question; lines that begin with a slash are commands."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from faultmaven.cli.output import console, print_answer, printable, styled
from faultmaven.cli.session import with_container
from faultmaven.domain.chat import LLMResponse, Message
from faultmaven.domain.errors import LLMError
from faultmaven.domain.names import did_you_mean

if TYPE_CHECKING:
    from faultmaven import Container

HELP = """\
/provider NAME  ask this provider only; without a name, whoever is configured
/model NAME     ask for this model; without a name, each provider's own
/system TEXT    instructions that stand above the conversation
/history        show the conversation
/reset          forget it
/exit           end, as does Ctrl-D
Ctrl-C          stop the answer that is coming; its question is not kept"""


@click.command("chat", short_help="Keep a conversation.")
@click.option("--provider", metavar="NAME", help="Begin with this provider only.")
@click.option("--system", metavar="TEXT", help="Instructions that stand above the conversation.")
def command(provider: str | None, system: str | None) -> None:
    """Keep a conversation. Answers are printed as they come; /help lists the commands.

    Ctrl-C stops an answer and not the program. A question that got no whole answer is not kept.
    """
    with_container(lambda container: _Conversation(container, provider, system).run())


class _Conversation:
    """What was said, and whom the next question goes to."""

    def __init__(self, container: "Container", provider: str | None, system: str | None) -> None:
        self._container = container
        self._provider: str | None = None
        self._model: str | None = None
        self._system = system
        self._turns: list[Message] = []
        if provider:
            self._pin(provider)

    async def run(self) -> None:
        """Read lines until there are no more."""
        warned = False
        while True:
            try:
                line = await asyncio.to_thread(_next_line)
            except KeyboardInterrupt:
                line = None if warned else ""
                warned = True
                _say("Ctrl-D, /exit or Ctrl-C again ends.")
            if line is None or line.strip() == "/exit":
                return
            if line.startswith("/"):
                self._obey(*line[1:].strip().partition(" ")[::2])
            elif line.strip():
                await self._ask(line)

    async def _ask(self, question: str) -> None:
        turns = [*self._turns, Message.user(question)]
        answering = asyncio.ensure_future(self._answer(turns))
        with _stopped_by_interrupt(answering):
            try:
                response = await answering
            except asyncio.CancelledError:
                click.echo()
                _say("Stopped; the question is not kept.")
            except LLMError as error:
                click.echo()
                console(stderr=True).print(styled(str(error)), soft_wrap=True)
            else:
                self._turns = [*turns, response.message]
                _say(f"{response.provider} ({response.model})")

    async def _answer(self, turns: list[Message]) -> LLMResponse:
        above = [Message.system(self._system)] if self._system else []
        llm = self._container.llm(provider=self._provider)
        async with llm.stream([*above, *turns], self._model) as stream:
            async for chunk in stream:
                if chunk.text:
                    show(chunk.text)
        click.echo()
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


def show(text: str) -> None:
    """Print a piece of an answer at once."""
    click.echo(printable(text) if sys.stdout.isatty() else text, nl=False, color=True)
    sys.stdout.flush()


def _say(text: str) -> None:
    console(stderr=True).print(styled(text, "dim"), soft_wrap=True)


def _next_line() -> str | None:
    """Return the next line, None at the end; a prompt is shown on a terminal only."""
    if sys.stdin.isatty():
        click.echo("> ", nl=False, err=True)
    line = sys.stdin.readline()
    return line.rstrip("\r\n") if line else None


@contextmanager
def _stopped_by_interrupt(task: "asyncio.Future[LLMResponse]") -> Iterator[None]:
    """Let Ctrl-C cancel `task` and nothing else, where the system knows signals in a loop."""
    loop = asyncio.get_running_loop()
    try:
        before = signal.getsignal(signal.SIGINT)
        loop.add_signal_handler(signal.SIGINT, task.cancel)
    except (NotImplementedError, RuntimeError, ValueError):
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
