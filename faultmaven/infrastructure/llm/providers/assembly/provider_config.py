"""ProviderConfig from a row and the environment, and the source of each value."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from .....domain.errors import ConfigurationError
from ....configuration.config_sources import FAULTY, ConfigEntry, without_credentials
from ....configuration.settings import Environment, Settings
from ....http.types import Headers
from ...config import ProviderConfig
from ..rows.fields import is_address
from ..rows.spec import ProviderSpec

ROW_DEFAULT = "default of the row"


@dataclass(frozen=True, slots=True)
class ConfiguredRow:
    """A spec with its configuration.

    Attributes:
        missing: The reason why the provider is not configured, "" when it is.
    """

    spec: ProviderSpec
    config: ProviderConfig
    missing: str = ""


def configure(
    spec: ProviderSpec, environment: Environment, settings: Settings, named: Collection[str]
) -> ConfiguredRow:
    """Return the row, configured with the values of `environment`.

    Args:
        named: Providers that a setting names; a local server among them counts as configured.

    Raises:
        ConfigurationError: a key that cannot be sent in a header, a key set twice, an invalid base URL.
    """
    key = environment.find_secret(spec.api_key_var) if spec.api_key_var else None
    models_of_variable = [model.strip() for model in environment.get(spec.model_var).split(",") if model.strip()]
    models = [*(models_of_variable or filter(None, [spec.default_model])), *spec.models]
    config = ProviderConfig(
        name=spec.name,
        api_key=key.value if key else "",
        base_url=_base_url(spec, environment),
        models=list(dict.fromkeys(models)),
        max_retries=spec.max_retries if settings.max_retries is None else settings.max_retries,
        timeout=settings.request_timeout or spec.timeout,
        confidence_score=spec.confidence_score,
        dialect=spec.dialect,
        headers=Headers({name.lower(): value for name, value in spec.headers.items()}),
        default_max_tokens=settings.max_tokens,
        api_key_var=spec.api_key_var,
        model_var=spec.model_var,
        base_url_var=spec.base_url_var,
        is_local=spec.is_local,
    )
    return ConfiguredRow(spec, config, _missing_reason(spec, config, environment, named))


def _base_url(spec: ProviderSpec, environment: Environment) -> str:
    config_value = environment.find(spec.base_url_var) if spec.base_url_var else None
    address = (config_value.value if config_value else spec.default_base_url).rstrip("/")
    if config_value and not is_address(address):
        raise ConfigurationError(
            f"{spec.base_url_var} ({config_value.source}) is not an address",
            advice=f"Write the address like {spec.default_base_url or 'https://host/v1'}: "
            "http:// or https://, no ? and no #.",
        )
    return address


def _missing_reason(
    spec: ProviderSpec, config: ProviderConfig, environment: Environment, named: Collection[str]
) -> str:
    unset = []
    if spec.key == "required" and not config.api_key:
        unset.append(spec.api_key_var)
    if not config.base_url:
        unset.append(spec.base_url_var)
    if unset:
        return f"{' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not set"
    variables = (*spec.variables, f"{spec.api_key_var}_FILE")
    if spec.key == "optional" and spec.name not in named and not any(map(environment.find, variables)):
        return f"none of {', '.join(spec.variables)} is set"
    return ""


def row_entries(spec: ProviderSpec, environment: Environment) -> list[ConfigEntry]:
    """Return an entry for each variable of the row. A key shows as "set" or "unset", an invalid value as "faulty"."""
    entries = [_key_entry(spec, environment)] if spec.api_key_var else []
    if spec.model_var:
        entries.append(_entry(spec, spec.model_var, spec.default_model, environment))
    if spec.base_url_var:
        entry = _entry(spec, spec.base_url_var, spec.default_base_url, environment)
        is_valid = not entry.value or is_address(entry.value)
        entries.append(replace(entry, value=without_credentials(entry.value.rstrip("/")) if is_valid else FAULTY))
    return entries


def _key_entry(spec: ProviderSpec, environment: Environment) -> ConfigEntry:
    try:
        key = environment.find_secret(spec.api_key_var)
    except ConfigurationError:
        return ConfigEntry(spec.api_key_var, FAULTY, "", (), spec.name)
    if key is None:
        return ConfigEntry(spec.api_key_var, "unset", "", (), spec.name)
    return ConfigEntry(spec.api_key_var, "set", key.source, key.overrode, spec.name)


def _entry(spec: ProviderSpec, variable: str, default: str, environment: Environment) -> ConfigEntry:
    config_value = environment.find(variable)
    if config_value is None:
        return ConfigEntry(variable, default, ROW_DEFAULT, (), spec.name)
    return ConfigEntry(variable, config_value.value, config_value.source, config_value.overrode, spec.name)
