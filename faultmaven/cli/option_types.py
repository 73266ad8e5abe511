"""Values of the options of `ask`: images, schemas and tools from files, levels and token counts."""

import json
from pathlib import Path
from typing import Any

import click

from ..domain.attachments import Image
from ..domain.tools import Tool


def load_image(location: str) -> Image:
    """Return the image at a path or an http(s) address; a path without a file is refused before a request is sent."""
    if location.startswith(("http://", "https://")):
        return Image.from_url(location)
    if not Path(location).is_file():
        raise click.BadParameter(f"{location} cannot be read: not a file", param_hint="--image")
    return Image.from_path(location)


def load_schema(path: str) -> dict[str, Any]:
    """Return the JSON schema in a file."""
    return _load_object(path, "--schema")


def load_tool(path: str) -> Tool:
    """Return the tool in a file: a JSON object with name, description and parameters."""
    fields = _load_object(path, "--tool")
    unknown = set(fields) - {"name", "description", "parameters"}
    if unknown or not isinstance(fields.get("name"), str):
        raise click.BadParameter(
            f"{path} must contain an object with name, description and parameters", param_hint="--tool"
        )
    return Tool(fields["name"], str(fields.get("description", "")), fields.get("parameters", {}))


def parse_reasoning(_: click.Context, __: click.Parameter, value: str | None) -> str | int | None:
    """Return a level as text, or a budget in tokens as int."""
    return int(value) if value is not None and value.isdecimal() else value


parse_commit = parse_reasoning  # a commit point is a name or a number, too


def _load_object(path: str, option: str) -> dict[str, Any]:
    """Return the JSON object in a file of `option`.

    Raises:
        click.BadParameter: the file cannot be read, or holds no JSON object.
    """
    try:
        value = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not valid JSON"
        raise click.BadParameter(f"{path} cannot be read: {reason}", param_hint=option) from None
    if not isinstance(value, dict):
        raise click.BadParameter(f"{path} does not contain a JSON object", param_hint=option)
    return value
