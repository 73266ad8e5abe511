"""`faultmaven doctor`: what is wrong, and how to mend it."""

import asyncio
import functools
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ...domain.errors import ConfigurationError
from .. import exit_codes as exits
from ..diagnosis import Facts, Finding, ProviderFacts, diagnose, faults, is_healthy, is_placeholder, worst_first
from ..output import console, json_option, print_json, styled
from ..probe import USUAL_PORTS, host_of, judge, listening, probe
from ..session import with_container

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ... import Container

STYLES = {"problem": "red", "warning": "yellow", "note": "dim", "ok": "green"}


@click.command("doctor", short_help="Find what is wrong, and how to mend it.")
@click.option("--probe", "probes", is_flag=True, help="Ask each configured provider for its models, at no cost.")
@json_option
@click.pass_context
def command(ctx: click.Context, probes: bool, as_json: bool) -> None:
    """Find what is wrong with the configuration, and say how to mend it. Without --probe nothing is sent."""
    try:
        chain, findings = with_container(functools.partial(_examine, probes=probes))
    except ConfigurationError as error:
        chain, findings = (), faults(error)
    if as_json:
        found = [asdict(finding) for finding in findings]
        print_json({"healthy": is_healthy(findings), "chain": list(chain), "findings": found})
    else:
        _print(chain, findings, probed=probes)
    if not is_healthy(findings):
        ctx.exit(exits.CONFIGURATION)


async def _examine(container: "Container", *, probes: bool) -> "tuple[tuple[str, ...], list[Finding]]":
    facts = gather(container)
    findings = diagnose(facts)
    if probes:
        findings += await probe_all(container, facts)
    return facts.chain, worst_first(findings)


def gather(container: "Container") -> Facts:
    """Return what the container knows of its configuration, without any key."""
    registry = container.registry()
    snapshot = registry.snapshot()
    return Facts(
        settings=registry.settings,
        providers=tuple(_provider_facts(container, name) for name in registry.get_available_providers()),
        chain=tuple(registry.get_fallback_chain()),
        missing=snapshot.missing,
        warnings=registry.warnings,
        variables=container.sources()().environment.variables(),
        nothing_configured=snapshot.not_configured,
    )


def _provider_facts(container: "Container", name: str) -> ProviderFacts:
    registry = container.registry()
    status = registry.get_provider_status()[name]
    route = registry.snapshot().routes[name]
    config = getattr(registry.get_provider(name), "config", None)
    address_var = getattr(config, "base_url_var", "")
    return ProviderFacts(
        name=name,
        base_url=status["base_url"],
        base_url_var=address_var,
        model_var=getattr(config, "model_var", ""),
        api_key_var=getattr(config, "api_key_var", ""),
        dialect=status["dialect"],
        address_is_set=bool(address_var and container.sources()().environment.find(address_var)),
        is_local=getattr(config, "is_local", False),
        models=tuple(status["models"][:1]),
        timeout=route.timeout_for(status["model"]) if route.timeout_for else route.timeout,
        weight=status["confidence"],
        key_is_placeholder=is_placeholder(getattr(config, "api_key", "")),
    )


async def probe_all(container: "Container", facts: Facts) -> list[Finding]:
    """Ask all configured providers at once; then, for local servers that refused, look at the usual ports."""
    registry = container.registry()
    probed = await asyncio.gather(
        *(probe(provider, registry.get_provider(provider.name), container.clock()) for provider in facts.providers)
    )
    hosts = list({host_of(entry.facts.base_url) for entry in probed if entry.is_local_refusal})
    answers = await asyncio.gather(*(listening(host, USUAL_PORTS) for host in hosts))
    open_ports = dict(zip(hosts, answers, strict=True))
    return [finding for entry in probed for finding in judge(entry, open_ports)]


def _print(chain: "Sequence[str]", findings: "Sequence[Finding]", *, probed: bool) -> None:
    screen = console()
    for finding in findings:
        line = styled(finding.severity, STYLES[finding.severity]).append_text(
            styled(f"  {finding.subject}: {finding.text}")
        )
        screen.print(line, soft_wrap=True)
        if finding.remedy:
            screen.print(styled(f"  {finding.remedy}"), soft_wrap=True)
    if chain:
        screen.print(styled(f"Asked in this order: {', '.join(chain)}."), soft_wrap=True)
    wrong = sum(not is_healthy([finding]) for finding in findings)
    verdict = f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong." if wrong else "Nothing wrong was found."
    hint = "" if probed or not chain else " Nothing was sent; --probe asks each provider for its models."
    screen.print(styled(verdict + hint, "red" if wrong else "green"), soft_wrap=True)
