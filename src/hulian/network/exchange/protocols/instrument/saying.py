"""Values into messages, within what the description allows."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from hulian.network.exchange.protocols.instrument.description import Field, Message
from hulian.network.exchange.protocols.instrument.errors import RangeError

__all__ = ["fitting", "say"]

_WIDTHS: Final = {"xs:byte": 8, "xs:short": 16, "xs:int": 32, "xs:long": 64}
_LONGEST: Final = 65_536


def say(message: Message, given: Mapping[str, Any]) -> bytes:
    """The bytes of ``message`` with ``given`` values, and the description's defaults for the others. Raises `RangeError`
    for a value outside what the description allows; then nothing may be sent."""
    strange = set(given) - set(message.fields)
    if strange:
        raise RangeError(f"{message.name!r} has no field {sorted(strange)[0]!r}", place=message.name)
    values = {}
    for name, field in message.fields.items():
        place = f"{message.name}/{name}"
        if name in given:
            if field.node.writable is False:
                raise RangeError("the description says that it is read only", place=place)
            values[name] = fitting(field, given[name], place)
        elif field.node.value is not None:
            values[name] = fitting(field, field.node.value, place)
        else:
            raise RangeError("it needs a value", place=place, hint="write an object with all fields to the message")
    try:
        return message.record.encode(values)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise RangeError(f"it cannot be said: {error}", place=message.name) from error


def fitting(field: Field, value: Any, place: str) -> Any:
    """``value`` as the field has it. Raises `RangeError`."""
    found = _typed(field, value, place)
    constraints = field.node.constraints
    if constraints is None:
        return found
    if constraints.choices:
        known = [choice for choice, _ in constraints.choices]
        if not any(_same(field, found, choice) for choice in known):
            shown = ", ".join(known[:20])
            raise RangeError(f"{found!r} is none of the choices", place=place, hint=f"nothing was sent; choices: {shown}")
    _ranges(field, found, place)
    return found


def _ranges(field: Field, value: Any, place: str) -> None:
    """One of the ranges that the description names has to hold the value; bit ranges divide a text of 0 and 1."""
    constraints = field.node.constraints
    content = field.node.extra["iml"].get("constraints", ())
    bits = [attributes for name, attributes, _, _ in content if name == "BitRangeConstraint"]
    ranges = [(one.get("low"), one.get("high")) for name, one, _, _ in content if name == "RangeConstraint"]
    if bits and isinstance(value, str):
        _bit_ranges(value, bits, place)
    elif len(ranges) > 1:
        for number, (low, high) in enumerate(ranges):
            try:
                _within(value, low, high, place)
            except RangeError:
                if number + 1 == len(ranges):
                    shown = ", ".join(f"{low} to {high}" for low, high in ranges)
                    raise RangeError(f"{value!r} is in none of the ranges {shown}", place=place) from None
            else:
                return
    elif constraints is not None and (constraints.low is not None or constraints.high is not None):
        _within(value, constraints.low, constraints.high, place)


def _bit_ranges(value: str, bits: list[Mapping[str, str]], place: str) -> None:
    try:
        widths = [int(one["numBits"]) for one in bits]
    except (KeyError, ValueError) as error:
        raise RangeError("the description does not say how many bits it has", place=place) from error
    if len(value) != sum(widths) or set(value) - {"0", "1"}:
        raise RangeError(f"{value[:40]!r} is no text of {sum(widths)} digits 0 and 1", place=place)
    at = 0
    for one, width in zip(bits, widths, strict=True):
        part = value[at : at + width]
        at += width
        number = int(part, 2) if part else 0
        if one.get("signed") in ("true", "1") and part[:1] == "1":
            number -= 1 << width
        _within(number, one.get("low"), one.get("high"), place)


def _typed(field: Field, value: Any, place: str) -> Any:
    try:
        if field.kind == "boolean":
            return _boolean(value)
        if field.kind == "number":
            number = float(value)
            if number - number != 0:
                raise ValueError("it is no finite number")
            return number
        if field.kind == "integer":
            whole = int(value)
            if whole != (float(value) if isinstance(value, float) else whole):
                raise ValueError("it is no whole number")
            bits = _WIDTHS.get(field.node.datatype, 64)
            if not -(1 << bits - 1) <= whole < 1 << bits - 1:
                raise ValueError(f"it does not fit into {bits} bits")
            return whole
        if field.kind == "bytes":
            data = value if isinstance(value, bytes) else bytes.fromhex(value)
            if len(data) > _LONGEST:
                raise ValueError("it is too long")
            return data
        text = value if isinstance(value, str) else str(value)
        if len(text) > _LONGEST or any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise ValueError("it is too long, or holds characters that end a message")
    except (ValueError, TypeError, OverflowError) as error:
        raise RangeError(f"{str(value)[:40]!r} is no {field.kind} here: {error}", place=place) from error
    return text


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    word = str(value).strip().lower()
    if word not in ("true", "false", "0", "1"):
        raise ValueError("true or false")
    return word in ("true", "1")


def _same(field: Field, value: Any, choice: str) -> bool:
    if field.kind in ("number", "integer"):
        try:
            return float(choice) == float(value)
        except ValueError:
            return False
    if field.kind == "boolean":
        return value is (choice.strip().lower() in ("true", "1"))
    return bool(value == (bytes.fromhex(choice) if field.kind == "bytes" else choice))


def _within(value: Any, low: str | None, high: str | None, place: str) -> None:
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value))
        least, most = (None if end is None else Decimal(end.strip()) for end in (low, high))
    except InvalidOperation as error:
        raise RangeError(f"{value!r} cannot be held against the range {low} to {high}", place=place) from error
    if (least is not None and number < least) or (most is not None and number > most):
        raise RangeError(f"{value!r} is outside {low} to {high}", place=place)
