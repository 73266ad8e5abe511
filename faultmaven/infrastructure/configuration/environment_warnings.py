"""Warnings about environment variables that are set, are not read, and resemble one that is read."""

import difflib
from collections.abc import Collection, Iterable
from types import MappingProxyType

from ...domain.names import did_you_mean, nearest
from .settings import SECOND_NAMES, VARIABLES, Environment

# Variables of the vendors' own tools, each with the variable that is read here. A warning is due for the first without
# the second.
VENDOR_NAMES = MappingProxyType(
    {
        "OPENAI_BASE_URL": "OPENAI_API_BASE",
        "ANTHROPIC_AUTH_TOKEN": "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL": "ANTHROPIC_API_BASE",
        "GOOGLE_API_KEY": "GEMINI_API_KEY",
        "GOOGLE_GEMINI_BASE_URL": "GEMINI_API_BASE",
        "CO_API_KEY": "COHERE_API_KEY",
        "CO_API_URL": "COHERE_API_BASE",
        "CO_BASE_URL": "COHERE_API_BASE",
        "HF_TOKEN": "HUGGINGFACE_API_KEY",
        "HUGGING_FACE_HUB_TOKEN": "HUGGINGFACE_API_KEY",
        "OLLAMA_HOST": "OLLAMA_API_BASE",
        "AZURE_OPENAI_API_KEY": "AZURE_API_KEY",
        "AZURE_OPENAI_ENDPOINT": "AZURE_API_BASE",
        "AZURE_OPENAI_DEPLOYMENT": "AZURE_MODEL",
        "NVIDIA_NIM_API_KEY": "NVIDIA_API_KEY",
        "NVIDIA_NIM_API_BASE": "NVIDIA_API_BASE",
        "DEEPINFRA_TOKEN": "DEEPINFRA_API_KEY",
        "LM_API_TOKEN": "LMSTUDIO_API_KEY",
        "LM_STUDIO_API_KEY": "LMSTUDIO_API_KEY",
    }
)

MIN_SIMILARITY = 0.8  # `SequenceMatcher.ratio` of a near miss, such as OPENAI_KEY for OPENAI_API_KEY


def environment_warnings(
    environment: Environment, row_variables: Iterable[str], key_variables: Iterable[str] = ()
) -> list[str]:
    """Return a sentence for each vendor's variable that is not read here, each unknown `LLM_*`, each near miss.

    Args:
        row_variables: Every variable that a row reads.
        key_variables: The variables among `row_variables` that hold a key; `<variable>_FILE` may name its file.
    """
    files = {f"{name}_FILE": name for name in key_variables}
    known = {*VARIABLES, *row_variables, *SECOND_NAMES.values(), *files}
    present = environment.variables()
    already_set = {*present, *(files[name] for name in present if name in files)}
    warnings = [*environment.notes]
    for name, source in present.items():
        expected = VENDOR_NAMES.get(name)
        if name in known or (expected is not None and (expected in already_set or expected not in known)):
            continue
        if expected is not None:
            warnings.append(f"{name} ({source}) is not read here; set {expected}")
        elif name.startswith("LLM_"):
            warnings.append(f"{name} ({source}) is unknown{_suggest_setting(name, known)}")
        elif match := _find_near_miss(name, known, already_set):
            warnings.append(f"{name} ({source}) is not read; did you mean {match}?")
    return warnings


def _suggest_setting(name: str, known: Collection[str]) -> str:
    """Return a hint with the nearest of all names or, when none is similar, with the list of the `LLM_*` names."""
    return did_you_mean(name, known if nearest(name, known) else [other for other in known if other.startswith("LLM_")])


def _find_near_miss(name: str, known: Iterable[str], already_set: Collection[str]) -> str | None:
    """Return the unset variable most similar to `name`; only names with the same three first letters are compared, for
    speed."""
    similar = [candidate for candidate in known if candidate[:3] == name[:3] and candidate not in already_set]
    match = nearest(name, similar) if similar else None
    return match if match and difflib.SequenceMatcher(None, name, match).ratio() >= MIN_SIMILARITY else None
