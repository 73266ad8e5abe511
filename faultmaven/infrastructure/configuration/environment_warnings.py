"""What in the environment looks like a mistake: variables that somebody set and that nothing here reads."""

import difflib
from collections.abc import Collection, Iterable
from types import MappingProxyType

from ...domain.names import did_you_mean, nearest
from .settings import SECOND_NAMES, VARIABLES, Environment

# What vendors' own tools call it (wire/*.md), and what we read. Set while ours is not, it is worth a warning.
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

NEAR_MISS = 0.8  # share of letters that two names must have in common: OPENAI_KEY is a near miss of OPENAI_API_KEY


def environment_warnings(
    environment: Environment, row_variables: Iterable[str], key_variables: Iterable[str] = ()
) -> list[str]:
    """Return a sentence for each vendor's name in place of ours, each unknown `LLM_*`, each near miss of a name.

    Args:
        row_variables: Every variable that a row reads.
        key_variables: Those among them that hold a key, which may also come from a file.
    """
    files = {f"{name}_FILE": name for name in key_variables}
    known = {*VARIABLES, *row_variables, *SECOND_NAMES.values(), *files}
    present = environment.variables()
    filled = {*present, *(files[name] for name in present if name in files)}
    warnings = [*environment.notes]
    for name, source in present.items():
        ours = VENDOR_NAMES.get(name)
        if name in known or (ours is not None and (ours in filled or ours not in known)):
            continue
        if ours is not None:
            warnings.append(f"{name} ({source}) is not read here; set {ours}")
        elif name.startswith("LLM_"):
            warnings.append(f"{name} ({source}) is unknown{_nearest_setting(name, known)}")
        elif match := _near_miss(name, known, filled):
            warnings.append(f"{name} ({source}) is not read; did you mean {match}?")
    return warnings


def _nearest_setting(name: str, known: Collection[str]) -> str:
    """Return the nearest of all names, or, when nothing is alike, the list of the `LLM_*` names only."""
    return did_you_mean(name, known if nearest(name, known) else [other for other in known if other.startswith("LLM_")])


def _near_miss(name: str, known: Iterable[str], filled: Collection[str]) -> str | None:
    """Return the unset variable that `name` nearly is; only names that begin alike are compared, for speed."""
    alike = [candidate for candidate in known if candidate[:3] == name[:3] and candidate not in filled]
    match = nearest(name, alike) if alike else None
    return match if match and difflib.SequenceMatcher(None, name, match).ratio() >= NEAR_MISS else None
