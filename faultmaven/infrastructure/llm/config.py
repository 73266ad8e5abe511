"""ProviderConfig: where a provider lives and how it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ...domain.hidden import HiddenText
from ..http.types import Headers, Origin


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """What a provider class finds at `self.config`.

    Attributes:
        name: The registry's name for it.
        api_key: The key, a string that does its work and shows as `'***'`; "" when unset.
        base_url: Without a trailing slash; carries the version path as the vendor's documentation does.
        models: The default first. Empty where a local server is asked for its list.
        max_retries: Calls after the first one.
        timeout: Seconds for one attempt.
        confidence_score: The row's weight.
        dialect: Which wire it speaks, and which vendor's form of it, such as "openai-chat/groq".
        headers: Further headers for every request.
        default_max_tokens: Sent where a vendor demands a limit and the caller set none; None: the smaller of 8192 and
            the model's own.
        prepared: What dialects have made of it once for all requests.
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
        raise TypeError("a ProviderConfig holds a key and is not pickled; build it from settings where it is needed")

    def origin(self, dialect: str = "") -> Origin:
        """Return what replies and errors may say about this provider."""
        return Origin(
            self.name,
            dialect or self.dialect,
            self.api_key_var,
            self.model_var,
            self.base_url_var,
            self.is_local,
        )
