"""Rules for the modules that `import faultmaven` and an open container may load, checked with `-X importtime`.

A check fails on a forbidden module, never on a time. `python -m benchmarks.imports` runs only these checks.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Modules that a dependency imports on its own if they are installed, each with that dependency.
INDIRECT_IMPORTS = {
    "pygments": "structlog",
    "rich": "structlog",
    "fastapi": "dependency_injector",
    "starlette": "dependency_injector",
    "werkzeug": "dependency_injector",
    "yaml": "dependency_injector",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """The modules that a script may load.

    Attributes:
        baseline: A script whose modules are not counted.
        allowed: Prefixes of module names: `httpx` includes `httpx._client`.
        standard_library: Whether all modules of the standard library are allowed.
    """

    name: str
    script: str
    baseline: str
    allowed: tuple[str, ...]
    standard_library: bool


IMPORTED = Rule(
    "import faultmaven",
    script="import faultmaven",
    baseline="import importlib, typing",
    allowed=(),
    standard_library=False,
)
OPENED = Rule(
    "a container opened",
    script="""
import asyncio, faultmaven
async def main():
    async with faultmaven.open_container(env={}) as container:
        container.llm()
asyncio.run(main())
""",
    baseline="import asyncio; asyncio.run(asyncio.sleep(0))",
    allowed=(
        *(f"faultmaven.{part}" for part in ("application", "container", "domain", "infrastructure")),
        *(f"faultmaven.{part}" for part in ("opening", "parts", "ports")),
        *("dependency_injector", "dotenv", "structlog"),
        # The first call loads the HTTP carrier: neither httpx nor aiohttp is in this list.
        *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
    ),
    standard_library=True,
)
RULES = (IMPORTED, OPENED)

_LINE = re.compile(r"^import time:\s*\d+ \|\s*(?P<microseconds>\d+) \|(?P<indent> +)(?P<name>\S+)$")


@dataclass(frozen=True, slots=True)
class LoadedModule:
    """A loaded module.

    Attributes:
        importers: The modules being imported at that moment, innermost first; empty for an import by running code.
        milliseconds: Import time including nested imports.
    """

    name: str
    importers: tuple[str, ...]
    milliseconds: float

    def __str__(self) -> str:
        chain = " <- ".join(self.importers) or "running code"
        return f"{self.name} ({self.milliseconds:.1f} ms) <- {chain}"


def forbidden_modules(rule: Rule) -> list[LoadedModule]:
    """Return the forbidden modules that `rule.script` loads, without those imported by another forbidden module."""
    baseline = {loaded.name for loaded in modules_loaded_by(rule.baseline)}
    return list(
        _forbidden_modules(rule, [loaded for loaded in modules_loaded_by(rule.script) if loaded.name not in baseline])
    )


def _forbidden_modules(rule: Rule, modules: Iterable[LoadedModule]) -> Iterator[LoadedModule]:
    forbidden = {loaded.name: loaded for loaded in modules if not _is_allowed(rule, loaded)}
    yield from (loaded for loaded in forbidden.values() if not forbidden.keys() & set(loaded.importers))


def _is_allowed(rule: Rule, loaded: LoadedModule) -> bool:
    top = loaded.name.partition(".")[0]
    if loaded.name == "faultmaven" or any(_is_inside(loaded.name, prefix) for prefix in rule.allowed):
        return True
    if rule.standard_library and (top in sys.stdlib_module_names or top.startswith("_sysconfigdata_")):
        return True
    importers = (name.partition(".")[0] for name in (loaded.name, *loaded.importers))
    return any(name in INDIRECT_IMPORTS and INDIRECT_IMPORTS[name] in rule.allowed for name in importers)


def _is_inside(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def modules_loaded_by(script: str) -> list[LoadedModule]:
    """Run `script` in a fresh process with the installed package; return the loaded modules.

    `-X importtime` also lists modules that were not found; these are excluded.
    """
    command = [sys.executable, "-I", "-X", "importtime", "-c", f"{script}\nimport sys; print(*sys.modules)"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f"a measured process failed:\n{process.stderr[-2000:]}")
    loaded_names = set(process.stdout.split())
    return [loaded for loaded in read_importtime(process.stderr) if loaded.name in loaded_names]


def read_importtime(text: str) -> list[LoadedModule]:
    """Parse the output of `-X importtime`, which lists a module below the modules it imports, less indented."""
    modules: list[LoadedModule] = []
    loading: list[tuple[int, str]] = []
    for line in reversed(text.splitlines()):
        if match := _LINE.match(line):
            depth = len(match["indent"])
            loading = [(outer, name) for outer, name in loading if outer < depth]
            importers = tuple(name for _, name in reversed(loading))
            modules.append(LoadedModule(match["name"], importers, int(match["microseconds"]) / 1000))
            loading.append((depth, match["name"]))
    return modules[::-1]


def main() -> int:
    """Print the result of each rule; return 1 if a forbidden module is loaded."""
    failed = 0
    for rule in RULES:
        forbidden = forbidden_modules(rule)
        print(f"{rule.name}: {'loads what it may' if not forbidden else 'loads what it may not:'}")
        for loaded in forbidden:
            print(f"  {loaded}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
