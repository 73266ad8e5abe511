"""Settings that name providers, and what is wrong with the names."""

from collections.abc import Collection, Iterator, Mapping

from .....domain.names import did_you_mean
from ....configuration.settings import ARGUMENT, Environment, Settings

LONGEST_SHOWN_NAME = 24


def _named(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """Give each variable that names a provider, with the name, and whether it must be configured."""
    for role, name in settings.role_providers.items():
        if name:
            yield f"{role.upper()}_PROVIDER", name, True
    for name in settings.fallback_chain:
        yield "LLM_FALLBACK_CHAIN", name, False


def wrong_names(
    settings: Settings, environment: Environment, known: Collection[str], missing: Mapping[str, str]
) -> Iterator[str]:
    """Give a sentence for each setting that names nobody, or a primary that is not configured."""
    for variable, name, must_be_configured in _named(settings):
        where = f"{variable} ({_source_of(variable, name, environment)})"
        if name not in known:
            # A long value is no name; it may be a key, pasted into the wrong line.
            shown = repr(name) if len(name) <= LONGEST_SHOWN_NAME else f"of {len(name)} characters"
            yield f"{where} names an unknown provider {shown}{did_you_mean(name, known)}"
        elif must_be_configured and name in missing:
            yield f"{where} names {name!r}, which is not configured: {missing[name]}"


def _source_of(variable: str, name: str, environment: Environment) -> str:
    found = environment.find(variable)
    return found.source if found and name in found.value else ARGUMENT
