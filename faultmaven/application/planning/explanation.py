"""The explanation of a plan: every other provider is added to the skipped ones, with the reason."""

from dataclasses import replace

from ..configuration import ConfigurationSnapshot
from .plan import Plan, Skipped


def explain_plan(plan: Plan, configuration: ConfigurationSnapshot, pinned: str | None) -> Plan:
    """Return the plan with all other providers among the skipped ones, each with the reason."""
    named = {candidate.route.name for candidate in plan.candidates} | {skipped.name for skipped in plan.skipped}
    if pinned:
        reason = f"only {pinned} is tried"
    elif configuration.strict:
        reason = "strict mode: only the primary is tried (STRICT_PROVIDER_MODE)"
    else:
        reason = "not in LLM_FALLBACK_CHAIN"
    others = [
        Skipped(name, reason, "strict mode" if configuration.strict and not pinned else "not in the chain")
        for name in configuration.routes
        if name not in named
    ]
    unconfigured = [
        Skipped(name, missing, "unconfigured row")
        for name, missing in configuration.missing.items()
        if name not in named
    ]
    return replace(plan, skipped=(*plan.skipped, *others, *unconfigured))
