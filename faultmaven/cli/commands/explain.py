"""`faultmaven explain`: prints the plan of a request, and sends nothing."""

import functools
from typing import TYPE_CHECKING, Any

import click

from ..output import json_option, open_console, print_json, style_text
from ..session import run_with_container

if TYPE_CHECKING:
    from ... import Container, Plan


@click.command("explain", short_help="Show the plan of a request: candidates in order, skipped providers with reasons.")
@click.argument("prompt", default="ping")
@click.option("--provider", metavar="NAME", help="Plan for this provider only.")
@click.option("--model", metavar="NAME", help="Plan for this model.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Maximum length of the answer, in tokens.")
@click.option("--role", metavar="NAME", help="Role: chat, multimodal, synthesis, classifier or code.")
@click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), help="Seconds for the whole call, fallbacks included."
)
@click.option("--hedge-after", type=click.FloatRange(min=0, min_open=True), help="Seconds before a hedged attempt.")
@json_option
def command(prompt: str, as_json: bool, **options: Any) -> None:
    """Show the plan of a request: candidates in order with their seconds, skipped providers with reasons.

    Only the length of PROMPT counts. No request is sent. Circuit breakers and limits keep their state in the process
    that makes the calls; call container.explain(...) there to include this state.
    """
    plan, warnings = run_with_container(functools.partial(_explain, prompt, options))
    if as_json:
        print_json(plan.as_object())
    else:
        for warning in warnings:
            open_console(stderr=True).print(style_text(f"warning: {warning}", "yellow"), soft_wrap=True)
        open_console().print(style_text(str(plan)), soft_wrap=True)
        if all(skipped.kind == "unconfigured row" for skipped in plan.skipped) and not plan.candidates:
            open_console(stderr=True).print("`faultmaven doctor` lists the variables to set.", soft_wrap=True)


async def _explain(prompt: str, options: dict[str, Any], container: "Container") -> "tuple[Plan, tuple[str, ...]]":
    return container.explain(prompt, **options), container.registry().warnings
