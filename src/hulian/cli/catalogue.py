"""``hulian catalogue dump`` and ``apply``: what the plant is, as one file, on the node itself."""

from __future__ import annotations

import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import msgspec
from cyclopts import Parameter

from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration

__all__ = ["catalogue_apply", "catalogue_dump", "follow"]


def catalogue_dump(
    target: Annotated[Path | None, Parameter(help="file to write; the terminal where none is named")] = None,
    /,
    *,
    config: ConfigFile = None,
) -> None:
    """Write every connector and point as TOML, for version control. Passwords are not in it, only references to them.

    Example:

        hulian catalogue dump plant.toml
    """
    from hulian.assembly.preparation import open_registry
    from hulian.data.catalogue import Catalogue, dump

    configuration = read_configuration(config)
    registry = open_registry(configuration)
    try:
        text = dump(Catalogue(registry, configuration.node.organisation))
    finally:
        registry.close()
    if target is None:
        sys.stdout.write(text)
    else:
        target.write_text(text, encoding="utf-8")
        print(target)


def catalogue_apply(
    source: Annotated[Path, Parameter(help="a file that 'hulian catalogue dump' wrote, or one like it")],
    /,
    *,
    remove: Annotated[bool, Parameter(help="remove what the file does not hold", negative="")] = False,
    dry_run: Annotated[bool, Parameter(help="show what would change and stop", negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Make connectors and points what a TOML file says, all or nothing; a running platform follows at once.

    Examples:

        hulian catalogue apply plant.toml --dry-run
        hulian catalogue apply plant.toml --remove
    """
    from hulian.assembly.preparation import open_registry
    from hulian.assembly.processing import check_document
    from hulian.data.catalogue import Catalogue, apply
    from hulian.kernel.errors import ConfigurationError

    configuration = read_configuration(config)
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read it: {error}", place=str(source)) from error
    registry = open_registry(configuration)
    try:
        catalogue = Catalogue(registry, configuration.node.organisation)
        check = partial(check_document, catalogue, place=str(source))
        done = apply(catalogue, text, place=str(source), remove=remove, dry_run=dry_run, check=check)
    finally:
        registry.close()
    if not dry_run:
        anyio.run(follow, configuration)
    if json:
        emit(done)
        return
    for name, value in msgspec.to_builtins(done).items():
        if isinstance(value, dict):
            value = [f"{count} {what}" for what, count in value.items() if count]
        if value:
            print(f"{name.replace('_', ' ')}: {value if isinstance(value, int) else ', '.join(map(str, value))}")


async def follow(configuration: Configuration) -> None:
    """Tells the edge, where one runs; else the next start reads the registry anyway."""
    import structlog

    from hulian.assembly.preparation import connect_spine
    from hulian.kernel.errors import HulianError
    from hulian.network.exchange.spine.streams import Subjects

    before = structlog.get_config()
    # what the spine's client notes while it tries belongs to no command's output
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        async with await connect_spine(configuration, "cli", seconds=1.0) as spine:
            subject = Subjects(configuration.node.organisation).control("edge")
            await spine.request(subject, msgspec.json.encode({"do": "reload"}), timeout=60)
    except HulianError as error:
        print(f"the platform does not run here now ({error.code}): the next start takes what was applied", file=sys.stderr)
    finally:
        structlog.configure(**before)
