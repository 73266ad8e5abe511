"""`faultmaven new-provider`: writes the row or the class of a new provider, with a test and a page."""

from pathlib import Path
from typing import Any

import click

from ...domain.names import did_you_mean
from ..output import json_option, open_console, print_json, style_text
from ..scaffold import (
    CLASS_BY_DIALECT,
    CLASS_TEMPLATE_DIALECTS,
    NewProvider,
    build_files,
    find_name_fault,
    list_next_commands,
    write_files,
)


@click.command("new-provider", short_help="Write the row or the class of a new provider, with a test and a page.")
@click.argument("name")
@click.option("--class", "has_class", is_flag=True, help="Write a class in the guide's form, and a row for it.")
@click.option("--dialect", default="openai-chat", metavar="NAME", help="The vendor's dialect, such as openai-chat.")
@click.option("--base-url", default="", metavar="URL", help="The vendor's address, with the version path.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Target directory; the default is the working directory.",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@json_option
def command(name: str, directory: Path, force: bool, as_json: bool, **options: Any) -> None:
    """Write the files of a provider NAME: a row for LLM_PROVIDERS_FILE, with --class also a class, a test that passes
    at once, and a page about the variables. The command writes all files or none."""
    new = NewProvider(name, **options)
    _check(new)
    texts = build_files(new)
    _check_targets(texts, directory, force=force)
    write_files(texts, directory)
    if as_json:
        files = [str(directory / file) for file in texts]
        print_json({"name": name, "files": files, "variables": new.variables, "next": list_next_commands(new)})
    else:
        _print_text(new, texts, directory)


# The imports inside these functions load the HTTP client and more; without them --help starts sooner.
def _check(new: NewProvider) -> None:
    """Refuse a name, an address or a dialect that cannot be used, before any file is written."""
    from ...infrastructure.llm.providers.rows.fields import is_address

    if fault := find_name_fault(new.name):
        raise click.BadParameter(f"{new.name!r} is not a valid name: {fault}.", param_hint="NAME")
    if new.base_url and (not is_address(new.base_url) or set(new.base_url) & set('"\\')):
        rule = "write a whole address that begins with http:// or https://, without ?, # and quotation marks"
        raise click.BadParameter(rule, param_hint="--base-url")
    _check_dialect(new)
    _check_name_is_free(new)


def _check_dialect(new: NewProvider) -> None:
    from ...infrastructure.llm.dialects.registry import DIALECTS

    if new.dialect not in DIALECTS:
        message = f"unknown dialect {new.dialect!r}{did_you_mean(new.dialect, DIALECTS)}"
        raise click.BadParameter(message, param_hint="--dialect")
    if new.has_class and new.base_dialect not in CLASS_TEMPLATE_DIALECTS:
        dialects, built_in = " or ".join(CLASS_TEMPLATE_DIALECTS), CLASS_BY_DIALECT[new.base_dialect]
        message = f"--class supports {dialects}; without --class, {built_in} supports this dialect"
        raise click.BadParameter(message, param_hint="--dialect")


def _check_name_is_free(new: NewProvider) -> None:
    """Refuse the name of a built-in row or of a package's row, and a name whose variables have another meaning."""
    from ... import create_container
    from ...infrastructure.configuration.environment_warnings import VENDOR_NAMES
    from ...infrastructure.configuration.settings import SECOND_NAMES, VARIABLES

    registry = create_container(env={}).registry()
    if new.name in registry.get_all_provider_names():
        raise click.BadParameter(f"a provider {new.name!r} already exists.", param_hint="NAME")
    used = {*VARIABLES, *SECOND_NAMES.values(), *VENDOR_NAMES, *(entry.variable for entry in registry.entries())}
    if taken := sorted(used.intersection(new.variables)):
        text = f"the variables of this provider would include {', '.join(taken)}, used for another setting."
        raise click.BadParameter(text, param_hint="NAME")


def _check_targets(texts: dict[str, str], directory: Path, *, force: bool) -> None:
    """Refuse to replace files without `force`, and to replace a directory at all."""
    existing = [str(directory / name) for name in texts if (directory / name).exists()]
    if existing and not force:
        raise click.UsageError(
            f"{', '.join(existing)} would be replaced; use --force to replace files. No file was written."
        )
    if folders := [name for name in existing if Path(name).is_dir()]:
        raise click.UsageError(f"{', '.join(folders)} is a directory. No file was written.")


def _print_text(new: NewProvider, texts: dict[str, str], directory: Path) -> None:
    console = open_console()
    console.print(style_text("Wrote:"))
    for name in texts:
        console.print(style_text(f"  {directory / name}"), soft_wrap=True)
    console.print(style_text(f"Next, in {directory if str(directory) != '.' else 'this directory'}:"), soft_wrap=True)
    for command_line in list_next_commands(new):
        console.print(style_text(f"  {command_line}"), soft_wrap=True)
