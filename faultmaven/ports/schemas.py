"""Port for JSON Schema validation."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Check = Callable[[Any], list[str]]
"""A function of a decoded JSON value that returns its faults, empty for a valid value.

A fault names a path and a schema keyword, never a value.
"""


class SchemaValidator(Protocol):
    """Compiles JSON schemas. `infrastructure.optional.schema_validator` is the default implementation."""

    def check_for(self, schema: Mapping[str, Any]) -> Check:
        """Return the compiled check of `schema`.

        Raises:
            ValueError: `schema` is no valid JSON schema.
        """
        ...
