"""`faultmaven providers`: every provider there is a row for."""

import math
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from ..output import console, json_option, print_json, styled
from ..session import with_container

if TYPE_CHECKING:
    from ... import Container


@click.command("providers", short_help="List the providers.")
@json_option
def command(as_json: bool) -> None:
    """List the providers: which are configured, and in which order they are asked."""
    rows = with_container(_rows)
    if as_json:
        print_json(rows)
    else:
        console().print(_table(rows))


async def _rows(container: "Container") -> list[dict[str, Any]]:
    status = container.registry().get_provider_status()
    rows = [{"name": name, **facts} for name, facts in status.items()]
    return sorted(rows, key=_rank)


def _rank(row: dict[str, Any]) -> tuple[bool, float]:
    """Put the chain first, in its order, then the other configured ones, then the rest."""
    return not row["available"], row["position"] or math.inf


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "configured", "model", "base URL"):
        table.add_column(heading, overflow="fold")
    table.add_column("in chain", justify="right")
    table.add_column("confidence", justify="right")
    for row in rows:
        table.add_row(*map(styled, _cells(row)), style="" if row["available"] else "dim")
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    position = row["position"]
    return [
        row["name"],
        "yes" if row["available"] else f"no: {row['missing']}",
        row["model"] or "the server's first",
        row["base_url"],
        str(position) if position else "-",
        f"{row['confidence']:.2f}",
    ]
