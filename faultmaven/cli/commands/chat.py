"""`faultmaven chat`: a conversation. Each line is a prompt, or a command if it begins with a slash."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...domain.errors import LLMError
from ...domain.messages import Message
from ...domain.names import did_you_mean
from ...domain.responses import LLMResponse
from ..output import LivePrinter, open_console, print_answer, style_text
from ..session import run_with_container
from ..stdin_lines import StdinLines, call_on_interrupt

if TYPE_CHECKING:
    from ... import Container

Result = TypeVar("Result")

HELP = """\
/provider NAME  use this provider only; without a name, the configured chain
/model NAME     request this model; without a name, the default model of each provider
/system TEXT    set the system instructions; without a text, remove them
/history        show the conversation
/reset          clear the conversation
/exit           end the conversation, as Ctrl-D does
Ctrl-C          stop the current answer and remove the question. At the prompt, twice: end the conversation"""


@click.command("chat", short_help="Hold a conversation.")
@click.option("--provider", metavar="NAME", help="Start with this provider only.")
@click.option("--system", metavar="TEXT", help="System instructions of the conversation.")
def command(provider: str | None, system: str | None) -> None:
    """Hold a conversation. Answers are printed as they arrive; /help lists the commands.

    Ctrl-C stops the current answer and not the program. A question without a complete answer is removed from the
    conversation. At the prompt, a second Ctrl-C ends the conversation, as Ctrl-D does.
    """
    run_with_container(lambda container: _Conversation(container, provider, system).run())


class _InterruptedError(Exception):
    """Ctrl-C cancelled the running task."""


class _Conversation:
    """The messages of a conversation, and the provider, the model and the system message of the next request."""

    def __init__(self, container: "Container", provider: str | None, system: str | None) -> None:
        """Check `provider` before the first line is read.

        Raises:
            ConfigurationError: `provider` is unknown or not configured.
        """
        container.llm(provider=provider)
        self._container = container
        self._provider = provider
        self._model: str | None = None
        self._system = system
        self._messages: list[Message] = []
        self._stdin = StdinLines()
        self._running_task: asyncio.Task[Any] | None = None

    async def run(self) -> None:
        """Handle lines until /exit, the end of input, or a second Ctrl-C in a row at the prompt."""
        was_interrupted = False
        with call_on_interrupt(self._interrupt):
            while True:
                try:
                    line = await self._run_interruptibly(self._read_line())
                except _InterruptedError:
                    if was_interrupted:
                        return
                    was_interrupted = True
                    _print_note("\nTo end the conversation, press Ctrl-C again, press Ctrl-D or type /exit.")
                    continue
                if line is None or line.strip() == "/exit":
                    return
                was_interrupted = False
                await self._handle_line(line)

    async def _read_line(self) -> str | None:
        """Return the next line, None at the end of input; print a prompt on a terminal only."""
        if sys.stdin is not None and sys.stdin.isatty():
            click.echo("> ", nl=False, err=True)
        return await self._stdin.next_line()

    def _interrupt(self) -> None:
        if self._running_task is not None:
            self._running_task.cancel()

    async def _run_interruptibly(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run `work` in a task of its own, which Ctrl-C cancels, and return its result.

        Raises:
            _InterruptedError: Ctrl-C cancelled the task.
        """
        task = asyncio.ensure_future(work)
        self._running_task = task
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():  # the whole conversation is cancelled
                raise
            raise _InterruptedError from None
        finally:
            self._running_task = None

    async def _handle_line(self, line: str) -> None:
        if line.startswith("/"):
            self._run_command(*line[1:].strip().partition(" ")[::2])
        elif line.strip():
            await self._send_prompt(line)

    async def _send_prompt(self, prompt: str) -> None:
        """Stream an answer to `prompt`, and add both to the conversation unless the answer fails."""
        messages = [*self._messages, Message.user(prompt)]
        try:
            response = await self._run_interruptibly(self._stream_answer(messages))
        except _InterruptedError:
            _print_note("Stopped; the question is removed from the conversation.")
        except LLMError as error:
            open_console(stderr=True).print(style_text(str(error)), soft_wrap=True)
        else:
            self._messages = [*messages, response.message]
            _print_note(f"{response.provider} ({response.model})")

    async def _stream_answer(self, messages: list[Message]) -> LLMResponse:
        system = [Message.system(self._system)] if self._system else []
        llm = self._container.llm(provider=self._provider)
        with LivePrinter() as printer:
            async with llm.stream([*system, *messages], self._model) as stream:
                async for chunk in stream:
                    printer.show(chunk)
        return stream.response

    def _run_command(self, name: str, argument: str) -> None:
        match name:
            case "provider":
                self._select_provider(argument.strip())
            case "model":
                self._model = argument.strip() or None
            case "system":
                self._system = argument.strip() or None
            case "reset":
                self._messages = []
            case "history":
                for message in self._messages:
                    print_answer(f"{message.role}: {message.text}")
            case "help":
                _print_note(HELP)
            case _:
                known = ("provider", "model", "system", "reset", "history", "exit", "help")
                _print_note(f"unknown command /{name}{did_you_mean(name, known)}")

    def _select_provider(self, name: str) -> None:
        """Send the next requests to the provider `name` only; with "" to the configured chain."""
        known = self._container.registry().get_available_providers()
        if name and name not in known:
            _print_note(f"{name!r} is not configured{did_you_mean(name, known)}")
            return
        self._provider = name or None


def _print_note(text: str) -> None:
    open_console(stderr=True).print(style_text(text, "dim"), soft_wrap=True)
