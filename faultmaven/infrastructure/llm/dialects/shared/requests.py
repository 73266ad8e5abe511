"""HTTP requests of all dialects: URLs, headers, the caller's extra fields, and notes on omitted options."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .....domain.errors import InvalidRequestError
from .....domain.requests import ChatRequest
from ....http.types import Headers, Origin, WireRequest
from ...config import ProviderConfig
from ...models import ModelFacts
from .reading import write_json

AuthHeaders: TypeAlias = Callable[[ProviderConfig], Headers]
"""Function from a provider's configuration to the headers with the API key."""


def bearer_headers(config: ProviderConfig) -> Headers:
    """Return the `Authorization` header with the API key, or no header without a key, as for local servers."""
    return Headers({"authorization": f"Bearer {config.api_key}"} if config.api_key else {})


def build_post(
    config: ProviderConfig,
    dialect: str,
    url: str,
    auth: AuthHeaders,
    body: dict[str, Any],
    request: ChatRequest,
    model: str,
    notes: tuple[str, ...] = (),
) -> WireRequest:
    """Return the POST of `body`, with the caller's `extra` fields for this provider merged into the body."""
    origin, headers = _prepare(config, dialect, auth)
    extra = request.extra.get(config.name)
    content = _encode(merge(body, extra) if extra else body, config.name, model)
    headers = Headers({**headers, **config.headers})
    return WireRequest(origin, url, headers, content, "POST", model, config.api_key, notes)


def _prepare(config: ProviderConfig, dialect: str, auth: AuthHeaders) -> tuple[Origin, Headers]:
    """Return the origin and the headers that all requests of one dialect share; cached per provider."""
    key = (dialect, auth)
    prepared: tuple[Origin, Headers] | None = config.prepared.get(key)
    if prepared is None:
        headers = Headers({"content-type": "application/json", **auth(config)})
        prepared = config.prepared[key] = (config.origin(dialect), headers)
    return prepared


def _encode(body: dict[str, Any], provider: str, model: str) -> bytes:
    """Return `body` as JSON; raise InvalidRequestError for a value that JSON cannot hold, such as a lone surrogate."""
    try:
        return write_json(body)
    except ValueError:
        pass  # the error is raised below, since its context would otherwise hold the prompt
    raise InvalidRequestError(
        "the request cannot be written as JSON",
        provider=provider,
        model=model,
        advice="Look for lone surrogates in the texts and for values in `extra` that JSON cannot hold.",
    )


def build_get(config: ProviderConfig, dialect: str, url: str, auth: AuthHeaders) -> WireRequest:
    """Return the GET of `url`."""
    return WireRequest(
        origin=config.origin(dialect),
        url=url,
        headers=Headers({**auth(config), **config.headers}),
        method="GET",
        secret=config.api_key,
    )


def merge(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return `body` with the fields of `extra`. Objects merge key by key, so that one option keeps its neighbours."""
    result = dict(body)
    for name, value in extra.items():
        present = result.get(name)
        result[name] = merge(present, value) if isinstance(present, dict) and isinstance(value, dict) else value
    return result


def allowed_temperature(request: ChatRequest, facts: ModelFacts, model: str) -> tuple[float | None, tuple[str, ...]]:
    """Return the temperature to send, None for no temperature, and a note when the model refuses the parameter."""
    if request.temperature is not None and facts.refuses_temperature:
        return None, (f"temperature left out: {model} refuses temperatures ({facts.source})",)
    return request.temperature, ()


def allowed_stop(request: ChatRequest, facts: ModelFacts, model: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop sequences to send, and a note when the model refuses the parameter."""
    if request.stop and facts.refuses_stop:
        return (), (f"stop left out: {model} refuses stop sequences ({facts.source})",)
    return request.stop, ()


def server_root(base_url: str, *versions: str) -> str:
    """Return `base_url` without a trailing version path, such as "/v1"."""
    for version in versions:
        if base_url.endswith(version):
            return base_url.removesuffix(version)
    return base_url
