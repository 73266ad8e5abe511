"""Paths to the values that violate a schema, written with the schema's own names: the answer's names may be secret."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

UNKNOWN_NAME = "*"


def schema_path(steps: Iterable[str | int], known: frozenset[str]) -> str:
    """Return the path to a value, such as "$.pods[0]"; a name that the schema does not have is shown as "*"."""
    return "$" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step if step in known else UNKNOWN_NAME}" for step in steps
    )


def property_names(schema: Any) -> frozenset[str]:
    """Return the name of every property in a JSON schema, at any depth."""
    return frozenset(_names(schema))


def _names(node: Any) -> Iterator[str]:
    open_nodes = [node]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, Mapping):
            properties = node.get("properties")
            if isinstance(properties, Mapping):
                yield from (name for name in properties if isinstance(name, str))
            open_nodes.extend(node.values())
        elif isinstance(node, list | tuple):
            open_nodes.extend(node)
