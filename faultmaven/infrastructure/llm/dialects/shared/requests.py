"""What every dialect's requests share: addresses, keys, the caller's own fields, and notes on what was left out."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .....domain.errors import InvalidRequestError
from .....domain.requests import ChatRequest
from ....http.types import Headers, Origin, WireRequest
from ...config import ProviderConfig
from ...models import ModelFacts
from .reading import write_json

AuthHeaders: TypeAlias = Callable[[ProviderConfig], Headers]
"""Gives the header for a provider's key."""


def bearer_headers(config: ProviderConfig) -> Headers:
    """Return the usual header for the key; none when no key is set, as local servers want it."""
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
    """Return the POST of `body`, with the fields of the caller's `extra` for this provider laid over it."""
    origin, headers = _prepared(config, dialect, auth)
    extra = request.extra.get(config.name)
    written = _written(merge(body, extra) if extra else body, config.name, model)
    headers = Headers({**headers, **config.headers})
    return WireRequest(origin, url, headers, written, "POST", model, config.api_key, notes)


def _prepared(config: ProviderConfig, dialect: str, auth: AuthHeaders) -> tuple[Origin, Headers]:
    """Return what all requests to a provider in one dialect share; made once."""
    key = (dialect, auth)
    found: tuple[Origin, Headers] | None = config.prepared.get(key)
    if found is None:
        headers = Headers({"content-type": "application/json", **auth(config)})
        found = config.prepared[key] = (config.origin(dialect), headers)
    return found


def _written(body: dict[str, Any], provider: str, model: str) -> bytes:
    """Return `body` as JSON; raises InvalidRequestError when something in it is none, such as half a surrogate pair."""
    try:
        return write_json(body)
    except ValueError:
        pass  # raised below, without a context that would hold the prompt
    raise InvalidRequestError(
        "the request cannot be written as JSON",
        provider=provider,
        model=model,
        advice="Look for lone surrogates in the texts and for values in `extra` that JSON does not know.",
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
    """Lay `extra` over `body`; objects merge key by key, so that one option does not erase its neighbours."""
    laid = dict(body)
    for name, value in extra.items():
        present = laid.get(name)
        laid[name] = merge(present, value) if isinstance(present, dict) and isinstance(value, dict) else value
    return laid


def allowed_temperature(request: ChatRequest, facts: ModelFacts, model: str) -> tuple[float | None, tuple[str, ...]]:
    """Return the temperature to send, None for none, and a note when the model refuses the caller's."""
    if request.temperature is not None and facts.refuses_temperature:
        return None, (f"temperature left out: {model} refuses it ({facts.source})",)
    return request.temperature, ()


def allowed_stop(request: ChatRequest, facts: ModelFacts, model: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop words to send, and a note when the model refuses the caller's."""
    if request.stop and facts.refuses_stop:
        return (), (f"stop left out: {model} refuses it ({facts.source})",)
    return request.stop, ()


def server_root(base_url: str, *versions: str) -> str:
    """Return `base_url` without its version path, such as "/v1"."""
    for version in versions:
        if base_url.endswith(version):
            return base_url.removesuffix(version)
    return base_url
