"""`faultmaven new-provider`: a row or a class of one's own, with its test and a page about it."""

from pathlib import Path
from typing import Any

import click

from ...domain.names import did_you_mean
from ..output import console, json_option, print_json, styled
from ..scaffold import CLASSES, WRITTEN_OUT, NewProvider, commands_after, files_of, name_fault, write_all


@click.command("new-provider", short_help="Write a new provider's row or class, its test and a page.")
@click.argument("name")
@click.option("--class", "has_class", is_flag=True, help="Write a class in the guide's form, and a row that names it.")
@click.option("--dialect", default="openai-chat", metavar="NAME", help="What the vendor speaks, such as openai-chat.")
@click.option("--base-url", default="", metavar="URL", help="Its address, with the version path.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Where the files go; the working directory without it.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@json_option
def command(name: str, directory: Path, force: bool, as_json: bool, **asked: Any) -> None:
    """Write the files of a provider NAME: a row for LLM_PROVIDERS_FILE, with --class also a class, a test that passes
    at once, and a page about its variables. It writes all of them or none."""
    new = NewProvider(name, **asked)
    _check(new)
    texts = files_of(new)
    _check_places(texts, directory, force=force)
    write_all(texts, directory)
    if as_json:
        files = [str(directory / file) for file in texts]
        print_json({"name": name, "files": files, "variables": new.variables, "next": commands_after(new)})
    else:
        _print(new, texts, directory)


# What is imported in these functions loads the HTTP client and more, which --help does without.
def _check(new: NewProvider) -> None:
    """Refuse what could not be used, before anything is written."""
    from ...infrastructure.llm.providers.rows.fields import is_address

    if fault := name_fault(new.name):
        raise click.BadParameter(f"{new.name!r} can name no provider: {fault}.", param_hint="NAME")
    if new.base_url and (not is_address(new.base_url) or set(new.base_url) & set('"\\')):
        told = "write a whole address that begins with http:// or https://, without ?, # and quotation marks"
        raise click.BadParameter(told, param_hint="--base-url")
    _check_dialect(new)
    _check_is_free(new)


def _check_dialect(new: NewProvider) -> None:
    from ...infrastructure.llm.dialects.registry import DIALECTS

    if new.dialect not in DIALECTS:
        told = f"unknown dialect {new.dialect!r}{did_you_mean(new.dialect, DIALECTS)}"
        raise click.BadParameter(told, param_hint="--dialect")
    if new.has_class and new.spoken not in WRITTEN_OUT:
        told = f"a class is written for {' or '.join(WRITTEN_OUT)}; without --class, {CLASSES[new.spoken]} speaks it"
        raise click.BadParameter(told, param_hint="--dialect")


def _check_is_free(new: NewProvider) -> None:
    """Refuse the name of a row that ships or that a package brings, and one whose variables mean something else."""
    from ... import create_container
    from ...infrastructure.configuration.environment_warnings import VENDOR_NAMES
    from ...infrastructure.configuration.settings import SECOND_NAMES, VARIABLES

    registry = create_container(env={}).registry()
    if new.name in registry.get_all_provider_names():
        raise click.BadParameter(f"there is a provider {new.name!r} already.", param_hint="NAME")
    read = {*VARIABLES, *SECOND_NAMES.values(), *VENDOR_NAMES, *(entry.variable for entry in registry.entries())}
    if taken := sorted(read.intersection(new.variables)):
        raise click.BadParameter(f"{', '.join(taken)} would be its own, and means something else.", param_hint="NAME")


def _check_places(texts: dict[str, str], directory: Path, *, force: bool) -> None:
    there = [str(directory / name) for name in texts if (directory / name).exists()]
    if there and not force:
        raise click.UsageError(f"{', '.join(there)} would be replaced; --force does it. Nothing was written.")
    if folders := [name for name in there if Path(name).is_dir()]:
        raise click.UsageError(f"{', '.join(folders)} is a directory. Nothing was written.")


def _print(new: NewProvider, texts: dict[str, str], directory: Path) -> None:
    screen = console()
    screen.print(styled("Wrote:"))
    for name in texts:
        screen.print(styled(f"  {directory / name}"), soft_wrap=True)
    screen.print(styled(f"Next, in {directory if str(directory) != '.' else 'this directory'}:"), soft_wrap=True)
    for line in commands_after(new):
        screen.print(styled(f"  {line}"), soft_wrap=True)
