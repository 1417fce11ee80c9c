"""How published AutomationML files bend their standards, and what is made of it: each bend is accepted, with its reason.

Strict in what is written: none of these is ever written. `BENDS` is what the reader and the documentation know them by.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BENDS"]

BENDS: Final = {
    "namespace": (
        "CAEX 3.0 without its namespace, CAEX 2.15 with one",
        "exporters change SchemaVersion without changing the root; elements are known by their local names",
    ),
    "version": (
        "a SchemaVersion that is neither 2.15 nor 3.0",
        "2.0, 2.1, 3.0.1 and the like are in use for documents of the published schemas; the namespace decides",
    ),
    "identities": (
        "IDs spelled differently where they are used: braces, case",
        "libraries of several vendors normalise GUIDs when they write, and others do not",
    ),
    "duplicates": (
        "one ID at several objects",
        "engineering tools copy subtrees with their IDs; the first keeps it for references, the others are known by path",
    ),
    "names": (
        "siblings of one name, or of none",
        "hand-written and generated files have them; they are told apart by number, in document order",
    ),
    "relative": (
        "RefBaseClassPath with the bare name of the class that encloses it",
        "CAEX 2.15 practice and the published AutomationML 2.10 libraries do so",
    ),
    "sides": (
        "sides of links in the other version's form: an ID in CAEX 2.15, ID:Name in 3.0",
        "converters change the schema version and leave the links",
    ),
    "order": (
        "elements out of the schema's order",
        "hand-written files; they are read, and written in the schema's order, which is told as a loss",
    ),
    "data types": (
        "AttributeDataType with the prefix xsd, or none",
        "both are common; the model has xs:, the document keeps what it had",
    ),
    "root": (
        "a container whose relationship type differs in case, or that has no relationships and one .aml file",
        "early libraries wrote rootdocument; hand-packed containers have no relationships at all",
    ),
    "separators": (
        "paths in references and containers with backslashes",
        "tools on Windows write them",
    ),
}
"""By name: what is accepted, and why."""
