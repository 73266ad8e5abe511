"""Tests for the shell session that runs the tutorial."""

from pathlib import Path

import pytest

from .session import ShellSession, normalized


def test_folder_and_variables_persist_between_blocks(tmp_path: Path) -> None:
    with ShellSession(tmp_path, {"PATH": "/usr/bin:/bin"}) as session:
        assert session.run("mkdir inner && cd inner\nFRUIT=pear") == ("", 0)
        assert session.run('echo "$FRUIT"; pwd') == (f"pear\n{tmp_path}/inner\n", 0)
        assert session.folder == tmp_path / "inner"


def test_output_has_errors_and_last_exit_code(tmp_path: Path) -> None:
    with ShellSession(tmp_path, {"PATH": "/usr/bin:/bin"}) as session:
        printed, code = session.run("echo one\nls nowhere")
        assert printed.startswith("one\n")
        assert "nowhere" in printed
        assert code != 0
        assert session.run("cat") == ("", 0)  # standard input is empty
        with pytest.raises(EOFError):
            session.run("exit 3")


def test_normalized_output_ignores_seconds() -> None:
    assert normalized("- openai: answered, 0.41 s  \n") == normalized("- openai: answered, 1.87 s")
    assert normalized("1 passed in 0.02s") == normalized("1 passed in 1.10s")
    assert normalized("two") != normalized("three")
