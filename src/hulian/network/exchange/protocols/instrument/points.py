"""Which message serves which points: addresses to what is asked, and to what is said."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import msgspec

from hulian.kernel.errors import HulianError
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.instrument.config import BindingOptions, InstrumentConfiguration, parse_options
from hulian.network.exchange.protocols.instrument.description import Bundle, Field, Instrument, Message
from hulian.network.exchange.protocols.instrument.errors import AddressError, InstrumentError, OptionError, RangeError
from hulian.network.exchange.protocols.instrument.pieces import ValuesPiece
from hulian.network.exchange.protocols.instrument.saying import say
from hulian.network.exchange.protocols.tabular import Target

__all__ = ["Point", "Question", "address_of", "bind", "points_of", "setter_of"]


def address_of(owner: str, field: str) -> str:
    """``MESSAGE/FIELD`` or ``BUNDLE/BUFFER``, in which ``%2F`` stands for a slash.

    >>> address_of("MEAS:PRES?", "value")
    'MEAS:PRES?/value'
    """
    return f"{_escaped(owner)}/{_escaped(field)}"


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


def _split(address: str) -> tuple[str, str]:
    owner, slash, field = address.partition("/")
    if not owner or (slash and not field) or "/" in field:
        raise AddressError("not an address of an instrument", place=address)
    return unquote(owner), unquote(field)


class Point(msgspec.Struct, frozen=True):
    """A binding as the instrument sees it. ``asked`` is the message that brings it, None where it is only written."""

    binding: Binding
    options: BindingOptions
    field: str
    target: Target
    asked: Message | None = None
    answer: str = ""
    bundle: Bundle | None = None


class Question:
    """A message that is asked again and again, and the points that it brings."""

    def __init__(self, message: Message, interval: float) -> None:
        self.message = message
        self.interval = interval
        self.points: list[Point] = []
        self.due = 0.0
        self.alone_silent = False
        """It is not answered while others are."""
        self.failing: type[InstrumentError] | None = None

    def __lt__(self, other: Question) -> bool:
        return self.due < other.due


def bind(binding: Binding, instrument: Instrument, configuration: InstrumentConfiguration) -> Point:
    """Raises `AddressError` or `OptionError`."""
    options = parse_options(binding.options, binding.address)
    if options.group is not None and options.group not in configuration.groups:
        known = ", ".join(sorted(configuration.groups)) or "none is configured"
        raise OptionError(f"there is no poll group '{options.group}'", place=binding.address, hint=f"groups: {known}")
    if (options.scale != 1.0 or options.offset != 0.0) and binding.storage is not StorageClass.DOUBLE:
        raise OptionError("only a double has a scale and an offset", place=binding.address)
    owner, name = _split(binding.address)
    # Its series is its column's name: two points may have one address.
    target = Target(binding.series, str(binding.series), binding.storage, options.scale, options.offset)
    point = Point(binding, options, name, target)
    if owner in instrument.bundles and name:
        return _column(point, instrument, instrument.bundles[owner])
    message = instrument.messages.get(owner)
    if message is None:
        raise AddressError(f"the description has no message or bundle {owner!r} that can be used", place=binding.address)
    if not name or (name in message.fields and not _answering(message, instrument, name)):
        if not binding.writable:
            raise AddressError("a command can be written, not read", place=binding.address, hint="mark the point writable")
        return point
    answer = _answering(message, instrument, name)
    if not answer:
        raise AddressError(f"no answer of {owner!r} has a field {name!r}", place=binding.address)
    if any(field.node.value is None for field in message.fields.values()):
        raise AddressError(f"{owner!r} has arguments without a default, and cannot be asked by itself", place=binding.address)
    _sayable(message, binding.address)
    listed = any(isinstance(one, ValuesPiece) and name in one.names for one in instrument.responses[answer].record.pieces)
    if listed and binding.storage is not StorageClass.STRUCTURE:
        raise OptionError(f"{name!r} is a list: give the point the type 'structure'", place=binding.address)
    return msgspec.structs.replace(point, asked=message, answer=answer)


def _answering(message: Message, instrument: Instrument, name: str) -> str:
    return next(
        (one for one in message.answers if one in instrument.responses and name in instrument.responses[one].fields), ""
    )


def _column(point: Point, instrument: Instrument, bundle: Bundle) -> Point:
    place = point.binding.address
    if point.field not in bundle.fields:
        raise AddressError(f"bundle {bundle.name!r} has no buffer {point.field!r}", place=place)
    message = instrument.asking(bundle.name)
    if message is None:
        raise AddressError(f"no message without arguments is answered by {bundle.name!r}", place=place)
    _sayable(message, place)
    if point.binding.storage is not StorageClass.STRUCTURE and not bundle.basis and not bundle.interval:
        hint = "give the bundle a BasisBuffer or a Parameter 'interval' (seconds), or the point the type 'structure'"
        raise OptionError(f"nothing says when the rows of {bundle.name!r} were measured", place=place, hint=hint)
    return msgspec.structs.replace(point, asked=message, answer=bundle.name, bundle=bundle)


def _sayable(message: Message, place: str) -> None:
    """A default that the description itself does not allow is told before the instrument is asked."""
    try:
        say(message, {})
    except RangeError as error:
        raise AddressError(f"{message.name!r} cannot be asked with its defaults: {error.message}", place=place) from error


def points_of(
    bindings: Sequence[Binding], instrument: Instrument, configuration: InstrumentConfiguration
) -> tuple[list[Point], list[tuple[Binding, HulianError]]]:
    """The points, and the bindings that can never be one."""
    points: list[Point] = []
    wrong: list[tuple[Binding, HulianError]] = []
    for binding in bindings:
        try:
            points.append(bind(binding, instrument, configuration))
        except (AddressError, OptionError) as error:
            wrong.append((binding, error))
    return points, wrong


def setter_of(point: Point, instrument: Instrument) -> tuple[Message, Field | None]:
    """The message that sets a point and its field; no field where a structure holds all. Raises `AddressError`."""
    place = point.binding.address
    owner, name = _split(point.options.write or place)
    message = instrument.messages.get(owner)
    if message is not None and not name:
        return message, None
    if message is not None and name in message.fields:
        return message, message.fields[name]
    if not point.options.write and point.answer in instrument.responses:
        meant = instrument.responses[point.answer].fields[point.field].meant
        for other in instrument.messages.values():
            for field in other.fields.values():
                if field.meant == meant and other is not point.asked:
                    return other, field
    raise AddressError(
        "no message of the description sets it", place=place, hint="name one in the option 'write': MESSAGE/FIELD"
    )
