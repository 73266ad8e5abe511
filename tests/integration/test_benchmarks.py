"""The benchmark harness: processes answer, errors are reported, and the soak measures memory and sockets."""

import dataclasses
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))  # last, so that the installed `faultmaven` is imported
from benchmarks import clients, environments, measuring, processes, workloads

ROOT = clients.ROOT
SMALL = dataclasses.replace(workloads.CHECK, calls=3, most_at_once=5)


@pytest.fixture
def upstream() -> Iterator[processes.Upstream]:
    with processes.running_upstream() as running:
        yield running


@pytest.fixture
def raw_socket() -> Iterator[processes.Worker]:
    worker = processes.Worker(Path(sys.executable), "with_raw_socket")
    yield worker
    worker.end()


def test_package_client_completes_every_workload(upstream: processes.Upstream) -> None:
    figures = measuring.Figures()
    measured = [client for client in clients.CLIENTS if client.name in (clients.CEILING, clients.FAULTMAVEN)]
    pythons: dict[str, Path | str] = {client.environment: Path(sys.executable) for client in measured}
    measuring.measure(measured, pythons, upstream, SMALL, figures)
    assert figures.errors == {}
    assert {work for work, client in figures.results if client == clients.FAULTMAVEN} == {
        work.name for work in workloads.WORKLOADS
    }
    for work in (workloads.FAILING_500, workloads.FAILING_429):
        assert figures.value(work, clients.FAULTMAVEN, "primary_asked") == 1.0


def test_wrong_answer_is_reported_as_error(upstream: processes.Upstream, raw_socket: processes.Worker) -> None:
    for work in (workloads.ONE, workloads.BURST):
        order = work.order(upstream, SMALL)
        assert "error" not in raw_socket.run(order)
        result = raw_socket.run({**order, "answer": "something else"})
        assert result["error"].startswith("WrongAnswerError: got ")


def test_crashed_client_reports_error_and_restarts() -> None:
    worker = processes.Worker(Path(sys.executable), "with_nothing")
    for _ in range(2):
        assert worker.run({})["error"] == "ModuleNotFoundError: No module named 'with_nothing'"


def test_hanging_client_is_reported_as_error(
    monkeypatch: pytest.MonkeyPatch, upstream: processes.Upstream, raw_socket: processes.Worker
) -> None:
    monkeypatch.setattr(processes, "ANSWERS_WITHIN_SECONDS", 0.5)
    result = raw_socket.run({**workloads.ONE.order(upstream, SMALL), "seconds": 60})
    assert result == {"error": "no answer within 0.5 s"}


def test_measured_process_environment_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "somebody-elses-key")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert not {"OPENAI_API_KEY", "HTTPS_PROXY"} & processes.environment().keys()


def test_failed_installation_is_reported_as_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create_without_pip(folder: Path, **_: object) -> None:
        create(folder, clear=True)

    create = venv.create
    monkeypatch.setattr(venv, "create", create_without_pip)
    monkeypatch.setattr(environments, "KEPT", tmp_path)
    peer = clients.Client("peer", "with_peer", "peer", ("a-peer",))
    for _ in range(2):  # the second run must not reuse an incomplete environment
        interpreters = environments.interpreters([peer])
        assert isinstance(interpreters["peer"], str)
        assert "No module named pip" in interpreters["peer"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the soak counts sockets in /proc of Linux")
def test_short_steady_soak_measures_memory_and_sockets(process_env: dict[str, str]) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "soak.py"), "--steady", "--calls", "200", "--at-once", "5"]
    completed = subprocess.run(command, env=process_env, capture_output=True, text=True, timeout=55, check=False)
    lines = completed.stdout.splitlines()
    assert len([line for line in lines if line.endswith("sockets") and " calls " in line]) == 10
    assert [line[:4] for line in lines if line.startswith(("ok  ", "FAIL"))] == ["ok  "] * 5, (
        completed.stdout + completed.stderr
    )
    assert completed.returncode == 0


def test_upstream_runs_without_cpu_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert processes.cores() == (None, None)
