"""The chromatograph in InstrumentML (NASA's Instrument Markup Language): its commands, answers, ranges and service port."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from hulian.demo.chromatograph import COMMANDS, DEVICE, Field
from hulian.demo.configuration import DemoConfiguration
from hulian.kernel.storage import StorageClass

__all__ = ["instrumentml"]

_PREFIX: Final = "99.118.8"
_AREA: Final = "Tennessee Eastman/Kingsport/Process/Analysis"
_TYPES: Final = {
    StorageClass.DOUBLE: "double",
    StorageClass.INTEGER: "long",
    StorageClass.BOOLEAN: "boolean",
    StorageClass.TEXT: "String",
}
_TIMEOUT: Final = "2000"


def instrumentml(configuration: DemoConfiguration, *, prefix: str = _PREFIX) -> str:
    """The document, as the schema of InstrumentML wants it; ``prefix`` begins the identifier of the thing."""
    device = Element(
        "Device",
        name=DEVICE,
        displayName="Process gas chromatograph",
        description="Analyses reactor feed, purge gas and product of the Tennessee Eastman plant",
        type="Default",
    )
    for name, value in (
        ("identifier", f"{prefix}/{DEVICE}"),
        ("location", _AREA),
        ("gasInterval", "360"),
        ("liquidInterval", "900"),
    ):
        SubElement(device, "Parameter", name=name, value=value)
    port = SubElement(device, "Port", name="service", type="Simple", description="Lines of text on TCP, one answer to each")
    messages = SubElement(port, "MessageInterface", name="commands")
    answers = SubElement(port, "ResponseInterface", name="answers")
    reader = SubElement(port, "InputAdapter", name="reader", type="Ascii")
    parse = SubElement(SubElement(reader, "Transformation"), "Parse", terminator="\\n", encoding="ascii")
    writer = SubElement(port, "OutputAdapter", name="writer", type="Ascii")
    form = SubElement(SubElement(writer, "Transformation"), "Format", terminator="\\n", encoding="ascii")
    _refusal(answers, parse)
    for command in COMMANDS:
        SubElement(messages, "Message", name=command.name, displayName=command.text, timeout=_TIMEOUT)
        response = SubElement(answers, "Response", name=command.name)
        record = SubElement(parse, "Record", response=command.name)
        if command.head:
            SubElement(record, "Text", value=f"{command.head} ")
        if len(command.fields) > 1:
            SubElement(record, "Separator", value=",")
        for field in command.fields:
            _field(response, field)
            SubElement(record, "Field", _written(field), name=field.name)
        asked = SubElement(form, "Record", message=command.name, answer=command.name)
        SubElement(asked, "Text", value=command.line)
    connection = SubElement(port, "Connection", name="lan", type="TCP Client")
    SubElement(connection, "Parameter", name="hostname", value="127.0.0.1")
    SubElement(connection, "Parameter", name="port", value=str(configuration.service.port))
    indent(device)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(device, encoding="unicode") + "\n"


def _refusal(answers: Element, parse: Element) -> None:
    """What it says to a line that it does not understand."""
    error = SubElement(answers, "Response", name="error", isError="true")
    SubElement(error, "Field", name="number", type="int")
    SubElement(error, "Field", name="text", type="String")
    record = SubElement(parse, "Record", response="error")
    SubElement(record, "Text", value="ERR ")
    SubElement(record, "Field", name="number")
    SubElement(record, "Text", value=",")
    SubElement(record, "Field", name="text", quote='"')


def _field(response: Element, field: Field) -> None:
    units = {"units": field.unit} if field.unit else {}
    made = SubElement(response, "Field", units, name=field.name, displayName=field.text, type=_TYPES[field.storage])
    if field.low is not None and field.high is not None:
        SubElement(made, "RangeConstraint", low=f"{field.low:g}", high=f"{field.high:g}")


def _written(field: Field) -> dict[str, str]:
    return {"true": "ON", "false": "OFF"} if field.storage is StorageClass.BOOLEAN else {}
