"""The published submodel templates: which semantic id is of which, so that a submodel gets its type.

The type of a submodel is the node of its template. Where the template was imported as a document the node is there; else
the id says which template is missing.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["TEMPLATES", "Template", "template_of", "type_of"]


class Template(NamedTuple):
    """A family of templates that IDTA published under one number."""

    number: str
    name: str
    meanings: tuple[re.Pattern[str], ...]
    """Of the submodels, with groups ``major`` and ``minor`` where the id tells its version."""
    type: str
    """Id of the published template, with the version to be put in."""
    version: tuple[str, str]
    """Where the id tells none."""


def _family(number: str, name: str, type_: str, version: tuple[str, str], *patterns: str) -> Template:
    return Template(number, name, tuple(re.compile(f"^{pattern}/?$") for pattern in patterns), type_, version)


_VERSION: Final = r"(?P<major>\d+)/(?P<minor>\d+)"
_IDTA: Final = "https://admin-shell.io/idta/SubmodelTemplate"
_AT: Final = r"https?://(?:www\.)?admin-shell\.io"

TEMPLATES: Final = (
    _family(
        "IDTA 02006",
        "Digital Nameplate",
        f"{_IDTA}/DigitalNameplate/{{major}}/{{minor}}",
        ("3", "0"),
        rf"{_AT}/(?:idta|zvei)/nameplate/{_VERSION}/Nameplate",
    ),
    _family(
        "IDTA 02003",
        "Technical Data",
        "https://admin-shell.io/ZVEI/TechnicalData/Submodel/{major}/{minor}",
        ("1", "2"),
        rf"{_AT}/ZVEI/TechnicalData/Submodel/{_VERSION}",
        rf"{_AT}/idta/TechnicalData/{_VERSION}/Submodel",
    ),
    _family(
        "IDTA 02011",
        "Hierarchical Structures (bill of material)",
        f"{_IDTA}/HierarchicalStructuresBoM/{{major}}/{{minor}}",
        ("1", "1"),
        rf"{_AT}/idta/HierarchicalStructures/{_VERSION}/Submodel",
    ),
    _family(
        "IDTA 02004",
        "Handover Documentation",
        f"{_IDTA}/HandoverDocumentation/{{major}}/{{minor}}",
        ("2", "0"),
        r"0173-1#01-AHF578#\d{3}",
        rf"{_AT}/ZVEI/HandoverDocumentation/{_VERSION}",
    ),
    _family(
        "IDTA 02023",
        "Carbon Footprint",
        f"{_IDTA}/CarbonFootprint/{{major}}/{{minor}}",
        ("1", "0"),
        rf"{_AT}/idta/CarbonFootprint/CarbonFootprint/{_VERSION}",
    ),
    _family(
        "IDTA 02017",
        "Asset Interfaces Description",
        f"{_IDTA}/AssetInterfacesDescription",
        ("1", "0"),
        rf"{_AT}/idta/AssetInterfacesDescription/{_VERSION}/Submodel",
    ),
    _family(
        "IDTA 02027",
        "Asset Interfaces Mapping Configuration",
        f"{_IDTA}/AssetInterfacesMappingConfiguration/{{major}}/{{minor}}",
        ("1", "0"),
        rf"{_AT}/idta/AssetInterfacesMappingConfiguration/{_VERSION}/Submodel",
    ),
)


def template_of(meaning: str) -> tuple[Template, str] | None:
    """The template of a submodel with this semantic id, and the id of its node."""
    for template in TEMPLATES:
        for pattern in template.meanings:
            found = pattern.match(meaning)
            if found:
                version = found.groupdict()
                major, minor = version.get("major") or template.version[0], version.get("minor") or template.version[1]
                return template, template.type.format(major=major, minor=minor)
    return None


def type_of(meaning: str) -> str:
    """The id of the template's node; empty where none is known."""
    found = template_of(meaning)
    return found[1] if found else ""
