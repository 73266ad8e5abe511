"""`faultmaven config`: prints the effective configuration with its sources, checks or compares environments."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from .. import exit_codes
from ..output import json_option, open_console, print_json, style_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...infrastructure.configuration.config_sources import ConfigEntry
    from ..environment_diff import EnvironmentReport

MODES = ("--check", "--diff", "--schema")


@click.command("config", short_help="Show the configuration and its sources; check or compare environments.")
@click.argument("environments", nargs=-1, metavar="[NAME]...")
@click.option("--check", is_flag=True, help="Report faults and warnings; exit with 1 if there are any.")
@click.option("--diff", is_flag=True, help="Compare two environments; exit with 0 even if they differ.")
@click.option("--files-only", is_flag=True, help="Ignore the process environment; read only the files.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the file of LLM_PROVIDERS_FILE.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, /, environments: tuple[str, ...], files_only: bool, as_json: bool, **modes: bool
) -> None:
    """Show every effective value with its source. API keys show as set or unset only.

    NAME is an environment: the command reads the file .env.NAME, as FAULTMAVEN_ENV=NAME does. Without NAME, the
    command uses the environment of this process. --check takes any number of names, --diff takes two.

    Variables of the process environment override the files of every environment. --files-only ignores the process
    environment; ${NAME} in a file then refers to a variable of the same file.
    """
    chosen = [mode for mode in MODES if modes[mode.removeprefix("--")]]
    _check_usage(chosen, environments, files_only)
    if chosen == ["--schema"]:
        _print_schema()
    elif chosen == ["--diff"]:
        from ..config_diff import print_environment_diff

        ctx.exit(print_environment_diff(*environments, files_only=files_only, as_json=as_json))
    elif chosen == ["--check"]:
        ctx.exit(_check(environments, files_only=files_only, as_json=as_json))
    else:
        _show("".join(environments), files_only=files_only, as_json=as_json)


def _check_usage(chosen: list[str], environments: tuple[str, ...], files_only: bool) -> None:
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} exclude each other.")
    if chosen == ["--schema"] and (environments or files_only):
        raise click.UsageError("--schema takes neither a NAME nor --files-only: every environment has the same schema.")
    if chosen == ["--diff"] and len(environments) != 2:
        raise click.UsageError("--diff takes two environments, such as: --diff staging production")
    if not chosen and len(environments) > 1:
        raise click.UsageError("Several environments can be compared with --diff, or checked with --check.")
    if "" in environments:
        raise click.UsageError("The name of an environment is empty.")


def _print_schema() -> None:
    from ...infrastructure.llm.providers.registry import exported_classes
    from ..row_schema import file_schema

    print_json(file_schema(exported_classes()))


def _show(name: str, *, files_only: bool, as_json: bool) -> None:
    from ...infrastructure.configuration.settings import faults_error
    from ..environments import read_environment_report

    report = read_environment_report(name, files_only=files_only)
    if report.faults:
        raise faults_error("the configuration", list(report.faults))
    if as_json:
        print_json({"entries": [asdict(entry) for entry in report.entries], "warnings": list(report.warnings)})
    else:
        _print_table(report.entries)
        for warning in report.warnings:
            open_console().print(style_text(f"warning: {warning}", "yellow"), soft_wrap=True)


def _print_table(entries: "Sequence[ConfigEntry]") -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("variable", "value", "source", "overrode"):
        table.add_column(heading, overflow="fold")
    provider = ""
    for entry in entries:
        if entry.provider != provider:
            table.add_section()
            provider = entry.provider
        cells = (entry.variable, entry.value or "-", entry.source or "-", ", ".join(entry.overrode))
        table.add_row(*map(style_text, cells), style="dim" if entry.source.startswith("default") else "")
    open_console().print(table)


def _check(names: tuple[str, ...], *, files_only: bool, as_json: bool) -> int:
    """Check every environment, print the reports, and return the exit code: 1 for a fault or a warning in any."""
    from ..environments import examine_environment

    reports = [examine_environment(name, files_only=files_only) for name in names or ("",)]
    ok = all(report.ok for report in reports)
    if not as_json:
        for report in reports:
            _print_report(report)
    elif names:
        print_json({"ok": ok, "environments": {report.name: _as_object(report) for report in reports}})
    else:
        print_json(_as_object(reports[0]))
    return exit_codes.OK if ok else exit_codes.CONFIGURATION


def _as_object(report: "EnvironmentReport") -> dict[str, Any]:
    return {
        "ok": report.ok,
        "faults": list(report.faults),
        "warnings": list(report.warnings),
        "entries": [asdict(entry) for entry in report.entries],
    }


def _print_report(report: "EnvironmentReport") -> None:
    prefix = f"{report.name}: " if report.name else ""
    texts = [style_text(f"{prefix}fault: {fault}", "red") for fault in report.faults]
    texts += [style_text(f"{prefix}warning: {warning}", "yellow") for warning in report.warnings]
    chain = ", ".join(report.chains.get("chat", ())) or "no provider"
    for text in texts or [style_text(f"{prefix}the configuration is valid; chain: {chain}", "green")]:
        open_console().print(text, soft_wrap=True)
