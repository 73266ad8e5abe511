"""Files of a new provider: fills their templates, and writes all files or none into a directory."""

import importlib.resources
import re
import string
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLI_PACKAGE = __name__.rpartition(".")[0]
"""The name of this package, which differs where a host has a copy of the code under another name."""

CLASS_BY_DIALECT = {
    "openai-chat": "OpenAIProvider",
    "openai-responses": "OpenAIProvider",
    "anthropic-messages": "AnthropicProvider",
    "gemini-generate-content": "GeminiProvider",
    "cohere-v2-chat": "CohereProvider",
    "ollama-native": "LocalProvider",
    "llamacpp-completion": "LocalProvider",
    "tgi-generate": "LocalProvider",
}
"""The built-in class of each dialect."""

CLASS_TEMPLATE_DIALECTS = ("openai-chat", "anthropic-messages")
"""The dialects that have a template of a class in the guide's form."""

# The end of a dialect's example address; the other dialects have DEFAULT_VERSION_PATH.
SCAFFOLD_VERSION_PATHS = {"gemini-generate-content": "/v1beta", "cohere-v2-chat": "/v2"}
DEFAULT_VERSION_PATH = "/v1"
LOCAL_CLASS = "LocalProvider"
_NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class NewProvider:
    """The options of `faultmaven new-provider`.

    Attributes:
        dialect: The dialect, with its vendor's variant if it has one: "openai-chat", "openai-chat/groq".
        base_url: The address; "" for an example address, which the user replaces.
        has_class: Whether to write a class beside the row.
    """

    name: str
    dialect: str = "openai-chat"
    base_url: str = ""
    has_class: bool = False

    @property
    def variables(self) -> tuple[str, str, str]:
        """The environment variables of the provider: API key, model, base URL."""
        return (f"{self.prefix}_API_KEY", f"{self.prefix}_MODEL", f"{self.prefix}_API_BASE")

    @property
    def prefix(self) -> str:
        """The prefix of the environment variables."""
        return self.module.upper()

    @property
    def module(self) -> str:
        """The name of the provider as a part of module names."""
        return self.name.replace("-", "_")

    @property
    def base_dialect(self) -> str:
        """The dialect without its vendor's variant."""
        return self.dialect.partition("/")[0]

    @property
    def is_local(self) -> bool:
        """Whether the provider is a server that the user runs, which needs no API key."""
        return not self.has_class and CLASS_BY_DIALECT[self.base_dialect] == LOCAL_CLASS


def find_name_fault(name: str) -> str:
    """Return the rule that `name` breaks, "" for a valid name; the name becomes part of files and variables, too."""
    if _NAME_PATTERN.fullmatch(name):
        return ""
    return "use lower-case letters and digits, with single dashes or underscores between them, and begin with a letter"


def build_files(new: NewProvider) -> dict[str, str]:
    """Return the texts of the new provider's files by file name, the file of the row first."""
    values = _build_template_values(new)
    texts = {values["row_file"]: _fill_template("row.toml", values)}
    if new.has_class:
        template = f"class_{new.base_dialect.replace('-', '_')}.py"
        texts[values["class_file"]] = _fill_template(template, values)
    else:
        texts[values["row_file"]] += _format_optional_fields(new)
    texts[values["test_file"]] = _fill_template("test.py", values)
    texts[values["page"]] = _fill_template("page.md", values)
    return texts


def list_next_commands(new: NewProvider) -> list[str]:
    """Return the shell commands that try the new provider, in order."""
    values = _build_template_values(new)
    ask = f'faultmaven ask "ping" --provider {new.name}'
    return [f"pytest {values['test_file']}", *values["setup"].splitlines(), ask]


def _build_template_values(new: NewProvider) -> dict[str, str]:
    title = " ".join(word.capitalize() for word in re.split("[_-]", new.name))
    class_name = title.replace(" ", "")
    row_file, class_file = f"{new.name}.toml", f"{new.module}_provider.py"
    example_address = "http://localhost:8000" if new.is_local else f"https://api.{new.name.replace('_', '-')}.example"
    version_path = SCAFFOLD_VERSION_PATHS.get(new.base_dialect, DEFAULT_VERSION_PATH)
    if new.is_local and new.base_dialect != "openai-chat":
        version_path = ""
    setup = [f"export LLM_PROVIDERS_FILE={row_file}"]
    setup.append(f"export {new.prefix}_API_BASE=..." if new.is_local else f"export {new.prefix}_API_KEY=...")
    if new.has_class:
        setup.insert(0, "export PYTHONPATH=.  # Python imports the class from this directory")
    return {
        "name": new.name,
        "title": title,
        "class_name": class_name,
        "prefix": new.prefix,
        "dialect": new.dialect,
        "base_url": new.base_url or f"{example_address}{version_path}",
        "model": f"{new.name}-model",
        "provider_class": f"{new.module}_provider:{class_name}Provider"
        if new.has_class
        else CLASS_BY_DIALECT[new.base_dialect],
        "row_file": row_file,
        "class_file": class_file,
        "test_file": f"test_{new.module}_provider.py",
        "page": f"{new.name}.md",
        "setup": "\n".join(setup),
        "beside": f", the class in `{class_file}`" if new.has_class else "",
        "package": CLI_PACKAGE.rpartition(".")[0],
        "key_note": "; a server without authentication needs no key" if new.is_local else "",
    }


def _format_optional_fields(new: NewProvider) -> str:
    """Return the lines of the row for the fields that differ from their defaults."""
    fields = {"dialect": "" if new.dialect == "openai-chat" else new.dialect, "key": "optional" if new.is_local else ""}
    return "".join(f'{field} = "{value}"\n' for field, value in fields.items() if value)


def _fill_template(template: str, values: Mapping[str, str]) -> str:
    file = importlib.resources.files(CLI_PACKAGE) / "templates" / f"{template}.tmpl"
    return string.Template(file.read_text("utf-8")).substitute(values)


def write_files(texts: Mapping[str, str], directory: Path) -> None:
    """Write every file or none: write all files to a temporary directory first, then move them to `directory`.

    Raises:
        OSError: the directory cannot be written to.
    """
    with tempfile.TemporaryDirectory(prefix=".new-provider-", dir=directory) as temporary:
        for name, text in texts.items():
            Path(temporary, name).write_text(text, "utf-8")
        for name in texts:
            Path(temporary, name).replace(directory / name)
