"""The Sparkplug B payload as protocol buffers: message classes made at import from its published field numbers.

Sparkplug 3.0.0, section 6.4. The classes are those of the protobuf runtime (upb); nothing is generated or kept as text.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["Payload"]

_SCALARS: Final = {"uint32": 13, "uint64": 4, "float": 2, "double": 1, "bool": 8, "string": 9, "bytes": 12}

# Each message as its fields: number, name, type; "*" repeats, "|" is one of the alternatives named "value".
_MESSAGES: Final = {
    "Payload": "1 timestamp uint64, 2 *metrics Metric, 3 seq uint64, 4 uuid string, 5 body bytes",
    "Metric": "1 name string, 2 alias uint64, 3 timestamp uint64, 4 datatype uint32, 5 is_historical bool, 6 is_transient bool,"
    "7 is_null bool, 8 metadata MetaData, 9 properties PropertySet, 10 |int_value uint32, 11 |long_value uint64,"
    "12 |float_value float, 13 |double_value double, 14 |boolean_value bool, 15 |string_value string, 16 |bytes_value bytes,"
    "17 |dataset_value DataSet, 18 |template_value Template",
    "MetaData": "1 is_multi_part bool, 2 content_type string, 3 size uint64, 4 seq uint64, 5 file_name string,"
    "6 file_type string, 7 md5 string, 8 description string",
    "PropertyValue": "1 type uint32, 2 is_null bool, 3 |int_value uint32, 4 |long_value uint64, 5 |float_value float,"
    "6 |double_value double, 7 |boolean_value bool, 8 |string_value string, 9 |propertyset_value PropertySet,"
    "10 |propertysets_value PropertySetList",
    "PropertySet": "1 *keys string, 2 *values PropertyValue",
    "PropertySetList": "1 *propertyset PropertySet",
    "DataSet": "1 num_of_columns uint64, 2 *columns string, 3 *types uint32, 4 *rows Row",
    "Row": "1 *elements DataSetValue",
    "DataSetValue": "1 |int_value uint32, 2 |long_value uint64, 3 |float_value float, 4 |double_value double,"
    "5 |boolean_value bool, 6 |string_value string",
    "Template": "1 version string, 2 *metrics Metric, 3 *parameters Parameter, 4 template_ref string, 5 is_definition bool",
    "Parameter": "1 name string, 2 type uint32, 3 |int_value uint32, 4 |long_value uint64, 5 |float_value float,"
    "6 |double_value double, 7 |boolean_value bool, 8 |string_value string",
}


def _build() -> Any:
    package = "hulian.sparkplug"
    file = descriptor_pb2.FileDescriptorProto(name="hulian/sparkplug_b", package=package, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if "|" in fields:
            message.oneof_decl.add(name="value")
        for entry in fields.split(","):
            number, field_name, kind = entry.split()
            field = message.field.add(name=field_name.lstrip("*|"), number=int(number))
            field.label = field.LABEL_REPEATED if field_name.startswith("*") else field.LABEL_OPTIONAL
            if field_name.startswith("|"):
                field.oneof_index = 0
            if kind in _SCALARS:
                field.type = _SCALARS[kind]  # type: ignore[assignment]
            else:
                field.type = field.TYPE_MESSAGE
                field.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Payload"))


Payload: Final[Any] = _build()
"""The message class of a whole payload; `Payload.FromString` parses, ``SerializeToString`` writes."""
