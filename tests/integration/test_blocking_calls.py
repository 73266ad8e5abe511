"""`generate_sync`: blocking calls with and without a running event loop, under Ctrl-C and after a fork."""

import asyncio
import contextvars
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator, Mapping

import pytest

from faultmaven import InvalidRequestError, RateLimitError, create_container, open_container
from faultmaven.application.blocking import _BackgroundLoop
from faultmaven.domain.requests import ChatRequest
from faultmaven.testing import FakeProvider, run_in_virtual_time
from faultmaven.testing.lab.loopback import listen


def test_generate_sync_answers_without_event_loop() -> None:
    fake = FakeProvider("pong")
    response = fake.generate_sync("ping", max_tokens=7, seed=3)
    assert response.content == "pong"
    assert (fake.requests[0].max_tokens, fake.requests[0].seed) == (7, 3)


async def test_generate_sync_answers_inside_event_loop() -> None:
    container = create_container(providers={"fake": FakeProvider("pong")})
    assert container.llm().generate_sync("ping").content == "pong"
    await container.aclose()


def test_generate_sync_raises_original_errors() -> None:
    with pytest.raises(RateLimitError) as caught:
        FakeProvider(RateLimitError("slow down", retry_after=7)).generate_sync("ping")
    assert caught.value.retry_after == 7
    with pytest.raises(InvalidRequestError, match="blank"):
        FakeProvider("pong").generate_sync("  ")


def test_many_threads_share_one_background_loop() -> None:
    threads: set[str] = set()

    def answer(request: ChatRequest) -> str:
        threads.add(threading.current_thread().name)
        return request.messages[-1].text.upper()

    fake, answers = FakeProvider(answer), {}

    def generate(number: int) -> None:
        answers[number] = fake.generate_sync(f"question {number}").content

    callers = [threading.Thread(target=generate, args=(number,)) for number in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert answers == {number: f"QUESTION {number}" for number in range(20)}
    assert threads == {"faultmaven generate_sync"}


def test_nested_generate_sync_is_refused() -> None:
    inner = FakeProvider("pong")
    outer = FakeProvider(lambda request: inner.generate_sync("ping"))
    with pytest.raises(RuntimeError, match="await generate"):
        outer.generate_sync("ping")


def test_generate_sync_runs_in_callers_context() -> None:
    incident = contextvars.ContextVar("incident", default="none")
    incident.set("INC-7")
    assert FakeProvider(lambda request: incident.get()).generate_sync("ping").content == "INC-7"


REPLY = b'{"choices": [{"message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}]}'


async def test_generate_sync_reuses_the_connection() -> None:
    connections = requests = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, requests
        connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            await reader.readexactly(int(length[1]) if length else 0)
            requests += 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
            writer.write(b"content-length: %d\r\n\r\n%s" % (len(REPLY), REPLY))

    async with listen(handle) as port:
        container = create_container({"GROQ_API_KEY": "k", "GROQ_API_BASE": f"http://127.0.0.1:{port}/v1"})
        for _ in range(3):
            response = await asyncio.to_thread(container.llm().generate_sync, "ping")
            assert response.content == "pong"
        await container.aclose()
    assert (requests, connections) == (3, 1)


def test_container_closes_without_background_loop() -> None:
    """Virtual time does not see other threads, so that a wait for the background thread would be a deadlock."""
    FakeProvider("pong").generate_sync("ping")

    async def generate() -> str:
        async with open_container(providers={"fake": FakeProvider("pong")}) as container:
            return (await container.llm().generate("ping")).content

    assert run_in_virtual_time(generate()) == "pong"


@pytest.fixture
def background() -> Iterator[_BackgroundLoop]:
    loop = _BackgroundLoop()
    yield loop
    loop.end()


def test_interrupted_blocking_call_is_cancelled(background: _BackgroundLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def hang() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    class InterruptedFuture:
        """A future whose `result` raises `KeyboardInterrupt`, as on Ctrl-C."""

        def __init__(self, future: "asyncio.Future[None]") -> None:
            self._future = future

        def result(self) -> None:
            assert started.wait(10)
            raise KeyboardInterrupt

        def __getattr__(self, name: str) -> object:
            return getattr(self._future, name)

    submit = asyncio.run_coroutine_threadsafe
    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", lambda *arguments: InterruptedFuture(submit(*arguments)))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        background.run(hang())
    assert cancelled.wait(10)


def test_background_loop_end_cancels_running_tasks(background: _BackgroundLoop) -> None:
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def start() -> "tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]":
        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        return asyncio.get_running_loop(), task

    loop, task = background.run(start())
    background.end()
    assert (ended, task.cancelled(), loop.is_closed()) == (["cancelled"], True, True)
    next_loop, _ = background.run(start())
    assert next_loop is not loop


def _generate_in_child(answers: "multiprocessing.Queue[str]") -> None:
    answers.put(FakeProvider("from the child").generate_sync("ping").content)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_forked_process_starts_own_background_loop() -> None:
    FakeProvider("pong").generate_sync("ping")
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[str] = context.Queue()
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork in a process with threads, which this test needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = context.Process(target=_generate_in_child, args=(answers,))
        child.start()
    assert answers.get(timeout=20) == "from the child"
    child.join(20)
    assert child.exitcode == 0


@pytest.mark.parametrize("has_loop", [False, True])
def test_ctrl_c_interrupts_call_to_silent_vendor(process_env: Mapping[str, str], has_loop: bool) -> None:
    """Under `asyncio.run`, Ctrl-C only cancels the main task, and that task is blocked in `generate_sync`."""
    script = textwrap.dedent(f"""
        import asyncio, threading
        from faultmaven import create_container
        from faultmaven.testing import FaultLab

        lab, ready, state = FaultLab(), threading.Event(), {{}}
        lab.always("groq", "silent")
        respond = lab.respond
        lab.respond = lambda *request: (print("asked", flush=True), respond(*request))[1]

        async def serve():
            async with lab.serve() as state["address"]:
                ready.set()
                await asyncio.sleep(3600)

        threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
        ready.wait(10)
        llm = create_container(lab.env("groq", address=state["address"])).llm()

        async def main():
            llm.generate_sync("ping", deadline=3000)

        asyncio.run(main()) if {has_loop} else llm.generate_sync("ping", deadline=3000)
    """)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, env=dict(process_env), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"asked\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=40)
    assert b"KeyboardInterrupt" in errors
    assert process.returncode in (-signal.SIGINT, 130)


def test_script_with_generate_sync_exits_cleanly(process_env: Mapping[str, str]) -> None:
    """Warnings are errors here, so that an unclosed socket would be reported on standard error."""
    script = textwrap.dedent("""
        import asyncio, threading
        from faultmaven import create_container
        from faultmaven.testing import FaultLab

        lab, ready, state = FaultLab(), threading.Event(), {}

        async def serve():
            async with lab.serve() as state["address"]:
                ready.set()
                await asyncio.sleep(3600)

        threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
        ready.wait(10)
        container = create_container(lab.env("groq", address=state["address"]))
        print(container.llm().generate_sync("ping").provider)
    """)
    command = [sys.executable, "-W", "error", "-c", script]
    completed = subprocess.run(command, env=dict(process_env), capture_output=True, text=True, timeout=50, check=False)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "groq\n", "")
