"""The benchmarks themselves are sound: processes answer, wrong answers are told, the soak reads what it says."""

import dataclasses
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))  # last, so that `faultmaven` stays the installed one
from benchmarks import clients, environments, measuring, processes, works

ROOT = clients.ROOT
SMALL = dataclasses.replace(works.CHECK, calls=3, most_at_once=5)


@pytest.fixture
def upstream() -> Iterator[processes.Upstream]:
    with processes.running_upstream() as running:
        yield running


@pytest.fixture
def raw_socket() -> Iterator[processes.Worker]:
    worker = processes.Worker(Path(sys.executable), "with_raw_socket")
    yield worker
    worker.end()


def test_every_work_is_done_by_us_and_told(upstream: processes.Upstream) -> None:
    figures = measuring.Figures()
    able = [client for client in clients.CLIENTS if client.name in (clients.CEILING, clients.OURS)]
    pythons: dict[str, Path | str] = {client.environment: Path(sys.executable) for client in able}
    measuring.measure(able, pythons, upstream, SMALL, figures)
    assert figures.errors == {}
    assert {work for work, client in figures.told if client == clients.OURS} == {work.name for work in works.WORKS}
    for work in (works.FAILING_500, works.FAILING_429):
        assert figures.value(work, clients.OURS, "primary_asked") == 1.0


def test_an_answer_that_was_not_sent_is_an_error(upstream: processes.Upstream, raw_socket: processes.Worker) -> None:
    for work in (works.ONE, works.BURST):
        order = work.order(upstream, SMALL)
        assert "error" not in raw_socket.told(order)
        told = raw_socket.told({**order, "answer": "something else"})
        assert told["error"].startswith("WrongAnswerError: got ")


def test_a_client_that_ends_is_an_error_with_its_last_words_and_starts_again() -> None:
    worker = processes.Worker(Path(sys.executable), "with_nothing")
    for _ in range(2):
        assert worker.told({})["error"] == "ModuleNotFoundError: No module named 'with_nothing'"


def test_a_client_that_hangs_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch, upstream: processes.Upstream, raw_socket: processes.Worker
) -> None:
    monkeypatch.setattr(processes, "ANSWERS_WITHIN_SECONDS", 0.5)
    told = raw_socket.told({**works.ONE.order(upstream, SMALL), "seconds": 60})
    assert told == {"error": "no answer within 0.5 s"}


def test_a_measured_process_sees_nobodys_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "somebody-elses-key")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert not {"OPENAI_API_KEY", "HTTPS_PROXY"} & processes.environment().keys()


def test_what_cannot_be_installed_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def created_without_pip(folder: Path, **_: object) -> None:
        create(folder, clear=True)

    create = venv.create
    monkeypatch.setattr(venv, "create", created_without_pip)
    monkeypatch.setattr(environments, "KEPT", tmp_path)
    peer = clients.Client("peer", "with_peer", "peer", ("a-peer",))
    for _ in range(2):  # nothing half made is taken for an environment the next time
        found = environments.interpreters([peer])
        assert isinstance(found["peer"], str)
        assert "No module named pip" in found["peer"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it counts sockets in Linux's /proc")
def test_a_short_steady_soak_reads_memory_and_sockets_and_holds(process_env: dict[str, str]) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "soak.py"), "--steady", "--calls", "200", "--at-once", "5"]
    done = subprocess.run(command, env=process_env, capture_output=True, text=True, timeout=55, check=False)
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.endswith("sockets") and " calls " in line]) == 10
    assert [line[:4] for line in lines if line.startswith(("ok  ", "FAIL"))] == ["ok  "] * 5, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_upstream_runs_without_a_core_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert processes.cores() == (None, None)
