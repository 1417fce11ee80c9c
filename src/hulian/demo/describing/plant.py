"""The plant in AutomationML (CAEX 3.0): its places, vessels and instruments, what each value means, and where it is read.

An attribute is a quantity: data type, unit, range, meaning; below it stand its tag, its texts in two languages, the meaning of
its values, and its address on the device that ``RefDataSource`` names.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec

from hulian.demo.chromatograph import DEVICE
from hulian.demo.configuration import DemoConfiguration
from hulian.demo.describing.libraries import INTERFACES, ROLES, UNITS, add_libraries, quantity_type
from hulian.demo.plan import AREA, PREFIX, PlannedConnection, PlannedPoint, plan
from hulian.kernel.storage import StorageClass

__all__ = ["automationml"]

_IDS: Final = uuid.UUID("3f0c2d58-9f2b-5c0e-8a57-6b2f5f0f1993")
_CELLS: Final = {
    "reactor": ("Reaction", "Reactor", ("Agitator", "Coolant")),
    "separator": ("Separation", "Separator", ("Compressor", "Coolant")),
    "stripper": ("Stripping", "Stripper", ()),
    "analysers": ("Analysis", "Analysers", ("Feed", "Purge", "Product")),
    "plant": ("", "Plant", ()),
    "disturbances": ("", "Disturbances", ()),
}
"""Where each thing stands, what it is, and its parts: quantities that begin with a part's name belong to that."""
_UNIT_OF_PART: Final = {"Feed": "Analyser", "Purge": "Analyser", "Product": "Analyser"}
_STREAMS: Final = (
    ("Stream 5", ("stripper", "overhead"), ("reactor", "stripped gas")),
    ("Stream 7", ("reactor", "product"), ("separator", "feed")),
    ("Stream 8", ("separator", "recycle"), ("reactor", "recycle")),
    ("Stream 10", ("separator", "underflow"), ("stripper", "feed")),
)
_INTERFACE: Final = {"opcua": "OpcUaServer", "modbus": "ModbusServer", "mqtt": "SparkplugNode"}
_ADDRESS: Final = {"opcua": "NodeId", "modbus": "ModbusAddress", "mqtt": "Topic"}
_TYPES: Final = {
    StorageClass.DOUBLE: "xs:double",
    StorageClass.INTEGER: "xs:long",
    StorageClass.BOOLEAN: "xs:boolean",
    StorageClass.TEXT: "xs:string",
}
_MADE: Final = "1993-03-01T00:00:00Z"
"""The month in which the process was published: the same tables give the same file."""


def automationml(configuration: DemoConfiguration, *, prefix: str = PREFIX) -> str:
    """The document, valid by the CAEX 3.0 schema. The analysers are in it whether or not they publish."""
    analysers = msgspec.structs.replace(configuration.mqtt, user=configuration.mqtt.user or "analysers")
    connections = plan(msgspec.structs.replace(configuration, mqtt=analysers), prefix=prefix)
    root = Element(
        "CAEXFile",
        {
            "xmlns": "http://www.dke.de/CAEX",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": "http://www.dke.de/CAEX CAEX_ClassModel_V.3.0.xsd",
            "SchemaVersion": "3.0",
            "FileName": "tennessee-eastman.aml",
        },
    )
    SubElement(root, "SuperiorStandardVersion").text = "AutomationML 2.10"
    SubElement(
        root, "SourceDocumentInformation", OriginName="Hulian demo plant", OriginID="urn:hulian:demo:tennessee-eastman",
        OriginVersion="1", LastWritingDateTime=_MADE,
    )  # fmt: skip
    _hierarchy(root, [one for one in connections if one.protocol in _ADDRESS], prefix)
    _automation(root, connections)
    add_libraries(root)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _id(*path: str) -> str:
    """The same each time, so that a description that is made again describes the same things."""
    return str(uuid.uuid5(_IDS, "/".join(path)))


def _element(parent: Element, name: str, *path: str, unit: str = "") -> Element:
    more = {"RefBaseSystemUnitPath": f"{UNITS}/{unit}"} if unit else {}
    return SubElement(parent, "InternalElement", more, Name=name, ID=_id(*path, name))


def _attribute(parent: Element, name: str, value: str, kind: str = "xs:string") -> Element:
    made = SubElement(parent, "Attribute", Name=name, AttributeDataType=kind)
    SubElement(made, "Value").text = value
    return made


def _plays(element: Element, role: str) -> None:
    """Ends an element: roles stand behind everything in it."""
    SubElement(element, "RoleRequirements", RefBaseRoleClassPath=f"{ROLES}/{role}")


# -- the plant ---------------------------------------------------------------------------------------------------------


def _hierarchy(root: Element, connections: Iterable[PlannedConnection], prefix: str) -> None:
    """Enterprise, site, area, cells, things and their quantities."""
    enterprise, *below = AREA.split("/")
    place = SubElement(root, "InstanceHierarchy", Name=enterprise)
    opened = []
    for name in below:
        place = _element(place, name, enterprise)
        opened.append(place)
    points: dict[str, list[tuple[PlannedConnection, PlannedPoint]]] = {}
    for connection in connections:
        for point in connection.points:
            points.setdefault(point.thing.rpartition("/")[2], []).append((connection, point))
    cells: dict[str, Element] = {}
    for thing, (cell, unit, parts) in _CELLS.items():
        around = place
        if cell:
            around = cells.setdefault(cell, _element(place, cell, AREA))
        _thing(around, thing, unit, parts, points.get(thing, []), prefix)
    chromatograph = _element(cells["Analysis"], "Gas chromatograph", AREA, "Analysis", unit="GasChromatograph")
    _attribute(chromatograph, "Identifier", f"{prefix}/{DEVICE}")
    described = SubElement(
        chromatograph, "ExternalInterface", Name="description", ID=_id(DEVICE, "description"),
        RefBaseClassPath=f"{INTERFACES}/InstrumentDescription",
    )  # fmt: skip
    _attribute(described, "refURI", f"{DEVICE}.iml", "xs:anyURI")
    for cell_element in cells.values():
        _plays(cell_element, "ProcessCell")
    for name, (thing, port), (other, at) in _STREAMS:
        SubElement(
            place, "InternalLink", Name=name, RefPartnerSideA=_id(thing, "port", port), RefPartnerSideB=_id(other, "port", at)
        )
    for element, role in zip(reversed(opened), ("Area", "Site"), strict=True):
        _plays(element, role)


def _thing(
    around: Element,
    thing: str,
    unit: str,
    parts: tuple[str, ...],
    points: list[tuple[PlannedConnection, PlannedPoint]],
    prefix: str,
) -> None:
    element = _element(around, unit, AREA, thing, unit=unit)
    _attribute(element, "Identifier", f"{prefix}/{thing}")
    of_parts: dict[str, list[tuple[PlannedConnection, PlannedPoint, str]]] = {part: [] for part in parts}
    for connection, point in points:
        first, _, rest = point.quantity.partition(".")
        part = first.capitalize()
        if part in of_parts:
            of_parts[part].append((connection, point, rest))
        else:
            _quantity(element, point, point.quantity, connection)
    for port in dict.fromkeys(port for _, *ends in _STREAMS for owner, port in ends if owner == thing):
        SubElement(
            element, "ExternalInterface", Name=port, ID=_id(thing, "port", port), RefBaseClassPath=f"{INTERFACES}/MaterialFlow"
        )
    for part, listed in of_parts.items():
        below = _element(element, part, AREA, thing, unit=_UNIT_OF_PART.get(part, part))
        for connection, point, rest in listed:
            _quantity(below, point, rest, connection)


def _quantity(element: Element, point: PlannedPoint, name: str, connection: PlannedConnection) -> None:
    """One property: what it is, and where it is read."""
    kind = quantity_type(point.meanings) if point.storage is StorageClass.DOUBLE else ""
    more = {"Unit": point.unit} if point.unit else {}
    more |= {"RefAttributeType": kind} if kind else {}
    made = SubElement(element, "Attribute", more, Name=name, AttributeDataType=_TYPES[point.storage])
    for meaning in point.meanings:
        SubElement(made, "RefSemantic", CorrespondingAttributePath=meaning)
    if point.low is not None and point.high is not None:
        scale = SubElement(SubElement(made, "Constraint", Name="range"), "OrdinalScaledType")
        SubElement(scale, "RequiredMaxValue").text = f"{point.high:g}"
        SubElement(scale, "RequiredMinValue").text = f"{point.low:g}"
    if point.enumeration:
        states = SubElement(SubElement(made, "Constraint", Name="states"), "NominalScaledType")
        for value in point.enumeration:
            SubElement(states, "RequiredValue").text = value
    _texts(made, "DisplayName", point.texts)
    if point.tag:
        _attribute(made, "Tag", point.tag)
    if point.enumeration:
        listed = SubElement(made, "Attribute", Name="EnumStrings")
        for value, texts in point.enumeration.items():
            _texts(listed, value, texts)
    if "scale" in point.options:
        _attribute(made, "Scale", f"{point.options['scale']:g}", "xs:double")
    _attribute(made, "Access", "3" if point.writable else "1", "xs:int")
    _attribute(made, _ADDRESS[connection.protocol], point.address)
    _attribute(made, "RefDataSource", _id("automation", connection.name))


def _texts(parent: Element, name: str, texts: object) -> None:
    """A text in languages, as AutomationML has it: the attribute in English, one below it for each language."""
    listed = dict(texts)  # type: ignore[call-overload]
    made = _attribute(parent, name, listed["en"])
    for language, text in listed.items():
        _attribute(made, f"aml-lang={language}", text)


# -- what makes it readable --------------------------------------------------------------------------------------------


def _automation(root: Element, connections: Iterable[PlannedConnection]) -> None:
    """The servers, each with the interface at which it is reached."""
    hierarchy = SubElement(root, "InstanceHierarchy", Name="Automation")
    for connection in connections:
        if connection.protocol not in _ADDRESS:
            continue
        server = _element(hierarchy, f"{connection.name} server", "automation", unit="Controller")
        interface = SubElement(
            server, "ExternalInterface", Name=connection.name, ID=_id("automation", connection.name),
            RefBaseClassPath=f"{INTERFACES}/{_INTERFACE[connection.protocol]}",
        )  # fmt: skip
        _attribute(interface, "EndpointUrl", connection.url, "xs:anyURI")
        if connection.protocol == "opcua":
            mode = "None" if connection.settings["security"] == "none" else "SignAndEncrypt"
            _attribute(interface, "SecurityMode", mode)
        _plays(server, "Controller")
