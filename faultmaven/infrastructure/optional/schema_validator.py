"""JSON Schema validation by the library jsonschema-rs. Needs the extra `schema`."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import jsonschema_rs

from ...application.answers.schema_paths import property_names, schema_path
from ...ports.schemas import Check

MAX_COMPILED_SCHEMAS = 64
MAX_SCHEMA_ERRORS = 5


class RustSchemaValidator:
    """Compiles each schema once and keeps the newest compiled schemas."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def check_for(self, schema: Mapping[str, Any]) -> Check:
        """Return the check of `schema`; see `SchemaValidator`. A reference to another document is an error: nothing is
        fetched."""
        try:
            key = json.dumps(schema, sort_keys=True, default=_as_object)
        except (TypeError, RecursionError):
            raise ValueError("the schema is not JSON") from None
        check = self._checks.get(key)
        if check is None:
            check = _compile(json.loads(key))
            self._checks = dict([*self._checks.items(), (key, check)][-MAX_COMPILED_SCHEMAS:])
        return check


def _compile(schema: Any) -> Check:
    validator, known = jsonschema_rs.validator_for(schema, retriever=_refuse_reference), property_names(schema)

    def check(value: Any) -> list[str]:
        errors = validator.iter_errors(value)
        return [
            f"{schema_path(error.instance_path, known)}: {error.kind.name}"
            for error, _ in zip(errors, range(MAX_SCHEMA_ERRORS), strict=False)
        ]

    return check


def _as_object(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _refuse_reference(uri: str) -> NoReturn:
    raise ValueError("a reference points outside of the schema")
