"""`faultmaven explain`: who would be asked for a request, and why not the others. Nothing is sent."""

import functools
from typing import TYPE_CHECKING, Any

import click

from ..output import console, json_option, print_json, styled
from ..session import with_container

if TYPE_CHECKING:
    from ... import Container, Plan


@click.command("explain", short_help="Show who would be asked, and why not the others.")
@click.argument("prompt", default="ping")
@click.option("--provider", metavar="NAME", help="As if this provider only were to be asked.")
@click.option("--model", metavar="NAME", help="As if for this model.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Upper limit of the answer, in tokens.")
@click.option("--role", metavar="NAME", help="chat, multimodal, synthesis, classifier or code.")
@click.option("--deadline", type=click.FloatRange(min=0, min_open=True), help="Seconds for all of it.")
@click.option("--hedge-after", type=click.FloatRange(min=0, min_open=True), help="Seconds before a second is asked.")
@json_option
def command(prompt: str, as_json: bool, **asked: Any) -> None:
    """Show the plan for PROMPT: the candidates, the seconds of each, and for everybody else the reason.

    Only the length of PROMPT counts. Breakers and limits live in the process that makes the calls: what they say there
    is in its own container.explain(...).
    """
    plan, warnings = with_container(functools.partial(_explain, prompt, asked))
    if as_json:
        print_json(plan.as_object())
    else:
        for warning in warnings:
            console(stderr=True).print(styled(f"warning: {warning}", "yellow"), soft_wrap=True)
        console().print(styled(str(plan)), soft_wrap=True)
        if all(entry.kind == "unconfigured row" for entry in plan.skipped) and not plan.candidates:
            console(stderr=True).print("`faultmaven doctor` says what to set.", soft_wrap=True)


async def _explain(prompt: str, asked: dict[str, Any], container: "Container") -> "tuple[Plan, tuple[str, ...]]":
    return container.explain(prompt, **asked), container.registry().warnings
