"""``hulian resolve``: what an identifier stands for, and the path that led there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import NothingFoundError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit, table

if TYPE_CHECKING:
    from hulian.network.identifiers.chain.follow import Hop
    from hulian.network.identifiers.junction.found import Found, Step
    from hulian.network.identifiers.junction.junction import Junction
    from hulian.network.identifiers.wire.values import Value

__all__ = ["hop_row", "resolve"]


def resolve(
    identifier: Annotated[
        str, Parameter(help="e.g. 88.111.1/ITEM7, 1.2.156.1, did:web:example.com, (01)09506000134352, a link")
    ],
    /,
    *,
    root: Annotated[
        Path | None, Parameter(help="root data; this node's own where none are named", env_var="HULIAN_ROOT")
    ] = None,
    index: Annotated[list[int] | None, Parameter(help="only the values with these indexes", negative="")] = None,
    type_: Annotated[list[str] | None, Parameter(name="--type", help="only values of these types", negative="")] = None,
    trace: Annotated[bool, Parameter(help="show every question of the path, and how long it took", negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Resolve an identifier by the system that knows it: Handles from the root down to whoever answers for them.

    A prefix alone shows its service. OIDs, GS1 keys and links, DIDs and the prefixes of other registries are resolved by the
    systems that the table [identifiers.junction] names. No platform needs to run: root data are all that is known beforehand.

    Examples:

        hulian resolve 99.118.8/reactor
        hulian resolve 88.111.1/ITEM7 --root root_info
        hulian resolve 88.111.1/ITEM7 --root root_info --type URL --trace
        hulian resolve urn:oid:1.2.156.1.7 --trace
    """
    import anyio

    from hulian.assembly.identifier_files import open_junction

    found = anyio.run(_resolved, open_junction(read_configuration(config), root), identifier, index, type_)
    _print(found, trace=trace, json=json)


async def _resolved(junction: Junction, identifier: str, indexes: list[int] | None, types: list[str] | None) -> Found:
    return await junction.resolve(identifier, indexes=indexes or (), types=types or ())


def _print(found: Found, *, trace: bool, json: bool) -> None:
    from hulian.network.identifiers.wire.codes import response_text

    if json:
        emit(_document(found, trace=trace))
    else:
        if found.done:
            table([_row(value) for value in found.values], ["index", "type", "value", "ttl"], empty="The record has no values.")
            where = f" at {found.path[-1].of.rpartition('://')[2]}" if found.path else ""
            print(f"Answered by {found.system}{where}.")
        if trace:
            print()
            table([_step(step) for step in found.path], ["asked", "of", "answer", "ms"], empty="Nobody was asked.")
    if not found.done:
        said = f" ({found.message})" if found.message else ""
        raise NothingFoundError(
            f"{response_text(found.code)}{said}", place=found.identifier, hint="check the spelling; --trace shows who was asked"
        )


def _document(found: Found, *, trace: bool) -> dict[str, Any]:
    from hulian.network.identifiers.wire.json_form.values import values_to_json

    path = {"path": [_step(step) for step in found.path]} if trace else {}
    head = {"responseCode": int(found.code), "handle": found.identifier, "system": found.system.value}
    return {**head, "values": values_to_json(found.values), **path}


def _step(step: Step) -> dict[str, Any]:
    return {"asked": step.asked, "of": step.of, "answer": step.answer, "ms": round(step.seconds * 1000, 2)}


def _row(value: Value) -> dict[str, Any]:
    import msgspec

    from hulian.network.identifiers.wire.json_form.values import value_to_json

    shown: Any = value_to_json(value)
    data = shown["data"]["value"]
    text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
    return {"index": value.index, "type": value.type, "value": text[:400], "ttl": value.ttl}


def hop_row(hop: Hop) -> dict[str, Any]:
    """One question of a path, as people see it."""
    from hulian.network.identifiers.wire.codes import response_text

    answer = hop.error or f"{hop.code}: {response_text(hop.code)}"
    return {"asked": hop.handle, "of": hop.target, "answer": answer, "ms": round(hop.seconds * 1000, 2)}
