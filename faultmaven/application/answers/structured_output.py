"""Structured output: parsing and validation of a response's text against a pydantic model or a JSON schema."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from ...domain.errors import ConfigurationError
from ...domain.responses import LLMResponse
from ...ports.schemas import SchemaValidator
from .schema_paths import property_names, schema_path

MAX_PROBLEMS = 5
_FENCE = re.compile(r"\s*(?P<mark>```|~~~)[^\s`{\[]*\s(?P<inside>.*)(?P=mark)\s*", re.DOTALL)


def parse_answer(
    response: LLMResponse, form: Any, schemas: SchemaValidator | None = None
) -> tuple[Any, tuple[str, ...]]:
    """Return the validated object and the problems of the response's text; no problems for a valid text.

    Text that is invalid as it is, and stands in a Markdown code fence, is validated without the fence.

    Args:
        form: A pydantic model, a JSON schema, or "json" for any JSON object.
    """
    if response.parsed is not None:
        return response.parsed, ()
    value, problems = _validate(response.content, form, schemas)
    fenced = _FENCE.fullmatch(response.content) if problems else None
    return (value, problems) if fenced is None else _validate(fenced["inside"], form, schemas)


def _validate(text: str, form: Any, schemas: SchemaValidator | None) -> tuple[Any, tuple[str, ...]]:
    validate = getattr(form, "model_validate_json", None)
    try:
        if validate is not None:
            return validate(text), ()
        value = json.loads(text, parse_constant=_refuse_constant)
        if isinstance(form, Mapping) and schemas is not None:
            return value, tuple(schemas.check_for(form)(value))
    except ConfigurationError:
        raise  # no JSON Schema validator is installed: the response is not at fault
    except Exception as error:  # noqa: BLE001 - a validator is third-party code; JSON that nests too deeply is invalid, too
        return None, _problems_of(error, form)
    needs_object = not isinstance(form, Mapping) or form.get("type") == "object"
    return value, () if isinstance(value, dict) or not needs_object else ("$: no object",)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _problems_of(error: Exception, form: Any) -> tuple[str, ...]:
    """Return path and kind of each problem that pydantic reports, never a value; the class of any other exception."""
    list_errors = getattr(error, "errors", None)
    if not callable(list_errors):
        return ("$: no JSON",) if isinstance(error, ValueError) else (f"$: {type(error).__name__}",)
    try:
        errors = list_errors(include_url=False, include_context=False, include_input=False)
        known = _field_names(form)
        return tuple(f"{schema_path(one['loc'], known)}: {one['type']}" for one in errors[:MAX_PROBLEMS])
    except Exception:  # noqa: BLE001 - as above
        return (f"$: {type(error).__name__}",)


def _field_names(model: Any) -> frozenset[str]:
    """Return the names of a model's fields, none where the model has no JSON schema."""
    try:
        return property_names(model.model_json_schema())
    except Exception:  # noqa: BLE001 - a field of a type that only its own validator knows
        return frozenset()
