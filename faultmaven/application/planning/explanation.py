"""A plan for whoever asks why: with everybody who is not in it, and the reason."""

from dataclasses import replace

from ..configuration import ConfigurationSnapshot
from .plan import Plan, Skipped


def explained(planned: Plan, generation: ConfigurationSnapshot, pinned: str | None) -> Plan:
    """Return the plan with everybody else among the skipped ones too, each with the reason."""
    named = {candidate.route.name for candidate in planned.candidates} | {entry.name for entry in planned.skipped}
    if pinned:
        outside = f"only {pinned} is asked"
    elif generation.strict:
        outside = "strict mode: only the primary is asked (STRICT_PROVIDER_MODE)"
    else:
        outside = "not in LLM_FALLBACK_CHAIN"
    others = [
        Skipped(name, outside, "strict mode" if generation.strict and not pinned else "not in the chain")
        for name in generation.routes
        if name not in named
    ]
    unset = [
        Skipped(name, reason, "unconfigured row") for name, reason in generation.missing.items() if name not in named
    ]
    return replace(planned, skipped=(*planned.skipped, *others, *unset))
