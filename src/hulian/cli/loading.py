"""``hulian identifiers load``: a file of identifiers is registered, as fast as a node can make them durable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import Json, read_configuration
from hulian.cli.output import emit
from hulian.cli.registering import DEFAULT_REGISTRANT, Registrant, identity_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from hulian.assembly.configuration import Configuration

__all__ = ["identifiers_load"]

_SHOWN = 20


def identifiers_load(
    file: Annotated[Path, Parameter(help="CSV or Arrow IPC stream: handle, index, type, data; if you like ttl, permissions")],
    /,
    *,
    job: Annotated[str, Parameter(help="name of the job; else made of the file's name and content")] = "",
    url: Annotated[str, Parameter(help="HTTPS address of the node; this machine's own where none is named")] = "",
    ca: Annotated[Path | None, Parameter(help="certificate of the authority of that address")] = None,
    registrant: Registrant = DEFAULT_REGISTRANT,
    json: Json = False,
) -> int:
    """Register all identifiers of a file. What is acknowledged is durable; a load that was cut goes on: give the same command.

    Rows of one identifier stand together. A row that is refused is told with its line, and harms no other. The status is 1
    where rows were refused.

    Examples:

        hulian identifiers load pumps.csv
        hulian identifiers load pumps.csv --url https://node.example:8000 --as 300:0.NA/88.111.1 --key key.pem
    """
    import anyio

    from hulian.network.identifiers.transport.rest.bulk.sending import send

    configuration = read_configuration(registrant.config)
    address, context = _node(configuration, url, ca)
    identity = identity_of(registrant, configuration)
    name = job or _name(file)
    meter = _meter(file.stat().st_size, quiet=json)

    async def run() -> list[dict[str, Any]]:
        return await send(address, context, identity, file, name, sent=meter)

    lines = anyio.run(run)
    refused = [line["refused"] for line in lines if isinstance(line.get("refused"), dict)]
    last = lines[-1] if lines else {}
    if not last.get("done"):
        message, code = last.get("message", "the node went away"), last.get("code", "")
        again = "give the same command again: the job goes on"
        raise CommandError(f"the job is not done: {message}", place=str(code), hint=str(last.get("hint") or again))
    if json:
        emit({"job": name, **last, "rows_refused": refused})
    else:
        for one in refused[:_SHOWN]:
            print(f"line {one['line']}: {one['handle']}: {one['message']} ({one['code']})", file=sys.stderr)
        more = last["refused"] - min(len(refused), _SHOWN)
        if more > 0:
            print(f"… and {more} more rows", file=sys.stderr)
        print(f"{last['records']} identifiers are registered, {last['refused']} rows refused")
    return 1 if last["refused"] else 0


def _node(configuration: Configuration, url: str, ca: Path | None) -> tuple[str, ssl.SSLContext]:
    """Where the node takes jobs, and whom its certificate must be from."""
    import ssl

    settings = configuration.identifiers
    if url and not url.startswith("https://"):
        raise CommandError("records are changed over https only", place="--url", hint="e.g. https://127.0.0.1:8000")
    if not url:
        if not settings.rest_port or not settings.rest_tls:
            raise CommandError("this machine's node serves no HTTPS", hint="identifiers.rest_port and rest_tls in hulian.toml")
        host = settings.rest_host if settings.rest_host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - compared
        url = f"https://{f'[{host}]' if ':' in host else host}:{settings.rest_port}"
        own = Path(configuration.node.data) / "pki" / "authority" / "root.pem"
        ca = ca or (own if own.exists() and not settings.rest_certificate else None)
    try:
        return url, ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:
        raise CommandError(
            f"cannot read the certificate: {error.strerror}", place=str(ca), hint="--ca names a PEM file"
        ) from error


def _name(file: Path) -> str:
    """The same file is the same job: sent again, it goes on."""
    import hashlib
    import re

    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise CommandError(
            f"cannot read the file: {error.strerror}",
            place=str(file),
            hint="it takes CSV or an Arrow IPC stream with the columns handle, index, type and data",
        ) from error
    return re.sub(r"[^A-Za-z0-9._-]", "-", file.stem)[:60] + "-" + digest[:32]


def _meter(total: int, *, quiet: bool) -> Callable[[int], None]:
    """Progress on a terminal, at most four times a second."""
    import time

    shown = 0.0

    def meter(sent: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if quiet or not sys.stderr.isatty() or (now - shown < 0.25 and sent < total):
            return
        shown = now
        print(
            f"\r{sent * 100 // max(total, 1):3d} %  {sent / 1e6:,.1f} of {total / 1e6:,.1f} MB",
            end="",
            file=sys.stderr,
            flush=True,
        )
        if sent >= total:
            print(file=sys.stderr)

    return meter
