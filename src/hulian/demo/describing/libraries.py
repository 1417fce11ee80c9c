"""The classes of the description: what the parts of the plant are, what they are for, and how they are reached.

Of AutomationML's own libraries only the classes are here that others stand on.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement

from hulian.demo.meanings import QUANTITY_KINDS

__all__ = ["INTERFACES", "QUANTITIES", "ROLES", "UNITS", "Unit", "add_libraries", "quantity_type"]

ROLES: Final = "ProcessPlantRoleClassLib"
UNITS: Final = "TennesseeEastmanUnitLib"
INTERFACES: Final = "ProcessPlantInterfaceClassLib"
QUANTITIES: Final = "QuantityTypeLib"

_BASE_ROLE: Final = "AutomationMLBaseRoleClassLib/AutomationMLBaseRole"
_BASE_INTERFACE: Final = "AutomationMLInterfaceClassLib/AutomationMLBaseInterface"

_ROLES: Final = {
    "Enterprise": "Structure/ResourceStructure",
    "Site": "Structure/ResourceStructure",
    "Area": "Structure/ResourceStructure",
    "ProcessCell": "Structure/ResourceStructure",
    "ReactionVessel": "Resource",
    "PhaseSeparator": "Resource",
    "StrippingColumn": "Resource",
    "Compressor": "Resource",
    "Agitator": "Resource",
    "HeatExchanger": "Resource",
    "Analyser": "Resource",
    "Controller": "Resource",
    "ProcessState": "Resource",
}
"""Roles, and that of AutomationML which each is a special case of; the first four are the levels of ISA-95."""

Unit = tuple[str, str, str]
"""Name of a system unit class, its role, and what it is."""
_UNITS: Final[tuple[Unit, ...]] = (
    ("Reactor", "ReactionVessel", "Cooled, agitated vessel in which gases react to liquids"),
    ("Separator", "PhaseSeparator", "Vessel that parts liquid from gas behind a condenser"),
    ("Stripper", "StrippingColumn", "Column in which steam and fresh gas drive the reactants out of the liquid"),
    ("Compressor", "Compressor", "Centrifugal compressor that returns the gas to the reactor"),
    ("Agitator", "Agitator", "Agitator of the reactor"),
    ("Coolant", "HeatExchanger", "Cooling water circuit"),
    ("Analysers", "Analyser", "Analysis of three streams"),
    ("Analyser", "Analyser", "Mole percent of a stream's components, sampled with dead time"),
    ("GasChromatograph", "Analyser", "The instrument behind the analyses; InstrumentML describes its service port"),
    ("Plant", "ProcessState", "The state of the simulated plant"),
    ("Disturbances", "ProcessState", "The twenty published disturbances"),
    ("Controller", "Controller", "What makes a part of the plant readable"),
)
_INTERFACES: Final = {
    "OpcUaServer": ("Communication", "EndpointUrl"),
    "ModbusServer": ("Communication", "EndpointUrl"),
    "SparkplugNode": ("Communication", "EndpointUrl"),
    "MaterialFlow": ("Port", ""),
    "InstrumentDescription": ("ExternalDataConnector", ""),
}
"""Interface classes: the one of AutomationML that each is a special case of, and the attribute that says where it leads."""


def quantity_type(meanings: tuple[str, ...]) -> str:
    """The attribute type of what means this; empty where it measures nothing."""
    name = meanings[0].partition(":")[2] if meanings else ""
    return f"{QUANTITIES}/{name}" if name in QUANTITY_KINDS else ""


def add_libraries(root: Element) -> None:
    """Interface, role, system unit and attribute type classes, in the schema's order."""
    _interfaces(root)
    _roles(root)
    units = SubElement(root, "SystemUnitClassLib", Name=UNITS)
    for name, role, text in _UNITS:
        unit = SubElement(units, "SystemUnitClass", Name=name)
        SubElement(unit, "Description").text = text
        SubElement(unit, "SupportedRoleClass", RefRoleClassPath=f"{ROLES}/{role}")
    types = SubElement(root, "AttributeTypeLib", Name=QUANTITIES)
    for name, kind in QUANTITY_KINDS.items():
        one = SubElement(types, "AttributeType", Name=name, AttributeDataType="xs:double")
        for path in (f"hulian:{name}", f"http://qudt.org/vocab/quantitykind/{kind}"):
            SubElement(one, "RefSemantic", CorrespondingAttributePath=path)


def _interfaces(root: Element) -> None:
    base = SubElement(root, "InterfaceClassLib", Name="AutomationMLInterfaceClassLib")
    top = SubElement(base, "InterfaceClass", Name="AutomationMLBaseInterface")
    for name in ("Port", "Communication"):
        SubElement(top, "InterfaceClass", Name=name, RefBaseClassPath="AutomationMLBaseInterface")
    connector = SubElement(top, "InterfaceClass", Name="ExternalDataConnector", RefBaseClassPath="AutomationMLBaseInterface")
    SubElement(connector, "Attribute", Name="refURI", AttributeDataType="xs:anyURI")
    own = SubElement(root, "InterfaceClassLib", Name=INTERFACES)
    for name, (above, attribute) in _INTERFACES.items():
        one = SubElement(own, "InterfaceClass", Name=name, RefBaseClassPath=f"{_BASE_INTERFACE}/{above}")
        if attribute:
            SubElement(one, "Attribute", Name=attribute, AttributeDataType="xs:anyURI")


def _roles(root: Element) -> None:
    base = SubElement(root, "RoleClassLib", Name="AutomationMLBaseRoleClassLib")
    top = SubElement(base, "RoleClass", Name="AutomationMLBaseRole")
    SubElement(top, "RoleClass", Name="Resource", RefBaseClassPath="AutomationMLBaseRole")
    structure = SubElement(top, "RoleClass", Name="Structure", RefBaseClassPath="AutomationMLBaseRole")
    SubElement(structure, "RoleClass", Name="ResourceStructure", RefBaseClassPath="Structure")
    own = SubElement(root, "RoleClassLib", Name=ROLES)
    for name, above in _ROLES.items():
        SubElement(own, "RoleClass", Name=name, RefBaseClassPath=f"{_BASE_ROLE}/{above}")
