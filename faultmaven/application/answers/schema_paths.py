"""Where an answer is not of its schema: told by the schema's own names, since the answer's may be anything."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

UNKNOWN = "*"


def place_of(steps: Iterable[str | int], known: frozenset[str]) -> str:
    """Return the way to a value, such as "$.pods[0]"; a name that the schema does not have is shown as "*"."""
    return "$" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step if step in known else UNKNOWN}" for step in steps
    )


def names_in(schema: Any) -> frozenset[str]:
    """Return every property's name in a JSON schema, however deep."""
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
