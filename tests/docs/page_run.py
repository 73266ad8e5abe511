"""Runner for the blocks of a page, in order: writes files, runs Python code, shell commands and test files."""

import ast
import asyncio
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from types import CoroutineType
from typing import Any

from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.testing import FaultLab

from .pages import ROOT, Block, blocks

STAND_INS = Path(__file__).parent / "stand_ins"
PACKAGE = "faultmaven"
REGISTRY = Path(PACKAGE, "infrastructure", "llm", "providers", "registry.py")

# Opens a container of the edited copy; fails if a row is faulty or missing.
OPEN_COPY = """
import faultmaven
names = faultmaven.create_container(env={{}}).registry().get_all_provider_names()
assert faultmaven.__file__.startswith(__import__("os").getcwd()), faultmaven.__file__
assert set({names}) <= set(names), names
"""


class PageRun:
    """State of a page run: Python names, files and the last output. `folder` is the working directory."""

    def __init__(self, page: Path, folder: Path, lab: FaultLab) -> None:
        self._page = page
        self._folder = folder
        self._lab = lab
        self._output = ""
        self._names: dict[str, Any] = {}
        self._test_files: list[str] = []

    def run(self) -> None:
        """Run every block. Tracebacks refer to the lines of the page."""
        with asyncio.Runner() as runner:
            for block in blocks(self._page):
                self._prepare(block)
                self._run_block(block, runner)
        self._run_test_files()

    def _prepare(self, block: Block) -> None:
        if block.directive("fresh") is not None:
            self._run_test_files()
            self._names = {}
            for path in self._folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if (scripted := block.directive("lab")) is not None:
            provider, *faults = scripted.split()
            self._lab.script(provider, *faults)

    def _run_block(self, block: Block, runner: asyncio.Runner) -> None:
        if block.directive("output") is not None:
            expected, printed = _normalized(block.text), _normalized(self._output)
            assert expected == printed, f"{block.where}: its example prints\n{self._output}"
        elif (name := block.directive("file")) is not None:
            self._write(name, block)
        elif block.directive("schema") is not None:
            self._add_to_schema(block)
        elif block.language == "python":
            self._output = self._run_python(block, runner)
        elif block.language == "bash" and _is_run(block):
            self._output = self._run_shell(block.text)

    def _write(self, name: str, block: Block) -> None:
        if name.startswith(f"{PACKAGE}/"):
            self._copy_package()
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")
        if path.name.startswith("test_"):
            self._test_files.append(name)
        if path.name == "pyproject.toml":
            self._install_entry_points(tomllib.loads(block.text))

    def _copy_package(self) -> None:
        if not (self._folder / PACKAGE).exists():
            shutil.copytree(ROOT / PACKAGE, self._folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))

    def _add_to_schema(self, block: Block) -> None:
        """Apply the edit of the block to a copy of the package: imports and entries of `PROVIDER_SCHEMA`."""
        self._copy_package()
        path = self._folder / REGISTRY
        *imports, schema = ast.parse(block.text).body
        assert isinstance(schema, ast.Assign)
        assert isinstance(schema.value, ast.Dict)
        keys = [key for key in schema.value.keys if key is not None]
        pairs = zip(keys, schema.value.values, strict=True)
        entries = [f"{ast.unparse(key)}: {ast.unparse(value)}," for key, value in pairs]
        head, literal, rest = path.read_text("utf-8").partition("\nPROVIDER_SCHEMA: dict[str, SchemaRow] = {\n")
        assert literal, "the registry has no literal PROVIDER_SCHEMA"
        last_import = "from .openai_provider import OpenAIProvider\n"
        added = "".join(f"{ast.unparse(statement)}\n" for statement in imports)
        assert last_import in head
        head = head.replace(last_import, last_import + added)
        path.write_text(head + literal + textwrap.indent("\n".join(entries), "    ") + "\n" + rest, "utf-8")
        self._run_process([sys.executable, "-c", OPEN_COPY.format(names=[ast.literal_eval(key) for key in keys])])

    def _install_entry_points(self, project: dict[str, Any]) -> None:
        """Write entry points as metadata into the working directory, as an installation of the package does."""
        groups = project.get("project", {}).get("entry-points", {})
        if not groups:
            return
        name, version = project["project"]["name"], project["project"]["version"]
        metadata = self._folder / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
        lines = [
            f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items()
        ]
        (metadata / "entry_points.txt").write_text("\n".join(lines), "utf-8")

    def _run_python(self, block: Block, runner: asyncio.Runner) -> str:
        # Leading blank lines make the line numbers of a traceback those of the page.
        source = "\n" * (block.line - 1) + block.text
        code = compile(source, str(block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        self._names.setdefault("__name__", "__main__")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            result = eval(code, self._names)  # noqa: S307 - the page is part of this repository
            if isinstance(result, CoroutineType):
                runner.run(result)
        return printed.getvalue()

    def _run_shell(self, command: str) -> str:
        shell = shutil.which("bash") or "/bin/sh"
        return self._run_process([shell, "-e", "-c", command])

    def _run_test_files(self) -> None:
        if self._test_files:
            plugins = ["-p", "faultmaven.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:randomly"]
            if not (self._folder / "pyproject.toml").exists():
                plugins += ["-p", "no:asyncio"]  # a reader of the page has installed only pytest
            self._run_process([sys.executable, "-m", "pytest", "-q", *plugins, "-W", "error", *self._test_files])
            self._test_files = []

    def _run_process(self, command: list[str]) -> str:
        process = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, timeout=50, check=False
        )
        assert process.returncode == 0, f"{command}\n{process.stdout}{process.stderr}"
        return process.stdout

    def _environment(self) -> dict[str, str]:
        """Return the variables of a process, with commands and imports of this run and the working directory first."""
        commands = self._folder.parent / f"{self._folder.name}-commands"
        commands.mkdir(exist_ok=True)
        for name, module in (("python", ""), ("faultmaven", " -m faultmaven.cli")):
            script = commands / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P{module} "$@"\n', "utf-8")
            script.chmod(0o755)
        paths = (str(self._folder), str(STAND_INS), *filter(None, sys.path))
        return {
            **os.environ,
            "PATH": f"{commands}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _is_run(block: Block) -> bool:
    """Return whether the block is run. Commands with external requirements are only parsed, in test_snippets.py."""
    standalone_command = re.match(r"python (-c|\w+\.py)\b|faultmaven new-provider\b", block.text)
    return block.directive("run") is not None or standalone_command is not None


def _normalized(text: str) -> str:
    """Return `text` without seconds and trailing white space, which may differ."""
    return re.sub(r"\d+\.\d+ s\b", "N s", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip())


def lab_addresses(lab: FaultLab, address: str) -> dict[str, str]:
    """Return base URL variables, without keys, that point every row with a required key at the lab."""
    names = [name for name, row in PROVIDER_SCHEMA.items() if row.get("key") != "optional"]
    return {name: value for name, value in lab.env(*names, address=address).items() if name.endswith("_API_BASE")}
