"""`faultmaven config`: what holds, where it came from, what it overrode."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from faultmaven.cli import exits
from faultmaven.cli.output import console, json_option, print_json, styled
from faultmaven.cli.session import with_container

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultmaven import Container
    from faultmaven.infrastructure.provenance import ConfigEntry


@click.command("config", short_help="Show what holds, and where it came from.")
@click.option("--check", is_flag=True, help="Exit with 1 when there is any warning.")
@json_option
@click.pass_context
def command(ctx: click.Context, check: bool, as_json: bool) -> None:
    """Show every effective value with its source. Keys show as set or unset only."""
    entries, warnings = with_container(_read)
    if as_json:
        print_json({"entries": [asdict(entry) for entry in entries], "warnings": list(warnings)})
    else:
        _print(entries, warnings)
    if check and warnings:
        ctx.exit(exits.CONFIGURATION)


async def _read(container: "Container") -> "tuple[list[ConfigEntry], tuple[str, ...]]":
    return container.configuration(), container.registry().warnings


def _print(entries: "Sequence[ConfigEntry]", warnings: "Sequence[str]") -> None:
    screen = console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("variable", "value", "source", "overrode"):
        table.add_column(heading, overflow="fold")
    provider = ""
    for entry in entries:
        if entry.provider != provider:
            table.add_section()
            provider = entry.provider
        cells = (entry.variable, entry.value or "-", entry.source or "-", ", ".join(entry.overrode))
        table.add_row(*map(styled, cells), style="dim" if entry.source.startswith("default") else "")
    screen.print(table)
    for warning in warnings:
        screen.print(styled(f"warning: {warning}", "yellow"), soft_wrap=True)
