"""Calling a method with arguments of exactly the types that it declares (OPC 10000-4, section 5.12)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes, get_name_and_doc

from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.errors import CallError, NodeError, UnfitError
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.writing import variant

__all__ = ["as_json", "call", "property_of"]

_ENUMERATION: Final = ua.VariantType.Int32


async def property_of(session: Session, node: ua.NodeId, name: str) -> Any:
    """The value of a property of OPC UA's own, such as ``EURange``, of ``node``; None where it has none."""
    element: Any = ua.RelativePathElement(TargetName=ua.QualifiedName(name))
    element.ReferenceTypeId = address.standard(ObjectIds.HasProperty)
    element.IncludeSubtypes, element.IsInverse = True, False
    path = ua.BrowsePath(StartingNode=node, RelativePath=ua.RelativePath(Elements=[element]))
    with session.explained():
        (found,) = await session.services.translate_browsepaths_to_nodeids([path])
    if found.StatusCode.value & 0x8000_0000 or not found.Targets:
        return None
    target = found.Targets[0].TargetId
    (answer,) = await session.read([ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)])
    return answer.Value.Value if answer.Value is not None else None


async def call(session: Session, owner: ua.NodeId, method: ua.NodeId, place: str, value: Any) -> list[Any]:
    """Calls ``method`` of the object ``owner`` with ``value``, a list of its arguments, and returns what it gives back.

    Raises `NodeError` where there is no such method, `UnfitError` where an argument does not fit, `CallError` where the
    method or the server refuses.
    """
    if not isinstance(value, list | tuple):
        raise UnfitError("a method takes a list of arguments", place=place, hint="give a list, an empty one for none")
    declared = await property_of(session, method, "InputArguments") or []
    names = ", ".join(f"{argument.Name}" for argument in declared)
    if len(value) != len(declared):
        raise UnfitError(
            f"the method takes {len(declared)} arguments, not {len(value)}", place=place, hint=f"they are: {names}"
        )
    made = [_argument(argument, one, place) for argument, one in zip(declared, value, strict=True)]
    request = ua.CallMethodRequest(ObjectId=owner, MethodId=method, InputArguments=made)
    with session.explained():
        (result,) = await session.services.call([request])
    code = int(result.StatusCode.value)
    if code & 0x8000_0000:
        raise _refusal(code, result, declared, place)
    return [output.Value for output in result.OutputArguments]


def _argument(declared: Any, value: Any, place: str) -> ua.Variant:
    kind = declared.DataType
    number = kind.Identifier if kind.NamespaceIndex == 0 and isinstance(kind.Identifier, int) else 0
    if not 1 <= number <= 21:
        if isinstance(value, int) and not isinstance(value, bool):
            return variant(_ENUMERATION, value, array=False, place=f"{place}, {declared.Name}")
        raise UnfitError(f"the argument {declared.Name} has a type of the server's own", place=place)
    return variant(ua.VariantType(number), value, array=declared.ValueRank >= 0, place=f"{place}, {declared.Name}")


def _refusal(code: int, result: Any, declared: list[Any], place: str) -> Exception:
    name, text = get_name_and_doc(code)
    if code in (StatusCodes.BadMethodInvalid, StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid):
        return NodeError(f"the server has no such method ({name})", place=place)
    wrong = [
        f"{argument.Name}: {get_name_and_doc(int(status.value))[0]}"
        for argument, status in zip(declared, result.InputArgumentResults or [], strict=False)
        if status.value & 0x8000_0000
    ]
    if code in (StatusCodes.BadInvalidArgument, StatusCodes.BadTypeMismatch, StatusCodes.BadArgumentsMissing):
        return UnfitError(f"the method does not take these arguments ({name}) {'; '.join(wrong)}".rstrip(), place=place)
    return CallError(f"the method was refused: {name}: {text}", place=place, status=code)


def as_json(outputs: list[Any]) -> str:
    """What a method gave back, as JSON."""
    return msgspec.json.encode(outputs, enc_hook=str).decode()
