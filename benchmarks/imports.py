"""Which modules `import faultmaven` and an open container may load; `-X importtime` names the culprit.

A check fails on a module that may not be there, never on a time. `python -m benchmarks.imports` runs the checks alone.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# What our dependencies import wherever it is installed, without our asking, and which of them does.
BYSTANDERS = {
    "pygments": "structlog",
    "rich": "structlog",
    "fastapi": "dependency_injector",
    "starlette": "dependency_injector",
    "werkzeug": "dependency_injector",
    "yaml": "dependency_injector",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a script may load.

    Attributes:
        beside: A script whose modules are not counted.
        may: Prefixes of modules: `httpx` stands for `httpx._client` as well.
        standard_library: Whether all of it may be loaded.
    """

    name: str
    script: str
    beside: str
    may: tuple[str, ...]
    standard_library: bool


IMPORTED = Rule(
    "import faultmaven",
    script="import faultmaven",
    beside="import importlib, typing",
    may=(),
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
    beside="import asyncio; asyncio.run(asyncio.sleep(0))",
    may=(
        *(f"faultmaven.{part}" for part in ("application", "container", "domain", "infrastructure")),
        *(f"faultmaven.{part}" for part in ("opening", "parts", "ports")),
        *("dependency_injector", "dotenv", "structlog"),
        # What carries HTTP is loaded by the first call: neither httpx nor aiohttp is here.
        *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
    ),
    standard_library=True,
)
RULES = (IMPORTED, OPENED)

_LINE = re.compile(r"^import time:\s*\d+ \|\s*(?P<microseconds>\d+) \|(?P<indent> +)(?P<name>\S+)$")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One module that was loaded.

    Attributes:
        importers: Who was loading at that moment, the innermost first; empty where running code loaded it.
        milliseconds: What it took, with all that it loaded itself.
    """

    name: str
    importers: tuple[str, ...]
    milliseconds: float

    def __str__(self) -> str:
        chain = " <- ".join(self.importers) or "running code"
        return f"{self.name} ({self.milliseconds:.1f} ms) <- {chain}"


def culprits(rule: Rule) -> list[Loaded]:
    """Return the modules that `rule.script` loads and may not; of those that load each other, the first."""
    beside = {loaded.name for loaded in loaded_by(rule.beside)}
    return list(_culprits(rule, [loaded for loaded in loaded_by(rule.script) if loaded.name not in beside]))


def _culprits(rule: Rule, found: Iterable[Loaded]) -> Iterator[Loaded]:
    wrong = {loaded.name: loaded for loaded in found if not _may(rule, loaded)}
    yield from (loaded for loaded in wrong.values() if not wrong.keys() & set(loaded.importers))


def _may(rule: Rule, loaded: Loaded) -> bool:
    top = loaded.name.partition(".")[0]
    if loaded.name == "faultmaven" or any(_beneath(loaded.name, prefix) for prefix in rule.may):
        return True
    if rule.standard_library and (top in sys.stdlib_module_names or top.startswith("_sysconfigdata_")):
        return True
    importers = (name.partition(".")[0] for name in (loaded.name, *loaded.importers))
    return any(name in BYSTANDERS and BYSTANDERS[name] in rule.may for name in importers)


def _beneath(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def loaded_by(script: str) -> list[Loaded]:
    """Run `script` in a fresh process that knows the installed package only; return what it loaded.

    `-X importtime` also tells of modules that were looked for and not found; these are left out.
    """
    command = [sys.executable, "-I", "-X", "importtime", "-c", f"{script}\nimport sys; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"a measured process failed:\n{done.stderr[-2000:]}")
    there = set(done.stdout.split())
    return [loaded for loaded in read_importtime(done.stderr) if loaded.name in there]


def read_importtime(text: str) -> list[Loaded]:
    """Read what `-X importtime` writes: a module stands below those that it loaded, less indented."""
    found: list[Loaded] = []
    loading: list[tuple[int, str]] = []
    for line in reversed(text.splitlines()):
        if match := _LINE.match(line):
            depth = len(match["indent"])
            loading = [(outer, name) for outer, name in loading if outer < depth]
            importers = tuple(name for _, name in reversed(loading))
            found.append(Loaded(match["name"], importers, int(match["microseconds"]) / 1000))
            loading.append((depth, match["name"]))
    return found[::-1]


def main() -> int:
    """Print what each rule finds; return 1 when a module may not be there."""
    failed = 0
    for rule in RULES:
        wrong = culprits(rule)
        print(f"{rule.name}: {'loads what it may' if not wrong else 'loads what it may not:'}")
        for loaded in wrong:
            print(f"  {loaded}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
