"""JSON Schema by the library jsonschema-rs; an extra."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import jsonschema_rs

from faultmaven.ports.schemas import Check

MOST_KEPT = 64
MOST_PROBLEMS = 5


class RustSchemaValidator:
    """Compiles each schema once, and keeps the newest."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def check_for(self, schema: Mapping[str, Any]) -> Check:
        """Return the check of `schema`; see `SchemaValidator`. A reference that leads out of it is an error: nothing is
        fetched."""
        key = json.dumps(schema, sort_keys=True, default=str)
        check = self._checks.get(key)
        if check is None:
            compiled = jsonschema_rs.validator_for(dict(schema), retriever=_nothing_is_fetched)

            def check(value: Any) -> list[str]:
                found = compiled.iter_errors(value)
                return [_told(error) for error, _ in zip(found, range(MOST_PROBLEMS), strict=False)]

            self._checks = dict([*self._checks.items(), (key, check)][-MOST_KEPT:])
        return check


def _told(error: jsonschema_rs.ValidationError) -> str:
    place = "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in error.instance_path)
    return f"${place}: {error.kind.name}"


def _nothing_is_fetched(uri: str) -> NoReturn:
    raise ValueError("a reference leads out of the schema")
