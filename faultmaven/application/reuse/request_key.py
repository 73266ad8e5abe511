"""A request's key: equal for two requests exactly when nothing that changes the answer differs."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ...domain.attachments import Attachment
from ...domain.requests import ChatRequest

# How long an answer may take, and how it is come by, do not change what it says.
IGNORED = frozenset(
    {"deadline", "timeout", "chunk_timeout", "metadata", "hedge_after", "cache", "deduplicate", "commit"}
)


def request_key(request: ChatRequest, *context: Any) -> str | None:
    """Return the key of `request`, None when it holds something whose value cannot be told, such as a file to be read.

    Args:
        context: What else changes the answer: who would be asked.
    """
    digest = hashlib.sha256()
    try:
        for name in (field.name for field in fields(request) if field.name not in IGNORED):
            _write(digest.update, name)
            _write(digest.update, getattr(request, name))
        _write(digest.update, context)
    except _UntellableError:
        return None
    return digest.hexdigest()


class _UntellableError(Exception):
    """A value without a reliable form in bytes."""


def _write(update: Any, value: Any) -> None:
    """Write `value` with its type and length, so that no two different values make the same bytes."""
    match value:
        case None | bool() | int() | float():
            _block(update, type(value).__name__, repr(value).encode())
        case str():
            _block(update, "str", value.encode("utf-8", "surrogatepass"))
        case bytes():
            _block(update, "bytes", value)
        case type():
            _schema_of(update, value)
        case Attachment() if value.data is None:
            raise _UntellableError  # the file, or the page, may hold something else by now
        case Mapping():
            _block(update, "mapping", str(len(value)).encode())
            for name in value:  # in their order: vendors answer in the order of a schema
                _write(update, name)
                _write(update, value[name])
        case list() | tuple():
            _block(update, "list", str(len(value)).encode())
            for item in value:
                _write(update, item)
        case _ if is_dataclass(value):
            _block(update, type(value).__name__, b"")
            for field in fields(value):
                _write(update, getattr(value, field.name))
        case _:
            raise _UntellableError


def _schema_of(update: Any, model: type) -> None:
    """Write a pydantic model as its schema: two classes of one name may differ."""
    schema = getattr(model, "model_json_schema", None)
    if schema is None:
        raise _UntellableError
    _write(update, f"{model.__module__}.{model.__qualname__}")
    _write(update, schema())


def _block(update: Any, kind: str, data: bytes) -> None:
    update(f"{kind}:{len(data)}:".encode())
    update(data)
