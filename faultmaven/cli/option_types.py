"""What the options of `ask` name: images, schemas and tools from files."""

import json
from pathlib import Path
from typing import Any

import click

from ..domain.attachments import Image
from ..domain.tools import Tool


def image(named: str) -> Image:
    """Return the image at a path or an address; a path without a file is a mistake, found before anybody is asked."""
    if named.startswith(("http://", "https://")):
        return Image.from_url(named)
    if not Path(named).is_file():
        raise click.BadParameter(f"{named} cannot be read: it is no file", param_hint="--image")
    return Image.from_path(named)


def schema(path: str) -> dict[str, Any]:
    """Return the JSON schema in a file."""
    return _object_in(path, "--schema")


def tool(path: str) -> Tool:
    """Return the tool in a file: a JSON object with name, description and parameters."""
    found = _object_in(path, "--tool")
    unknown = set(found) - {"name", "description", "parameters"}
    if unknown or not isinstance(found.get("name"), str):
        raise click.BadParameter(f'{path} must hold {{"name", "description", "parameters"}}', param_hint="--tool")
    return Tool(found["name"], str(found.get("description", "")), found.get("parameters", {}))


def reasoning(_: click.Context, __: click.Parameter, value: str | None) -> str | int | None:
    """Return a level, or a budget in tokens."""
    return int(value) if value is not None and value.isdecimal() else value


commit = reasoning


def _object_in(path: str, option: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or "it is no JSON"
        raise click.BadParameter(f"{path} cannot be read: {told}", param_hint=option) from None
    if not isinstance(found, dict):
        raise click.BadParameter(f"{path} holds no JSON object", param_hint=option)
    return found
