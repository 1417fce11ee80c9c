"""Writing a value to a node with exactly the type that the node has."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes, get_name_and_doc

from hulian.network.exchange.protocols.opcua.errors import NodeError, UnfitError, WriteError
from hulian.network.exchange.protocols.opcua.session import Session

__all__ = ["variant", "write"]

_RANGES: Final = {
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: (0, 2**64 - 1),
}


async def write(session: Session, node: ua.NodeId, place: str, value: Any, limits: tuple[float, float] | None = None) -> None:
    """Writes and returns when the server has confirmed; a number must lie within ``limits``.

    Raises `NodeError` where the node is not there, `UnfitError` where the value does not fit its type, `WriteError` where
    the server refuses.
    """
    for number in value if isinstance(value, list) else [value]:
        if limits and isinstance(number, int | float) and not limits[0] <= number <= limits[1]:
            hint = f"give a value from {limits[0]:g} to {limits[1]:g}"
            raise UnfitError(f"{number!r} is outside the limits of the point", place=place, hint=hint)
    (now,) = await session.read([node])
    status = int(now.StatusCode.value) if now.StatusCode is not None else 0
    if now.Value is None or now.Value.VariantType == ua.VariantType.Null:
        kind = await _declared(session, node, place, status)
        array = isinstance(value, list)
    else:
        kind, array = now.Value.VariantType, bool(now.Value.is_array)
    made = variant(kind, value, array=array, place=place)
    with session.explained():
        (result,) = await session.services.write_attributes([node], [ua.DataValue(made)])
    code = int(result.value)
    if code & 0x8000_0000:
        name, text = get_name_and_doc(code)
        if code == StatusCodes.BadTypeMismatch:
            raise UnfitError(f"the server says that the value's type is wrong ({name})", place=place)
        if code == StatusCodes.BadOutOfRange:
            raise UnfitError(f"the server says that the value is out of range ({name})", place=place)
        if code in (StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid):
            raise NodeError(f"the server has no such node ({name})", place=place)
        raise WriteError(f"the server refuses the write: {name}: {text}", place=place)


async def _declared(session: Session, node: ua.NodeId, place: str, status: int) -> ua.VariantType:
    """The type of a node that has no value yet, from its DataType attribute."""
    (answer,) = await session.read([node], AttributeIds.DataType)
    declared = answer.Value.Value if answer.Value is not None else None
    if not isinstance(declared, ua.NodeId):
        name = get_name_and_doc(status)[0]
        raise NodeError(f"the node cannot be read ({name})", place=place)
    if declared.NamespaceIndex == 0 and isinstance(declared.Identifier, int) and 1 <= declared.Identifier <= 21:
        return ua.VariantType(declared.Identifier)
    raise UnfitError(
        "the node has no value and a data type of its own, so that its encoding is unknown",
        place=place,
        hint="write it once with the server's own tool",
    )


def variant(kind: ua.VariantType, value: Any, *, array: bool, place: str) -> ua.Variant:
    """``value`` as a Variant of exactly ``kind``. Raises `UnfitError`; nothing is rounded, cut or guessed."""
    if array:
        if not isinstance(value, list | tuple):
            raise UnfitError(f"the node holds an array of {kind.name}, not one value", place=place, hint="give a list")
        return ua.Variant([_one(kind, element, place) for element in value], kind, is_array=True)
    return ua.Variant(_one(kind, value, place), kind)


def _one(kind: ua.VariantType, value: Any, place: str) -> Any:
    wrong = UnfitError(f"{value!r} does not fit the node's type {kind.name}", place=place)
    if kind == ua.VariantType.Boolean:
        if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
            return bool(value)
        raise wrong
    if kind in _RANGES:
        low, high = _RANGES[kind]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            wrong.hint = f"give a whole number from {low} to {high}"
            raise wrong
        return value
    if kind in (ua.VariantType.Float, ua.VariantType.Double):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong
        if kind == ua.VariantType.Float and np.isfinite(value) and abs(value) > float(np.finfo(np.float32).max):
            raise wrong
        return float(value)
    return _textual(kind, value, wrong)


def _textual(kind: ua.VariantType, value: Any, wrong: UnfitError) -> Any:
    try:
        match kind, value:
            case ua.VariantType.String | ua.VariantType.XmlElement, str():
                return value
            case ua.VariantType.LocalizedText, str():
                return ua.LocalizedText(value)
            case ua.VariantType.ByteString, bytes():
                return value
            case ua.VariantType.ByteString, str():
                return base64.b64decode(value, validate=True)
            case ua.VariantType.Guid, str():
                return UUID(value)
            case ua.VariantType.DateTime, str():
                return datetime.fromisoformat(value)
            case _:
                raise wrong
    except (ValueError, binascii.Error) as error:
        raise wrong from error
