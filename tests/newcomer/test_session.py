"""The shell session itself, before anything is believed that it says."""

from pathlib import Path

import pytest

from .session import ShellSession, steady


def test_folders_and_variables_last_from_block_to_block(tmp_path: Path) -> None:
    with ShellSession(tmp_path, {"PATH": "/usr/bin:/bin"}) as session:
        assert session.run("mkdir inner && cd inner\nFRUIT=pear") == ("", 0)
        assert session.run('echo "$FRUIT"; pwd') == (f"pear\n{tmp_path}/inner\n", 0)
        assert session.folder == tmp_path / "inner"


def test_errors_are_on_the_screen_and_the_last_exit_code_counts(tmp_path: Path) -> None:
    with ShellSession(tmp_path, {"PATH": "/usr/bin:/bin"}) as session:
        printed, code = session.run("echo one\nls nowhere")
        assert printed.startswith("one\n")
        assert "nowhere" in printed
        assert code != 0
        assert session.run("cat") == ("", 0)  # reads nothing of what follows
        with pytest.raises(EOFError):
            session.run("exit 3")


def test_seconds_may_differ() -> None:
    assert steady("- openai: answered, 0.41 s  \n") == steady("- openai: answered, 1.87 s")
    assert steady("1 passed in 0.02s") == steady("1 passed in 1.10s")
    assert steady("two") != steady("three")
