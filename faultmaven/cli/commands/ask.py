"""`faultmaven ask`: one question, one answer on standard output."""

import functools
import os
import stat
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ...domain.messages import Message
from ...domain.responses import LLMResponse, StopReason, StreamChunk
from .. import option_types as given
from ..output import LivePrinter, console, json_option, note_lines, print_answer, print_json, styled
from ..session import with_container

if TYPE_CHECKING:
    from ... import Container


@click.command("ask", short_help="Ask one question.")
@click.argument("prompt", required=False)
@click.option("--provider", metavar="NAME", help="Ask this provider only.")
@click.option("--model", metavar="NAME", help="Ask for this model.")
@click.option("--system", metavar="TEXT", help="Instructions that stand above the prompt.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Upper limit of the answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(min=0), help="How freely the model chooses its words.")
@click.option("--role", metavar="NAME", help="chat, multimodal, synthesis, classifier or code: whose chain is asked.")
@click.option("--deadline", type=click.FloatRange(min=0, min_open=True), help="Seconds for all of it.")
@click.option("--image", "images", metavar="PATH|URL", multiple=True, help="An image for the question; repeatable.")
@click.option("--schema", metavar="FILE", help="A JSON schema that the answer must be of.")
@click.option("--tool", "tools", metavar="FILE", multiple=True, help="A tool as JSON: its calls are shown; repeatable.")
@click.option("--reasoning", metavar="LEVEL", callback=given.reasoning, help="off, low, medium, high, or tokens.")
@click.option(
    "--stream", is_flag=True, callback=note_lines, help="Print the answer as it comes; JSON an object a line."
)
@click.option("--commit", metavar="POINT", callback=given.commit, help="Until when another provider may take over.")
@json_option
def command(
    prompt: str | None,
    provider: str | None,
    model: str | None,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    role: str | None,
    deadline: float | None,
    images: tuple[str, ...],
    schema: str | None,
    tools: tuple[str, ...],
    reasoning: str | int | None,
    stream: bool,
    commit: str | int | None,
    as_json: bool,
) -> None:
    """Ask PROMPT; without it, or with "-", what comes from standard input. What is piped in stands below PROMPT.

    Standard output holds the answer and nothing else. On a terminal, a line on standard error says who gave it.
    """
    messages = _messages(_prompt(prompt), system, images)
    options: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
    options |= {"deadline": deadline, "reasoning": reasoning, "commit": commit}
    options |= {"response_format": given.schema(schema) if schema else None}
    options |= {"tools": [given.tool(path) for path in tools] or None}
    if not stream:
        ask = functools.partial(_ask, messages, provider=provider, role=role, options=options)
        _print_response(with_container(ask), as_json=as_json, shows_object=schema is not None)
        return
    ask = functools.partial(_stream, messages, provider=provider, role=role, options=options, as_json=as_json)
    response = with_container(ask)
    if as_json:
        print_json({"response": _as_object(response)}, indent=None)
    else:
        _print_calls(response)
        _tell_who_answered(response)


def _print_response(response: LLMResponse, *, as_json: bool, shows_object: bool) -> None:
    if as_json:
        print_json(_as_object(response))
        return
    if shows_object and response.parsed is not None:
        print_json(response.parsed)
    elif response.content:
        print_answer(response.content)
    _print_calls(response)
    _tell_who_answered(response)


def _print_calls(response: LLMResponse) -> None:
    """Print the tool calls that the model asks for; nothing here carries them out."""
    for call in response.tool_calls:
        problem = f"  ({call.problem})" if call.problem else ""
        print_answer(f"{call.name}({call.raw_arguments or '{}'}){problem}")


async def _stream(
    messages: list[Message],
    container: "Container",
    *,
    provider: str | None,
    role: str | None,
    options: dict[str, Any],
    as_json: bool,
) -> LLMResponse:
    """Print the answer as it comes; one that breaks off ends its line before the error is told."""
    llm = container.llm(role=role, provider=provider)
    with LivePrinter() as printer:
        async with llm.stream(messages, **options) as stream:
            async for chunk in stream:
                if as_json:
                    print_json(_chunk_object(chunk), indent=None)
                else:
                    printer.show(chunk)
    return stream.response


def _chunk_object(chunk: StreamChunk) -> dict[str, Any]:
    return {name: value for name, value in asdict(chunk).items() if value is not None}


async def _ask(
    messages: list[Message],
    container: "Container",
    *,
    provider: str | None,
    role: str | None,
    options: dict[str, Any],
) -> LLMResponse:
    with _waiting():
        return await container.llm(role=role, provider=provider).generate(messages, **options)


def _prompt(given: str | None) -> str:
    """Return the prompt as given, with what is piped in below it, such as a log that the question is about."""
    if given is None or given == "-":
        piped = _piped(from_terminal=given == "-")
        if piped is None:
            raise click.UsageError("Give a PROMPT, or pipe one into standard input.")
        return piped
    piped = _piped() if _is_fed() else None
    return f"{given}\n\n{piped}" if piped and piped.strip() else given


def _is_fed() -> bool:
    """Return whether standard input is a pipe or a file; a terminal or a closed stream has nothing to add."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _piped(*, from_terminal: bool = False) -> str | None:
    """Return what standard input holds, None when there is nobody to ask; bytes that are no UTF-8 are replaced."""
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None or (stream.isatty() and not from_terminal):
        return None
    return stream.read().decode("utf-8-sig", "replace")


def _messages(prompt: str, system: str | None, images: tuple[str, ...]) -> list[Message]:
    return [*([Message.system(system)] if system else []), Message.user(prompt, *map(given.image, images))]


def _waiting() -> AbstractContextManager[Any]:
    """Return a sign of life on a terminal, and nothing elsewhere."""
    screen = console(stderr=True)
    return screen.status("waiting for an answer") if screen.is_terminal else nullcontext()


def _as_object(response: LLMResponse) -> dict[str, Any]:
    return {
        "content": response.content,
        "provider": response.provider,
        "model": response.model,
        "tokens_used": response.tokens_used,
        "response_time_ms": response.response_time_ms,
        "stop_reason": response.stop_reason.value,
        "usage": asdict(response.usage) if response.usage else None,
        "reasoning": response.reasoning,
        "tool_calls": [asdict(call) for call in response.tool_calls],
        "parsed": response.parsed,
        "attempts": [asdict(attempt) for attempt in response.attempts],
    }


def _tell_who_answered(response: LLMResponse) -> None:
    if not sys.stderr.isatty():
        return
    console(stderr=True).print(styled(summary(response), "dim"), soft_wrap=True)


def summary(response: LLMResponse) -> str:
    """Return one line: who answered, with which model, for how many tokens, in what time, and who failed before."""
    tokens = "tokens not counted" if response.tokens_used is None else f"{response.tokens_used} tokens"
    parts = [response.provider, response.model, tokens, f"{response.response_time_ms / 1000:.2f} s"]
    line = ", ".join(part for part in parts if part)
    if response.stop_reason is not StopReason.STOP:
        line += f", stopped by {response.stop_reason.value}"
    failed = [f"{line.provider} ({line.outcome})" for line in response.attempts if not line.kept]
    return f"{line}; before it: {', '.join(failed)}" if failed else line
