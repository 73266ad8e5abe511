"""`faultmaven providers`: lists every provider that has a row."""

import math
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from ..output import json_option, open_console, print_json, style_text
from ..session import run_with_container

if TYPE_CHECKING:
    from ... import Container


@click.command("providers", short_help="List the providers.")
@json_option
def command(as_json: bool) -> None:
    """List the providers: configured or the missing settings, model, address and position in the chain."""
    statuses = run_with_container(_list_statuses)
    if as_json:
        print_json(statuses)
    else:
        open_console().print(_build_table(statuses))


async def _list_statuses(container: "Container") -> list[dict[str, Any]]:
    status_by_name = container.registry().get_provider_status()
    return sorted(({"name": name, **status} for name, status in status_by_name.items()), key=_rank)


def _rank(status: dict[str, Any]) -> tuple[bool, float]:
    """Return the sort key: the chain comes first, in order, then other configured providers, then all others."""
    return not status["available"], status["position"] or math.inf


def _build_table(statuses: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "configured", "model", "base URL"):
        table.add_column(heading, overflow="fold")
    table.add_column("in chain", justify="right")
    table.add_column("confidence", justify="right")
    for status in statuses:
        table.add_row(*map(style_text, _build_cells(status)), style="" if status["available"] else "dim")
    return table


def _build_cells(status: dict[str, Any]) -> list[str]:
    position = status["position"]
    return [
        status["name"],
        "yes" if status["available"] else f"no: {status['missing']}",
        status["model"] or "the server's first model",
        status["base_url"],
        str(position) if position else "-",
        f"{status['confidence']:.2f}",
    ]
