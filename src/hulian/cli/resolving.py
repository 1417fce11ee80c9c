"""``hulian resolve``: what an identifier stands for, and the path that led there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import CommandError, NothingFoundError
from hulian.cli.local import Json
from hulian.cli.output import emit, table

if TYPE_CHECKING:
    from hulian.network.identifiers.chain.follow import Hop, Resolution
    from hulian.network.identifiers.wire.values import Value

__all__ = ["resolve"]


def resolve(
    identifier: Annotated[str, Parameter(help="e.g. 88.111.1/ITEM7; a prefix alone shows its service")],
    /,
    *,
    root: Annotated[Path, Parameter(help="root data: the file that says where the root is", env_var="HULIAN_ROOT")],
    index: Annotated[list[int] | None, Parameter(help="only the values with these indexes", negative="")] = None,
    type_: Annotated[list[str] | None, Parameter(name="--type", help="only values of these types", negative="")] = None,
    trace: Annotated[bool, Parameter(help="show every question of the path, and how long it took", negative="")] = False,
    json: Json = False,
) -> None:
    """Resolve an identifier, from the root down to whoever answers for it.

    No platform needs to run: root data are all that is known beforehand.

    Examples:

        hulian resolve 88.111.1/ITEM7 --root root_info
        hulian resolve 88.111.1/ITEM7 --root root_info --type URL --trace
    """
    import anyio

    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.transport.client import Client
    from hulian.network.identifiers.wire.bodies import ResolveRequest
    from hulian.network.identifiers.wire.root_info import MAX_ROOT_INFO, unpack_root_info

    try:
        with root.open("rb") as file:
            data = file.read(MAX_ROOT_INFO + 5)
    except OSError as error:
        raise CommandError(f"cannot read the root data: {error.strerror}", place=str(root), hint="look at its name") from error
    follow = Follow(unpack_root_info(data), Client())
    question = ResolveRequest(_handle(identifier), tuple(index or ()), tuple(type_ or ()))
    found = anyio.run(follow.resolve, question)
    _print(found, trace=trace, json=json)


def _handle(identifier: str) -> str:
    """The Handle form of what was typed or scanned; a bare prefix stays what it is."""
    from hulian.network.identifiers.schemes.errors import SchemeError
    from hulian.network.identifiers.schemes.recognition import recognise

    try:
        code = recognise(identifier)
    except SchemeError:
        return identifier
    return code.to_text() if code.scheme == "handle" else identifier


def _print(found: Resolution, *, trace: bool, json: bool) -> None:
    from hulian.network.identifiers.wire.codes import ResponseCode, response_text

    success = found.code == ResponseCode.SUCCESS
    if json:
        emit(_document(found, trace=trace))
    else:
        if success:
            table([_row(value) for value in found.values], ["index", "type", "value", "ttl"], empty="The record has no values.")
        if trace:
            print()
            table([_hop(hop) for hop in found.path], ["asked", "of", "answer", "ms"], empty="Nobody was asked.")
    if not success:
        said = f" ({found.message})" if found.message else ""
        raise NothingFoundError(
            f"{response_text(found.code)}{said}", place=found.handle, hint="check the spelling; --trace shows who was asked"
        )


def _document(found: Resolution, *, trace: bool) -> dict[str, Any]:
    from hulian.network.identifiers.wire.json_form.values import values_to_json

    path = {"path": [_hop(hop) for hop in found.path]} if trace else {}
    return {"responseCode": int(found.code), "handle": found.handle, "values": values_to_json(found.values), **path}


def _row(value: Value) -> dict[str, Any]:
    import msgspec

    from hulian.network.identifiers.wire.json_form.values import value_to_json

    shown: Any = value_to_json(value)
    data = shown["data"]["value"]
    text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
    return {"index": value.index, "type": value.type, "value": text[:400], "ttl": value.ttl}


def _hop(hop: Hop) -> dict[str, Any]:
    from hulian.network.identifiers.wire.codes import response_text

    answer = hop.error or f"{hop.code}: {response_text(hop.code)}"
    return {"asked": hop.handle, "of": hop.target, "answer": answer, "ms": round(hop.seconds * 1000, 2)}
