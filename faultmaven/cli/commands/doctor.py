"""`faultmaven doctor`: prints the problems of a configuration and their remedies."""

import asyncio
import functools
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ...domain.errors import ConfigurationError
from .. import exit_codes
from ..diagnosis import (
    ConfigurationFacts,
    DoctorFinding,
    ProviderFacts,
    diagnose,
    is_healthy,
    is_placeholder,
    list_error_findings,
    sort_by_severity,
)
from ..output import json_option, open_console, print_json, style_text
from ..provider_probe import USUAL_PORTS, diagnose_probe, find_open_ports, get_host, run_doctor_probe
from ..session import run_with_container

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ... import Container

STYLE_BY_SEVERITY = {"problem": "red", "warning": "yellow", "note": "dim", "ok": "green"}


@click.command("doctor", short_help="Check the configuration, and report problems with their fixes.")
@click.option("--probe", "probes", is_flag=True, help="Request the list of models of each provider, at no cost.")
@json_option
@click.pass_context
def command(ctx: click.Context, probes: bool, as_json: bool) -> None:
    """Check the configuration, and report problems with their fixes. Without --probe, no request is sent."""
    try:
        chain, findings = run_with_container(functools.partial(_examine, probes=probes))
    except ConfigurationError as error:
        chain, findings = (), list_error_findings(error)
    if as_json:
        objects = [asdict(finding) for finding in findings]
        print_json({"healthy": is_healthy(findings), "chain": list(chain), "findings": objects})
    else:
        _print_text(chain, findings, probed=probes)
    if not is_healthy(findings):
        ctx.exit(exit_codes.CONFIGURATION)


async def _examine(container: "Container", *, probes: bool) -> "tuple[tuple[str, ...], list[DoctorFinding]]":
    """Return the chain for chat and the findings, the worst first; send probes only if `probes` is true."""
    facts = gather_facts(container)
    findings = diagnose(facts)
    if probes:
        findings += await probe_providers(container, facts)
    return facts.chain, sort_by_severity(findings)


def gather_facts(container: "Container") -> ConfigurationFacts:
    """Return the facts about the container's configuration, without API keys."""
    registry = container.registry()
    snapshot = registry.snapshot()
    return ConfigurationFacts(
        settings=registry.settings,
        providers=tuple(_gather_provider_facts(container, name) for name in registry.get_available_providers()),
        chain=tuple(registry.get_fallback_chain()),
        missing=snapshot.missing,
        warnings=registry.warnings,
        variables=container.sources()().environment.variables(),
        nothing_configured=snapshot.not_configured,
    )


def _gather_provider_facts(container: "Container", name: str) -> ProviderFacts:
    registry = container.registry()
    status = registry.get_provider_status()[name]
    route = registry.snapshot().routes[name]
    config = getattr(registry.get_provider(name), "config", None)
    base_url_var = getattr(config, "base_url_var", "")
    return ProviderFacts(
        name=name,
        base_url=status["base_url"],
        base_url_var=base_url_var,
        model_var=getattr(config, "model_var", ""),
        api_key_var=getattr(config, "api_key_var", ""),
        dialect=status["dialect"],
        address_is_set=bool(base_url_var and container.sources()().environment.find(base_url_var)),
        is_local=getattr(config, "is_local", False),
        models=tuple(status["models"][:1]),
        timeout=route.timeout_for(status["model"]) if route.timeout_for else route.timeout,
        weight=status["confidence"],
        key_is_placeholder=is_placeholder(getattr(config, "api_key", "")),
    )


async def probe_providers(container: "Container", facts: ConfigurationFacts) -> list[DoctorFinding]:
    """Probe all configured providers concurrently, and return the findings.

    For each host of a local server that refused, check which of the usual ports are open.
    """
    registry, clock = container.registry(), container.clock()
    results = await asyncio.gather(
        *(run_doctor_probe(provider, registry.get_provider(provider.name), clock) for provider in facts.providers)
    )
    hosts = list({get_host(result.facts.base_url) for result in results if result.is_local_refusal})
    ports = await asyncio.gather(*(find_open_ports(host, USUAL_PORTS) for host in hosts))
    open_ports = dict(zip(hosts, ports, strict=True))
    return [finding for result in results for finding in diagnose_probe(result, open_ports)]


def _print_text(chain: "Sequence[str]", findings: "Sequence[DoctorFinding]", *, probed: bool) -> None:
    console = open_console()
    for finding in findings:
        text = style_text(finding.severity, STYLE_BY_SEVERITY[finding.severity])
        text.append_text(style_text(f"  {finding.subject}: {finding.text}"))
        console.print(text, soft_wrap=True)
        if finding.remedy:
            console.print(style_text(f"  {finding.remedy}"), soft_wrap=True)
    if chain:
        console.print(style_text(f"Order of the chain: {', '.join(chain)}."), soft_wrap=True)
    wrong = sum(not is_healthy([finding]) for finding in findings)
    summary = (
        f"{wrong} {'finding needs' if wrong == 1 else 'findings need'} a fix." if wrong else "No problem was found."
    )
    hint = "" if probed or not chain else " No request was sent; --probe requests the list of models of each provider."
    console.print(style_text(summary + hint, "red" if wrong else "green"), soft_wrap=True)
