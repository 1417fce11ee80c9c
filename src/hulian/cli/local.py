"""Where a command finds the platform: a configuration on this machine, or an address and a token."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hulian.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.sdk import Platform

__all__ = ["DEFAULT_FILE", "DEFAULT_REMOTE", "ConfigFile", "Json", "Remote", "open_platform", "read_configuration"]

DEFAULT_FILE = Path("hulian.toml")

ConfigFile = Annotated[
    Path | None, Parameter(name=["--config", "-c"], help="configuration file; hulian.toml of this folder where none is named")
]
Json = Annotated[bool, Parameter(name="--json", help="print JSON", negative="")]


@Parameter(name="*")
@dataclass(frozen=True)
class Remote:
    """The platform that a command talks to. A dataclass: of other types the command line makes one option instead of three."""

    url: Annotated[str, Parameter(name="--platform", help="address of the platform; this machine's where none is named")] = ""
    token: Annotated[str, Parameter(name="--token", help="API token; $HULIAN_TOKEN or this machine's own")] = ""
    config: ConfigFile = None


DEFAULT_REMOTE = Remote()


def read_configuration(path: Path | None) -> Configuration:
    """The configuration of this node; defaults where there is no file and none was named."""
    from hulian.assembly.configuration import Configuration
    from hulian.kernel.configuration import load

    if path is None:
        named = os.environ.get("HULIAN_CONFIG")
        path = Path(named) if named else DEFAULT_FILE
        if not named and not path.exists():
            return Configuration()
    if path.is_dir():
        raise ConfigurationError("the configuration is a folder, not a file", place=str(path))
    return load(path, Configuration)


def open_platform(remote: Remote) -> Platform:
    """A client of the platform: the named one, or the one of this machine with the token that only its owner can read."""
    from hulian.sdk import Platform

    url = remote.url or os.environ.get("HULIAN_URL", "")
    token = remote.token or os.environ.get("HULIAN_TOKEN", "")
    if not url:
        from hulian.assembly.local import local_access

        url, own, authority = local_access(read_configuration(remote.config))
        return Platform(url, token=token or own, verify=authority)
    return Platform(url, token=token or None)
