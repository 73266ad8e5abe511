"""JSON Schema by the library jsonschema-rs; an extra."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import jsonschema_rs

from ...application.answers.schema_paths import property_names, schema_path
from ...ports.schemas import Check

MOST_KEPT = 64
MOST_PROBLEMS = 5


class RustSchemaValidator:
    """Compiles each schema once, and keeps the newest."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def check_for(self, schema: Mapping[str, Any]) -> Check:
        """Return the check of `schema`; see `SchemaValidator`. A reference that leads out of it is an error: nothing is
        fetched."""
        try:
            key = json.dumps(schema, sort_keys=True, default=_as_object)
        except (TypeError, RecursionError):
            raise ValueError("the schema is no JSON") from None
        check = self._checks.get(key)
        if check is None:
            check = _compiled(json.loads(key))
            self._checks = dict([*self._checks.items(), (key, check)][-MOST_KEPT:])
        return check


def _compiled(schema: Any) -> Check:
    validator, known = jsonschema_rs.validator_for(schema, retriever=_nothing_is_fetched), property_names(schema)

    def check(value: Any) -> list[str]:
        found = validator.iter_errors(value)
        return [
            f"{schema_path(error.instance_path, known)}: {error.kind.name}"
            for error, _ in zip(found, range(MOST_PROBLEMS), strict=False)
        ]

    return check


def _as_object(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _nothing_is_fetched(uri: str) -> NoReturn:
    raise ValueError("a reference leads out of the schema")
