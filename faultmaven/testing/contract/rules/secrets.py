"""Rules about keys and prompts: neither shows where it was not meant to."""

import contextlib
import io
import logging
import traceback
from collections.abc import AsyncIterator, Iterator

from ...lab import ANSWER
from ..harness import KEY
from ..provider_under_test import Subject
from ..rule import expect, rule

PROMPT = "a-prompt-that-must-not-be-seen"
FAULTS = ("unauthorized", "bad_request", "server_error", "reset", "html", "truncated_json")


class SecretRules:
    """Logs and tracebacks are read by many."""

    @rule("Write a `__repr__` that counts characters, and give a response no other class than LLMResponse.")
    async def test_no_text_shows_in_a_repr(self, it: Subject) -> None:
        """A provider or a response that is logged by accident shows sizes, not text."""
        response = await it.ask(PROMPT)
        shown = (f"{response!r} {response}", f"{it.provider!r} {it.provider}")
        expect(response.content not in shown[0], "no answer in the response's repr", "it is there")
        expect(not any(PROMPT in text for text in shown), "no prompt in a repr", "it is there")

    @rule("Keep the key in `self.config.api_key` alone, which shows as '***'.", over="lab")
    async def test_the_key_shows_in_no_repr(self, it: Subject) -> None:
        """Neither the provider nor its response shows the key."""
        response = await it.ask()
        shown = f"{it.bench.made!r} {it.bench.made} {response!r} {response.raw!r}"
        expect(KEY not in shown, "no key in a repr", "it is there")

    @rule("Write neither headers nor the whole request into an error's text.", over="lab")
    async def test_the_key_shows_in_no_error(self, it: Subject) -> None:
        """No error, none of its causes and no traceback of it shows the key."""
        for fault, text in [pair async for pair in _told_by_errors(it)]:
            expect(KEY not in text, f"no key in the error for {fault!r}", "it is there")

    @rule("Write no prompt and no request body into an error's text.", over="lab")
    async def test_the_prompt_shows_in_no_error(self, it: Subject) -> None:
        """No error, none of its causes and no traceback of it shows the prompt."""
        for fault, text in [pair async for pair in _told_by_errors(it)]:
            expect(PROMPT not in text, f"no prompt in the error for {fault!r}", "it is there")

    @rule("Log names, sizes and times, and print nothing.", over="lab")
    async def test_logs_show_neither_key_nor_text(self, it: Subject) -> None:
        """No record of any logger, at any level, and nothing printed holds the key, the prompt or the answer."""
        with _everything_logged() as records, _everything_printed() as printed:
            await it.ask(PROMPT)
            await it.read(PROMPT)
            async for _ in _told_by_errors(it):
                pass
        for secret, name in ((KEY, "key"), (PROMPT, "prompt"), (ANSWER, "answer")):
            loggers = sorted({logger for logger, text in records if secret in text})
            expect(not loggers, f"no {name} in a log record", f"{', '.join(loggers)} has it")
            streams = [stream for stream, text in printed.items() if secret in text]
            expect(not streams, f"no {name} is printed", f"it is, to {' and '.join(streams)}")


async def _told_by_errors(it: Subject) -> AsyncIterator[tuple[str, str]]:
    """Give for each fault of `FAULTS` everything that its error tells."""
    for fault in FAULTS:
        it.bench.lab.always(it.bench.name, fault)
        _, error = await it.answer_or_error(PROMPT)
        it.bench.lab.always(it.bench.name, "ok")
        if error is not None:
            yield fault, f"{error!r} {error} {''.join(traceback.format_exception(error))}"


class _Keeper(logging.Handler):
    """Keeps each record's logger and text."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.records: list[tuple[str, str]] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.records.append((record.name, f"{self.format(record)} {record.__dict__}"))


@contextlib.contextmanager
def _everything_logged() -> Iterator[list[tuple[str, str]]]:
    """Give a list that every record goes into, whatever its level."""
    root, keeper = logging.getLogger(), _Keeper()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        yield keeper.records
    finally:
        root.setLevel(level)
        root.removeHandler(keeper)


@contextlib.contextmanager
def _everything_printed() -> Iterator[dict[str, str]]:
    """Give what is written to `sys.stdout` and `sys.stderr`, known at the end; it goes nowhere else."""
    texts: dict[str, str] = {}
    written = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(kept, "utf-8", "backslashreplace", write_through=True) for kept in written)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield texts
    texts["stdout"], texts["stderr"] = (kept.getvalue().decode("utf-8", "replace") for kept in written)
