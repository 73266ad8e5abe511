"""Send a file of prompts: python examples/batch.py prompts.txt answers.jsonl

A line of the input is a prompt, whose id is the line's number, or a JSON object with `id` and `prompt`. Each line of
the output is a JSON object with the `id`, and either `answer` or `error`. Ctrl-C keeps the finished answers, and
`--resume` continues from there. The script also needs batch_files.py and batch_progress.py in the same folder.

Exit codes: 0 all prompts answered, 1 wrong configuration, 2 wrong command line or input, 3 some prompts failed,
130 interrupted.
"""

import argparse
import asyncio
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from batch_files import FileError, Line, Output, Prompt, ids_in, open_answers, read_prompts
from batch_progress import LineCallback, Tally, progress
from faultmaven import ConfigurationError, InvalidRequestError, LLMError, LLMProvider, open_container


async def answer_prompt(llm: LLMProvider, prompt: Prompt, deadline: float) -> Line:
    """Send one prompt and return the line of the output, for a failed prompt, too."""
    try:
        response = await llm.generate(prompt.text, deadline=deadline)
    except LLMError as error:
        return {"id": prompt.id, "error": type(error).__name__, "message": str(error)}
    return {
        "id": prompt.id,
        "answer": response.content,
        "stop_reason": response.stop_reason.value,
        "provider": response.provider,
        "model": response.model,
        "tokens": response.tokens_used,
        "seconds": round(sum(attempt.waited + attempt.duration for attempt in response.attempts), 3),
    }


async def answer_all(
    llm: LLMProvider, prompts: Iterable[Prompt], at_once: int, deadline: float, take: LineCallback
) -> None:
    """Send all prompts, `at_once` at a time; call `take` with each line of the output as soon as it is complete."""
    remaining = iter(prompts)

    async def work() -> None:
        for prompt in remaining:  # shared by all workers, so that each prompt is sent once
            take(await answer_prompt(llm, prompt, deadline))

    async with asyncio.TaskGroup() as workers:
        for _ in range(at_once):
            workers.create_task(work())


async def run_with_container(options: argparse.Namespace, prompts: Sequence[Prompt], take: LineCallback) -> None:
    """Send all prompts to the providers that the environment configures."""
    async with open_container() as container:
        llm = container.llm(role=options.role)
        if not llm.is_available():
            raise ConfigurationError("no provider is configured: `faultmaven providers` says what each of them needs")
        await answer_all(llm, prompts, options.at_once, options.deadline, take)


def run(options: argparse.Namespace) -> int:
    """Run the batch; return the exit code."""
    prompts = read_prompts(options.prompts)
    done = ids_in(options.answers)
    if done and not options.resume:
        raise FileError(f"{options.answers} has answers: add --resume to go on with it, or name another file")
    pending = [prompt for prompt in prompts if prompt.id not in done]
    tally = Tally()
    with open_answers(options.answers) as file, progress(len(pending)) as report:
        output = Output(file, deque(prompt.id for prompt in pending if options.in_order))

        def take(line: Line) -> None:
            output.add(line)
            tally.add(line)
            report(line)

        try:
            asyncio.run(run_with_container(options, pending, take))
        finally:
            output.write_held()
    print(tally, file=sys.stderr)
    return 3 if tally.errors else 0


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; a mistake there ends the program with exit code 2."""
    parser = argparse.ArgumentParser(description="Ask about every prompt of a file.")
    parser.add_argument("prompts", type=Path, help='a prompt a line, or JSON lines {"id": ..., "prompt": ...}')
    parser.add_argument("answers", type=Path, help="JSON lines, written as the answers come")
    parser.add_argument("--resume", action="store_true", help="skip the ids that are in ANSWERS, and add the others")
    parser.add_argument("--in-order", action="store_true", help="write in the order of the prompts")
    parser.add_argument("--at-once", type=int, default=8, metavar="N", help="so many prompts at a time (default: 8)")
    parser.add_argument("--deadline", type=float, default=120, metavar="SECONDS", help="for one prompt (default: 120)")
    parser.add_argument("--role", default="chat", help="whose provider comes first (default: chat)")
    options = parser.parse_args(arguments)
    if options.at_once < 1:
        parser.error("--at-once must be at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = read_options(arguments)
    try:
        return run(options)
    except (FileError, InvalidRequestError) as error:
        print(error, file=sys.stderr)
        return 2
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; what is done is in {options.answers}, and --resume goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
