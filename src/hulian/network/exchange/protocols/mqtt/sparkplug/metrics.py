"""Sparkplug B values: what a metric of each data type holds, read and written. No I/O.

Sparkplug 3.0.0, section 6.4.16 (data types) and 6.4.11 to 6.4.15 (data sets, templates, properties).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.moments import parse_quality, rfc3339
from hulian.network.exchange.protocols.mqtt.sparkplug.definitions import Definition, Definitions, Member

__all__ = [
    "FIELDS",
    "NAMES",
    "NUMBERS",
    "decode_definition",
    "decode_value",
    "encode_definition",
    "encode_properties",
    "encode_template",
    "encode_value",
    "natural_storage",
    "properties_of",
    "quality_of",
]

NAMES: Final = (
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "Boolean",
    "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template", "PropertySet", "PropertySetList",
    "Int8Array", "Int16Array", "Int32Array", "Int64Array", "UInt8Array", "UInt16Array", "UInt32Array", "UInt64Array",
    "FloatArray", "DoubleArray", "BooleanArray", "StringArray", "DateTimeArray",
)  # fmt: skip
"""Data types by number."""

NUMBERS: Final = {name: number for number, name in enumerate(NAMES)}
"""Numbers of the data types by name."""

FIELDS: Final = {
    **dict.fromkeys((1, 2, 3, 5, 6), "int_value"),
    **dict.fromkeys((4, 7, 8, 13), "long_value"),
    9: "float_value",
    10: "double_value",
    11: "boolean_value",
    **dict.fromkeys((12, 14, 15), "string_value"),
    16: "dataset_value",
    **dict.fromkeys((17, 18, *range(22, 35)), "bytes_value"),
    19: "template_value",
}
"""The field in which a value of each type travels; the reference implementations put UInt32 into the long one."""

_SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED: Final = {5: 8, 6: 16, 7: 32, 8: 64}
_ARRAYS: Final = {22: "<i1", 23: "<i2", 24: "<i4", 25: "<i8", 26: "<u1", 27: "<u2", 28: "<u4", 29: "<u8", 30: "<f4", 31: "<f8"}
_DEEPEST: Final = 16


def natural_storage(datatype: int) -> StorageClass:
    """The storage class of a data type where nobody asks for another; 64-bit counters are kept as integers, see the README."""
    if 1 <= datatype <= 8:
        return StorageClass.INTEGER
    if datatype in (9, 10):
        return StorageClass.DOUBLE
    if datatype == 11:
        return StorageClass.BOOLEAN
    if datatype in (12, 13, 14, 15):
        return StorageClass.TEXT
    return StorageClass.BYTES if datatype in (17, 18) else StorageClass.STRUCTURE


def decode_value(metric: Any, datatype: int, definitions: Definitions = MappingProxyType({}), template: str = "") -> Any:
    """The value in any of the value-bearing messages, None where there is none. Raises `ValueError` where it is malformed.

    Structures become what JSON can hold; a DateTime its RFC 3339 text. The members of a template have the types that their
    definition says, unless they say their own; ``template`` names it where the instance does not.
    """
    field = FIELDS.get(datatype)
    if field is None or not _has(metric, field):
        field = metric.WhichOneof("value")
        if field is None:
            return None
    value = getattr(metric, field)
    if datatype in (9, 10, 11):
        return value
    if datatype in _SIGNED:
        bits = _SIGNED[datatype]
        value = int(value) & ((1 << bits) - 1)
        return value - (1 << bits) if value >> (bits - 1) else value
    if datatype in _UNSIGNED:
        return int(value) & ((1 << _UNSIGNED[datatype]) - 1)
    if datatype == 13:
        return rfc3339(int(value))
    if field == "template_value":
        return _template(value, definitions, template, 0)
    return _other(field, value, datatype)


def _has(message: Any, field: str) -> bool:
    try:
        return bool(message.HasField(field))
    except ValueError:
        return False


def _other(field: str, value: Any, datatype: int) -> Any:
    if field == "dataset_value":
        return _dataset(value)
    if field == "propertyset_value":
        return properties_of(value)
    if field == "propertysets_value":
        return [properties_of(one) for one in value.propertyset]
    if field == "bytes_value":
        return _array(value, datatype) if 22 <= datatype <= 34 else bytes(value)
    if isinstance(value, bytes):
        return value.decode()
    return value


def _array(raw: bytes, datatype: int) -> list[Any]:
    """Packed arrays, little-endian; truth values behind a count, highest bit first; strings ended by NUL."""
    if datatype in _ARRAYS:
        kind = np.dtype(_ARRAYS[datatype])
        if len(raw) % kind.itemsize:
            raise ValueError(f"{len(raw)} bytes are no whole number of {NAMES[datatype][:-5]}")
        found: list[Any] = np.frombuffer(raw, kind).tolist()
        return found
    if datatype == 34:
        if len(raw) % 8:
            raise ValueError(f"{len(raw)} bytes are no whole number of DateTime")
        return [rfc3339(int(value)) for value in np.frombuffer(raw, "<i8")]
    if datatype == 32:
        if len(raw) < 4 or (count := int(struct.unpack_from("<I", raw)[0])) > 8 * (len(raw) - 4):
            raise ValueError("a BooleanArray that ends before its count")
        return [bool(bit) for bit in np.unpackbits(np.frombuffer(raw, np.uint8, offset=4))[:count]]
    return [part.decode() for part in raw.split(b"\0")[:-1]]


def _dataset(value: Any) -> dict[str, Any]:
    types = list(value.types)
    if len(value.columns) != len(types):
        raise ValueError(f"a DataSet with {len(value.columns)} columns and {len(types)} types")
    rows = []
    for row in value.rows:
        if len(row.elements) != len(types):
            raise ValueError(f"a DataSet row with {len(row.elements)} elements under {len(types)} columns")
        rows.append([decode_value(element, kind) for element, kind in zip(row.elements, types, strict=True)])
    names = [NAMES[kind] if kind < len(NAMES) else str(kind) for kind in types]
    return {"columns": list(value.columns), "types": names, "rows": rows}


def _template(value: Any, definitions: Definitions, template: str, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError(f"templates nested deeper than {_DEEPEST}")
    definition = definitions.get(value.template_ref or template)
    metrics: dict[str, Any] = {}
    for metric in value.metrics:
        member = definition.metrics.get(metric.name) if definition is not None else None
        if metric.is_null:
            metrics[metric.name] = None
        elif metric.HasField("template_value"):
            inner = member.template if member is not None else ""
            metrics[metric.name] = _template(metric.template_value, definitions, inner, depth + 1)
        else:
            metrics[metric.name] = decode_value(metric, metric.datatype or (member.datatype if member is not None else 0))
    found: dict[str, Any] = {"metrics": metrics}
    if value.parameters:
        known = definition.parameters if definition is not None else {}
        found["parameters"] = {
            one.name: decode_value(one, one.type or (known[one.name].datatype if one.name in known else 0))
            for one in value.parameters
        }
    if value.HasField("template_ref"):
        found["template"] = value.template_ref
    if value.HasField("version"):
        found["version"] = value.version
    return found


def decode_definition(template: Any) -> Definition:
    """What a template's definition says of its instances."""
    metrics = {
        metric.name: Member(
            metric.datatype or (19 if metric.HasField("template_value") else 0),
            metric.template_value.template_ref if metric.HasField("template_value") else "",
        )
        for metric in template.metrics
    }
    parameters = {one.name: Member(one.type, "", decode_value(one, one.type)) for one in template.parameters}
    return Definition(metrics, parameters, template.version)


def encode_definition(template: Any, definition: Definition) -> None:
    """Writes ``definition`` into a template message."""
    template.is_definition = True
    if definition.version:
        template.version = definition.version
    for name, member in definition.metrics.items():
        metric = template.metrics.add(name=name, datatype=member.datatype)
        if member.template:
            metric.template_value.template_ref = member.template
            metric.template_value.is_definition = False
        else:
            metric.is_null = True
    _encode_parameters(template, definition, {name: one.default for name, one in definition.parameters.items()})


def encode_template(template: Any, value: Mapping[str, Any], name: str, definitions: Definitions, depth: int = 0) -> None:
    """Writes an instance, in the form that `decode_value` gives, of the definition ``name``; members left out stay as they are.

    Raises `ValueError`, `TypeError` for a member or template that no definition knows, or a value that does not fit its type.
    """
    definition = definitions.get(name)
    if definition is None or depth > _DEEPEST:
        raise ValueError(f"no birth defined the template {name!r}")
    if not isinstance(value, Mapping) or not isinstance(value.get("metrics"), Mapping):
        raise TypeError(f"an instance of {name} is a mapping with 'metrics'")
    unknown = definition.strangers(value)
    if unknown:
        raise ValueError(f"the template {name} has no member {unknown[0]!r}")
    template.is_definition = False
    template.template_ref = name
    if definition.version:
        template.version = definition.version
    for member_name, one in value["metrics"].items():
        member = definition.metrics[member_name]
        metric = template.metrics.add(name=member_name, datatype=member.datatype)
        if one is None:
            metric.is_null = True
        elif member.template:
            encode_template(metric.template_value, one, member.template, definitions, depth + 1)
        else:
            encode_value(metric, member.datatype, one)
    _encode_parameters(template, definition, value.get("parameters", {}))


def _encode_parameters(template: Any, definition: Definition, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        parameter = template.parameters.add(name=name, type=definition.parameters[name].datatype)
        if value is not None:
            encode_value(parameter, parameter.type, value)


def properties_of(properties: Any, depth: int = 0) -> dict[str, Any]:
    """A property set as a plain mapping. Raises `ValueError` where keys and values are not as many, or nested too deeply."""
    found: dict[str, Any] = {}
    if len(properties.keys) != len(properties.values):
        raise ValueError(f"a property set with {len(properties.keys)} keys and {len(properties.values)} values")
    if depth > _DEEPEST:
        raise ValueError(f"property sets nested deeper than {_DEEPEST}")
    for key, value in zip(properties.keys, properties.values, strict=False):
        if value.is_null:
            found[key] = None
        elif value.WhichOneof("value") == "propertyset_value":
            found[key] = properties_of(value.propertyset_value, depth + 1)
        elif value.WhichOneof("value") == "propertysets_value":
            found[key] = [properties_of(one, depth + 1) for one in value.propertysets_value.propertyset]
        else:
            found[key] = decode_value(value, value.type)
    return found


def quality_of(metric: Any) -> int:
    """The status code that the property ``Quality`` of a metric says: 192 good, 500 stale, 0 bad; good where there is none."""
    if metric.HasField("properties"):
        properties = metric.properties
        for key, value in zip(properties.keys, properties.values, strict=False):
            if key in ("Quality", "quality"):
                code = decode_value(value, value.type)
                return int(Quality.BAD) if code == 0 else parse_quality(code)
    return int(Quality.GOOD)


def encode_value(message: Any, datatype: int, value: Any) -> None:
    """Sets ``value`` in a metric, property, parameter or element. Raises `ValueError`, `TypeError` where it does not fit."""
    if datatype in _SIGNED:
        bits = _SIGNED[datatype]
        if not -(1 << (bits - 1)) <= _whole(value) < 1 << (bits - 1):
            raise ValueError(f"{value} does not fit {NAMES[datatype]}")
        setattr(message, FIELDS[datatype], _whole(value) & ((1 << (64 if bits == 64 else 32)) - 1))
    elif datatype in _UNSIGNED or datatype == 13:
        if not 0 <= _whole(value) < 1 << _UNSIGNED.get(datatype, 63):
            raise ValueError(f"{value} does not fit {NAMES[datatype]}")
        setattr(message, FIELDS[datatype], _whole(value))
    elif datatype in (9, 10):
        setattr(message, FIELDS[datatype], float(value))
    elif datatype == 11:
        if not isinstance(value, bool | np.bool_) and value not in (0, 1):
            raise ValueError(f"{value!r} is neither true nor false")
        message.boolean_value = bool(value)
    elif datatype in (12, 14, 15):
        message.string_value = str(value)
    elif datatype in (17, 18):
        message.bytes_value = bytes(value)
    elif 22 <= datatype <= 34:
        message.bytes_value = _pack(datatype, value)
    elif datatype == 16:
        _encode_dataset(message.dataset_value, value)
    elif datatype == 20:
        encode_properties(message.propertyset_value, value)
    else:
        raise ValueError(f"values of type {NAMES[datatype] if datatype < len(NAMES) else datatype} are not written")


def encode_properties(properties: Any, values: Mapping[str, Any]) -> None:
    """Writes a property set; the types follow from the values, a mapping becomes a set of its own."""
    for key, value in values.items():
        properties.keys.append(key)
        one = properties.values.add()
        one.type = _property_type(value)
        if value is None:
            one.is_null = True
        else:
            encode_value(one, one.type, value)


def _property_type(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**31) <= value < 2**31:
        return NUMBERS["Int64"]
    kinds = (
        (bool, "Boolean"),
        (int, "Int32"),
        (float, "Double"),
        (str, "String"),
        (Mapping, "PropertySet"),
        (type(None), "String"),
    )
    for kind, name in kinds:
        if isinstance(value, kind):
            return NUMBERS[name]
    raise TypeError(f"{value!r} is no property")


def _pack(datatype: int, value: Any) -> bytes:
    if datatype == 32:
        return struct.pack("<I", len(value)) + np.packbits(np.array(value, np.bool_)).tobytes()
    if datatype == 33:
        return b"".join(text.encode() + b"\0" for text in value)
    return np.array(value, dtype=_ARRAYS.get(datatype, "<i8")).tobytes()


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def _encode_dataset(dataset: Any, value: Any) -> None:
    if len(value["columns"]) != len(value["types"]):
        raise ValueError(f"a DataSet with {len(value['columns'])} columns and {len(value['types'])} types")
    dataset.num_of_columns = len(value["columns"])
    dataset.columns.extend(value["columns"])
    types = [NUMBERS[name] for name in value["types"]]
    dataset.types.extend(types)
    for row in value["rows"]:
        elements = dataset.rows.add().elements
        for element, kind in zip(row, types, strict=True):
            encode_value(elements.add(), kind, element)
