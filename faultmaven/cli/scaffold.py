"""A new provider's files: their texts from templates, and how they get into a directory all or none."""

import importlib.resources
import re
import string
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLI_PACKAGE = __name__.rpartition(".")[0]
"""This package's own name, since a host may keep a copy of the code under another name."""

CLASSES = {
    "openai-chat": "OpenAIProvider",
    "openai-responses": "OpenAIProvider",
    "anthropic-messages": "AnthropicProvider",
    "gemini-generate-content": "GeminiProvider",
    "cohere-v2-chat": "CohereProvider",
    "ollama-native": "LocalProvider",
    "llamacpp-completion": "LocalProvider",
    "tgi-generate": "LocalProvider",
}
"""The shipped class that speaks each dialect."""

WRITTEN_OUT = ("openai-chat", "anthropic-messages")
"""The dialects that there is a class in the guide's form for."""

# What the made-up address of each ends in; of the others "/v1".
VERSION_PATHS = {"gemini-generate-content": "/v1beta", "cohere-v2-chat": "/v2"}
LOCAL = "LocalProvider"
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class NewProvider:
    """What is asked for. `base_url` "" is a made-up address to be replaced."""

    name: str
    dialect: str = "openai-chat"
    base_url: str = ""
    has_class: bool = False

    @property
    def variables(self) -> tuple[str, str, str]:
        """Its variables: the key, the model, the address."""
        return (f"{self.prefix}_API_KEY", f"{self.prefix}_MODEL", f"{self.prefix}_API_BASE")

    @property
    def prefix(self) -> str:
        """What its variables begin with."""
        return self.module.upper()

    @property
    def module(self) -> str:
        """Its name as a part of a module's."""
        return self.name.replace("-", "_")

    @property
    def spoken(self) -> str:
        """The dialect without its vendor's form."""
        return self.dialect.partition("/")[0]

    @property
    def is_local(self) -> bool:
        """Whether it is a server of one's own, which needs no key."""
        return not self.has_class and CLASSES[self.spoken] == LOCAL


def name_fault(name: str) -> str:
    """Return why `name` can name no provider, files and variables, "" when it can."""
    if _NAME.fullmatch(name):
        return ""
    return "write lower-case letters and digits, with single dashes or underscores between, a letter first"


def files_of(new: NewProvider) -> dict[str, str]:
    """Return the texts of a new provider's files by their names, the row's first."""
    facts = _facts(new)
    texts = {facts["row_file"]: _filled("row.toml", facts)}
    if new.has_class:
        texts[facts["class_file"]] = _filled(f"class_{new.spoken.replace('-', '_')}.py", facts)
    else:
        texts[facts["row_file"]] += _own_fields(new)
    texts[facts["test_file"]] = _filled("test.py", facts)
    texts[facts["page"]] = _filled("page.md", facts)
    return texts


def commands_after(new: NewProvider) -> list[str]:
    """Return what to run next, in order."""
    facts = _facts(new)
    ask = f'faultmaven ask "ping" --provider {new.name}'
    return [f"pytest {facts['test_file']}", *facts["setup"].splitlines(), ask]


def _facts(new: NewProvider) -> dict[str, str]:
    title = " ".join(word.capitalize() for word in re.split("[_-]", new.name))
    class_name = title.replace(" ", "")
    row_file, class_file = f"{new.name}.toml", f"{new.module}_provider.py"
    made_up = "http://localhost:8000" if new.is_local else f"https://api.{new.name.replace('_', '-')}.example"
    path = "" if new.is_local and new.spoken != "openai-chat" else VERSION_PATHS.get(new.spoken, "/v1")
    setup = [f"export LLM_PROVIDERS_FILE={row_file}"]
    setup.append(f"export {new.prefix}_API_BASE=..." if new.is_local else f"export {new.prefix}_API_KEY=...")
    if new.has_class:
        setup.insert(0, "export PYTHONPATH=.  # the class is imported from here")
    return {
        "name": new.name,
        "title": title,
        "class_name": class_name,
        "prefix": new.prefix,
        "dialect": new.dialect,
        "base_url": new.base_url or f"{made_up}{path}",
        "model": f"{new.name}-model",
        "provider_class": f"{new.module}_provider:{class_name}Provider" if new.has_class else CLASSES[new.spoken],
        "row_file": row_file,
        "class_file": class_file,
        "test_file": f"test_{new.module}_provider.py",
        "page": f"{new.name}.md",
        "setup": "\n".join(setup),
        "beside": f", its class in `{class_file}`" if new.has_class else "",
        "package": CLI_PACKAGE.rpartition(".")[0],
        "key_note": "; not every server needs one" if new.is_local else "",
    }


def _own_fields(new: NewProvider) -> str:
    fields = {"dialect": "" if new.dialect == "openai-chat" else new.dialect, "key": "optional" if new.is_local else ""}
    return "".join(f'{field} = "{value}"\n' for field, value in fields.items() if value)


def _filled(template: str, facts: Mapping[str, str]) -> str:
    file = importlib.resources.files(CLI_PACKAGE) / "templates" / f"{template}.tmpl"
    return string.Template(file.read_text("utf-8")).substitute(facts)


def write_all(texts: Mapping[str, str], directory: Path) -> None:
    """Write every file, or none: each is written beside its place first, and all are moved there at the end.

    Raises:
        OSError: the directory cannot be written to.
    """
    with tempfile.TemporaryDirectory(prefix=".new-provider-", dir=directory) as beside:
        for name, text in texts.items():
            Path(beside, name).write_text(text, "utf-8")
        for name in texts:
            Path(beside, name).replace(directory / name)
