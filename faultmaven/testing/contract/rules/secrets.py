"""Rules about API keys, prompts and responses: logs, reprs and errors do not contain them."""

import contextlib
import io
import logging
import traceback
from collections.abc import AsyncIterator, Iterator

from ...lab import ANSWER
from ..harness import API_KEY
from ..provider_under_test import ProviderUnderTest
from ..rule import expect, rule

PROMPT = "a-prompt-that-must-not-be-seen"
FAULTS_THAT_MAY_LEAK = ("unauthorized", "bad_request", "server_error", "reset", "html", "truncated_json")


class SecretRules:
    """Keys and texts do not leak into reprs, errors, logs or output."""

    @rule("Write a `__repr__` without prompt and answer, and return an LLMResponse, not a subclass.")
    async def test_no_text_shows_in_a_repr(self, subject: ProviderUnderTest) -> None:
        """The reprs of a provider and a response contain neither the prompt nor the answer."""
        response = await subject.generate(PROMPT)
        texts = (f"{response!r} {response}", f"{subject.provider!r} {subject.provider}")
        expect(response.content not in texts[0], "no answer in the response's repr", "the repr contains the answer")
        expect(not any(PROMPT in text for text in texts), "no prompt in a repr", "a repr contains the prompt")

    @rule("Keep the key in `self.config.api_key` only; the repr of this string is '***'.", applies_to="lab")
    async def test_the_key_shows_in_no_repr(self, subject: ProviderUnderTest) -> None:
        """The reprs of a provider and a response do not contain the key."""
        response = await subject.generate()
        text = f"{subject.harness.instance!r} {subject.harness.instance} {response!r} {response.raw!r}"
        expect(API_KEY not in text, "no key in a repr", "a repr contains the key")

    @rule("Write neither headers nor the whole request into an error's text.", applies_to="lab")
    async def test_the_key_shows_in_no_error(self, subject: ProviderUnderTest) -> None:
        """An error, its causes and its traceback do not contain the key."""
        for fault, text in [pair async for pair in _error_texts(subject)]:
            expect(API_KEY not in text, f"no key in the error for {fault!r}", "the error contains the key")

    @rule("Write no prompt and no request body into an error's text.", applies_to="lab")
    async def test_the_prompt_shows_in_no_error(self, subject: ProviderUnderTest) -> None:
        """An error, its causes and its traceback do not contain the prompt."""
        for fault, text in [pair async for pair in _error_texts(subject)]:
            expect(PROMPT not in text, f"no prompt in the error for {fault!r}", "the error contains the prompt")

    @rule("Log names, sizes and times only, and do not print.", applies_to="lab")
    async def test_logs_show_neither_key_nor_text(self, subject: ProviderUnderTest) -> None:
        """Log records of every level and printed output contain neither the key nor the prompt nor the answer."""
        with _record_logs() as records, _record_output() as printed:
            await subject.generate(PROMPT)
            await subject.read_stream(PROMPT)
            async for _ in _error_texts(subject):
                pass
        for secret, name in ((API_KEY, "key"), (PROMPT, "prompt"), (ANSWER, "answer")):
            loggers = sorted({logger for logger, text in records if secret in text})
            expect(not loggers, f"no {name} in a log record", f"a record of {', '.join(loggers)}")
            streams = [stream for stream, text in printed.items() if secret in text]
            expect(not streams, f"no {name} in the output", f"the {name} in {' and '.join(streams)}")


async def _error_texts(subject: ProviderUnderTest) -> AsyncIterator[tuple[str, str]]:
    """Yield each fault of `FAULTS_THAT_MAY_LEAK` with the repr, message and traceback of its error."""
    for fault in FAULTS_THAT_MAY_LEAK:
        subject.harness.lab.always(subject.harness.name, fault)
        _, error = await subject.generate_or_error(PROMPT)
        subject.harness.lab.always(subject.harness.name, "ok")
        if error is not None:
            yield fault, f"{error!r} {error} {''.join(traceback.format_exception(error))}"


class _RecordingHandler(logging.Handler):
    """Records the logger and the text of each log record."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.records: list[tuple[str, str]] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Record `record`, formatted and with all attributes."""
        self.records.append((record.name, f"{self.format(record)} {record.__dict__}"))


@contextlib.contextmanager
def _record_logs() -> Iterator[list[tuple[str, str]]]:
    """Yield a list that collects the log records of every level, as pairs of logger and text."""
    root, handler = logging.getLogger(), _RecordingHandler()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.records
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@contextlib.contextmanager
def _record_output() -> Iterator[dict[str, str]]:
    """Yield a mapping that holds the text written to `sys.stdout` and `sys.stderr` after the block has ended."""
    texts: dict[str, str] = {}
    buffers = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(buffer, "utf-8", "backslashreplace", write_through=True) for buffer in buffers)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield texts
    texts["stdout"], texts["stderr"] = (buffer.getvalue().decode("utf-8", "replace") for buffer in buffers)
