"""`faultmaven ask`: sends one request, and prints the answer on standard output."""

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
from ..option_types import load_image, load_schema, load_tool, parse_commit, parse_reasoning
from ..output import (
    LivePrinter,
    json_option,
    open_console,
    print_answer,
    print_json,
    record_json_lines,
    style_text,
)
from ..session import run_with_container

if TYPE_CHECKING:
    from ... import Container


@click.command("ask", short_help="Send one prompt, and print the answer.")
@click.argument("prompt", required=False)
@click.option("--provider", metavar="NAME", help="Use this provider only.")
@click.option("--model", metavar="NAME", help="Request this model.")
@click.option("--system", metavar="TEXT", help="System instructions for the model.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Maximum length of the answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(min=0), help="Sampling temperature; 0 or more.")
@click.option("--role", metavar="NAME", help="Role: chat, multimodal, synthesis, classifier or code.")
@click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), help="Seconds for the whole call, fallbacks included."
)
@click.option("--image", "images", metavar="PATH|URL", multiple=True, help="An image to attach; repeatable.")
@click.option("--schema", metavar="FILE", help="A JSON schema that the answer must match.")
@click.option("--tool", "tools", metavar="FILE", multiple=True, help="A tool as JSON; calls are printed; repeatable.")
@click.option(
    "--reasoning", metavar="LEVEL", callback=parse_reasoning, help="Effort: off, low, medium, high, or tokens."
)
@click.option(
    "--stream",
    is_flag=True,
    callback=record_json_lines,
    help="Print chunks as they arrive; with --json, one object per line.",
)
@click.option("--commit", metavar="POINT", callback=parse_commit, help="Last point at which a fallback is allowed.")
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
    """Send PROMPT, and print the answer. Without PROMPT, or with "-", standard input is the prompt.

    Piped input is appended below PROMPT. Standard output contains the answer only. On a terminal, a line on standard
    error names the provider, the model and the tokens.
    """
    messages = _build_messages(_read_prompt(prompt), system, images)
    options: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
    options |= {"deadline": deadline, "reasoning": reasoning, "commit": commit}
    options |= {"response_format": load_schema(schema) if schema else None}
    options |= {"tools": [load_tool(path) for path in tools] or None}
    if not stream:
        ask = functools.partial(_ask, messages, provider=provider, role=role, options=options)
        _print_response(run_with_container(ask), as_json=as_json, shows_object=schema is not None)
        return
    ask = functools.partial(_stream, messages, provider=provider, role=role, options=options, as_json=as_json)
    response = run_with_container(ask)
    if as_json:
        print_json({"response": _as_object(response)}, indent=None)
    else:
        _print_tool_calls(response)
        _print_summary(response)


def _print_response(response: LLMResponse, *, as_json: bool, shows_object: bool) -> None:
    if as_json:
        print_json(_as_object(response))
        return
    if shows_object and response.parsed is not None:
        print_json(response.parsed)
    elif response.content:
        print_answer(response.content)
    _print_tool_calls(response)
    _print_summary(response)


def _print_tool_calls(response: LLMResponse) -> None:
    """Print the tool calls of the response; the command runs no tool."""
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
    """Print the chunks of the answer as they arrive; an interrupted answer ends with a line end before the error."""
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
    with _show_waiting():
        return await container.llm(role=role, provider=provider).generate(messages, **options)


def _read_prompt(argument: str | None) -> str:
    """Return the prompt: the argument, with piped input below, such as a log; or standard input alone."""
    if argument is None or argument == "-":
        piped = _read_stdin(from_terminal=argument == "-")
        if piped is None:
            raise click.UsageError("Give a PROMPT, or pipe one into standard input.")
        return piped
    piped = _read_stdin() if _is_input_piped() else None
    return f"{argument}\n\n{piped}" if piped and piped.strip() else argument


def _is_input_piped() -> bool:
    """Return whether standard input is a pipe or a file, rather than a terminal or a closed stream."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _read_stdin(*, from_terminal: bool = False) -> str | None:
    """Read standard input to its end; bytes that are no UTF-8 are replaced.

    Return None for a closed stream, and for a terminal unless `from_terminal` is true.
    """
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None or (stream.isatty() and not from_terminal):
        return None
    return stream.read().decode("utf-8-sig", "replace")


def _build_messages(prompt: str, system: str | None, images: tuple[str, ...]) -> list[Message]:
    return [*([Message.system(system)] if system else []), Message.user(prompt, *map(load_image, images))]


def _show_waiting() -> AbstractContextManager[Any]:
    """Show a spinner on standard error while the body runs, on a terminal only."""
    console = open_console(stderr=True)
    return console.status("waiting for an answer") if console.is_terminal else nullcontext()


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


def _print_summary(response: LLMResponse) -> None:
    if not sys.stderr.isatty():
        return
    open_console(stderr=True).print(style_text(summarize(response), "dim"), soft_wrap=True)


def summarize(response: LLMResponse) -> str:
    """Return one line: the provider, the model, the tokens, the seconds, and the providers that failed before."""
    tokens = "tokens not counted" if response.tokens_used is None else f"{response.tokens_used} tokens"
    parts = [response.provider, response.model, tokens, f"{response.response_time_ms / 1000:.2f} s"]
    summary = ", ".join(part for part in parts if part)
    if response.stop_reason is not StopReason.STOP:
        summary += f", stopped by {response.stop_reason.value}"
    failed = [f"{attempt.provider} ({attempt.outcome})" for attempt in response.attempts if not attempt.kept]
    return f"{summary}; failed before: {', '.join(failed)}" if failed else summary
