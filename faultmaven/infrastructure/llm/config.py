"""ProviderConfig: address, credentials, models and limits of one provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ...domain.hidden import HiddenText
from ..http.types import Headers, Origin


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """The configuration of one provider, at `self.config` in a provider class.

    Attributes:
        name: The provider's name in the registry.
        api_key: The key, a string that shows as `'***'`; "" when unset.
        base_url: Without a trailing slash, with the version path as the vendor's documentation has it.
        models: The default first. Empty for a local server, which lists its own models.
        max_retries: Calls after the first one.
        timeout: Seconds for one attempt.
        confidence_score: The row's weight, from 0 to 1.
        dialect: The dialect, with the vendor's form of it after a slash, such as "openai-chat/groq".
        headers: Further headers for every request.
        default_max_tokens: The output limit for vendors that require one when the caller set none. None: the smaller of
            8192 and the model's own.
        api_key_var, model_var, base_url_var: The environment variables of the row, "" for none.
        is_local: Whether the provider needs no key.
        prepared: Values that dialects derive once from this configuration for all requests.
    """

    name: str
    api_key: str = ""
    base_url: str = field(default="", repr=False)
    models: list[str] = field(default_factory=list)
    max_retries: int = 0
    timeout: float = 30.0
    confidence_score: float = 1.0
    dialect: str = ""
    headers: Mapping[str, str] = field(default_factory=Headers, repr=False)
    default_max_tokens: int | None = None
    api_key_var: str = ""
    model_var: str = ""
    base_url_var: str = ""
    is_local: bool = False
    prepared: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", HiddenText(self.api_key))
        object.__setattr__(self, "headers", Headers(self.headers))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ProviderConfig holds a key and cannot be pickled; build another one from settings")

    def origin(self, dialect: str = "") -> Origin:
        """Return the facts about this provider that replies and errors may show: names only, no values."""
        return Origin(
            self.name,
            dialect or self.dialect,
            self.api_key_var,
            self.model_var,
            self.base_url_var,
            self.is_local,
        )
