"""Keys of requests: two requests have equal keys if and only if all fields that affect the response are equal."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ...domain.attachments import Attachment
from ...domain.requests import ChatRequest

# Time limits and ways of execution do not affect the content of a response.
IGNORED = frozenset(
    {"deadline", "timeout", "chunk_timeout", "metadata", "hedge_after", "cache", "deduplicate", "commit"}
)


def request_key(request: ChatRequest, *context: Any) -> str | None:
    """Return the key of `request`, None when a part of the request has no fixed value, such as a file not yet read.

    Args:
        context: Further values that affect the response, such as the providers that may respond.
    """
    digest = hashlib.sha256()
    try:
        for name in (field.name for field in fields(request) if field.name not in IGNORED):
            _write(digest.update, name)
            _write(digest.update, getattr(request, name))
        _write(digest.update, context)
    except _NoFixedValueError:
        return None
    return digest.hexdigest()


class _NoFixedValueError(Exception):
    """A value that cannot be written as bytes reliably."""


def _write(update: Any, value: Any) -> None:
    """Write `value` with its type and length, so that two different values never give the same bytes."""
    match value:
        case None | bool() | int() | float():
            _write_block(update, type(value).__name__, repr(value).encode())
        case str():
            _write_block(update, "str", value.encode("utf-8", "surrogatepass"))
        case bytes():
            _write_block(update, "bytes", value)
        case type():
            _write_model(update, value)
        case Attachment() if value.data is None:
            raise _NoFixedValueError  # the content of the file or page may change
        case Mapping():
            _write_block(update, "mapping", str(len(value)).encode())
            for name in value:  # not sorted: vendors answer in the order of a schema
                _write(update, name)
                _write(update, value[name])
        case list() | tuple():
            _write_block(update, "list", str(len(value)).encode())
            for item in value:
                _write(update, item)
        case _ if is_dataclass(value):
            _write_block(update, type(value).__name__, b"")
            for field in fields(value):
                _write(update, getattr(value, field.name))
        case _:
            raise _NoFixedValueError


def _write_model(update: Any, model: type) -> None:
    """Write the name and the schema of a pydantic model: two classes of one name may differ."""
    schema = getattr(model, "model_json_schema", None)
    if schema is None:
        raise _NoFixedValueError
    _write(update, f"{model.__module__}.{model.__qualname__}")
    _write(update, schema())


def _write_block(update: Any, kind: str, data: bytes) -> None:
    """Write `data` after a header with its kind and length."""
    update(f"{kind}:{len(data)}:".encode())
    update(data)
