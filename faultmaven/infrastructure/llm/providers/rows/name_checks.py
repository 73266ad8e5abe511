"""Validation of the settings that name providers."""

from collections.abc import Collection, Iterator, Mapping

from .....domain.names import did_you_mean
from ....configuration.settings import ARGUMENT, Environment, Settings

MAX_SHOWN_NAME_LENGTH = 24


def _named_providers(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """Yield each variable that names a provider, the name, and whether that provider must be configured."""
    for role, name in settings.role_providers.items():
        if name:
            yield f"{role.upper()}_PROVIDER", name, True
    for name in settings.fallback_chain:
        yield "LLM_FALLBACK_CHAIN", name, False


def provider_name_faults(
    settings: Settings, environment: Environment, known: Collection[str], missing: Mapping[str, str]
) -> Iterator[str]:
    """Yield a message for each setting that names an unknown provider, or a primary that is not configured."""
    for variable, name, must_be_configured in _named_providers(settings):
        where = f"{variable} ({_source_of(variable, name, environment)})"
        if name not in known:
            # A long value is not shown, since it may be a key that was pasted into the wrong line.
            shown = repr(name) if len(name) <= MAX_SHOWN_NAME_LENGTH else f"of {len(name)} characters"
            yield f"{where} names an unknown provider {shown}{did_you_mean(name, known)}"
        elif must_be_configured and name in missing:
            yield f"{where} names {name!r}, which is not configured: {missing[name]}"


def _source_of(variable: str, name: str, environment: Environment) -> str:
    config_value = environment.find(variable)
    return config_value.source if config_value and name in config_value.value else ARGUMENT
