"""Whoever knows JSON Schema."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Check = Callable[[Any], list[str]]
"""A decoded value to what is wrong with it: a place and a keyword each, never a value. Nothing where it fits."""


class SchemaValidator(Protocol):
    """Compiles schemas; `infrastructure.schema_validator` is one."""

    def check_for(self, schema: Mapping[str, Any]) -> Check:
        """Return the check of `schema`.

        Raises:
            ValueError: it is no JSON schema.
        """
        ...
