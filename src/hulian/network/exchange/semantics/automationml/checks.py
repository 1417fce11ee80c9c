"""The rules of CAEX, as findings with line and path: what the schema of each version asks for, and what references need.

The rules are written from the structure of CAEX (IEC 62424); a test compares their verdict with that of the published schemas
on documents bent in every way. Who has a schema of their own names it in `check_by_schema`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final, NamedTuple

from lxml import etree

from hulian.network.exchange.semantics.automationml.files import open_document
from hulian.network.exchange.semantics.automationml.headers import LOCAL
from hulian.network.exchange.semantics.automationml.names import HEADER, NAMESPACE
from hulian.network.exchange.semantics.contract import Loss, Source
from hulian.network.exchange.semantics.documents import parse_xml, xml_events
from hulian.network.exchange.semantics.errors import DocumentError

__all__ = ["check", "check_by_rules", "check_by_schema"]

_MOST: Final = 1000
_MANY: Final = 1 << 30
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_CHANGES: Final = ("state", "create", "delete", "change")
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)?")


class _Rule(NamedTuple):
    """What an element may have: children in order with least and most, attributes with whether they must be there."""

    children: dict[str, tuple[int, int, int]]
    attributes: dict[str, bool]
    text: bool = False
    anything: bool = False


def _rule(*children: str, header: bool = True, named: bool = False, **attributes: bool) -> _Rule:
    """A rule; a child is ``Name`` (once at most), ``Name*``, ``Name+`` (once at least), ``Name!`` (just once)."""
    places = {}
    order = [*(f"{each}{'*' if each in _REPEATED else ''}" for each in HEADER)] if header else []
    for number, child in enumerate([*order, *children]):
        name = child.rstrip("*+!")
        least = 1 if child[-1] in "+!" else 0
        places[name] = (number, least, _MANY if child[-1] in "*+" else 1)
    known = {"Name": True, "ID": False} if named else {}
    return _Rule(places, {**known, **attributes, **({"ChangeMode": False} if header else {})})


_REPEATED: Final = ("Revision", "AdditionalInformation", "SourceObjectInformation")
_TEXT: Final = _Rule({}, {}, text=True)
_ANY: Final = _Rule({}, {}, text=True, anything=True)
_CHANGED_TEXT: Final = _Rule({}, {"ChangeMode": False}, text=True)


def _rules(version: str) -> dict[str, _Rule]:
    """By element; of one name there is one rule in each version, but for values within constraints."""
    new = version == "3.0"
    value = _TEXT if new else _ANY
    unit = ("Attribute*", "ExternalInterface*", "InternalElement*", "SupportedRoleClass*", "InternalLink*")
    rules = {
        "CAEXFile": _rule(
            *(("SuperiorStandardVersion*", "SourceDocumentInformation+") if new else ()),
            "ExternalReference*",
            "InstanceHierarchy*",
            "InterfaceClassLib*",
            "RoleClassLib*",
            "SystemUnitClassLib*",
            *(("AttributeTypeLib*",) if new else ()),
            SchemaVersion=True,
            FileName=True,
        ),
        "ExternalReference": _rule(Path=True, Alias=True),
        "InstanceHierarchy": _rule("InternalElement*", named=True),
        "InterfaceClassLib": _rule("InterfaceClass*", named=True),
        "RoleClassLib": _rule("RoleClass*", named=True),
        "SystemUnitClassLib": _rule("SystemUnitClass*", named=True),
        "SystemUnitClass": _rule(*unit, "SystemUnitClass*", named=True, RefBaseClassPath=False),
        "InternalElement": _rule(
            *unit,
            "RoleRequirements*" if new else "RoleRequirements",
            *(() if new else ("MappingObject",)),
            named=True,
            RefBaseSystemUnitPath=False,
        ),
        "RoleClass": _rule("Attribute*", "ExternalInterface*", "RoleClass*", named=True, RefBaseClassPath=False),
        "ExternalInterface": _rule("Attribute*", *(("ExternalInterface*",) if new else ()), named=True, RefBaseClassPath=False),
        "InterfaceClass": _rule(
            "Attribute*", *(("ExternalInterface*",) if new else ()), "InterfaceClass*", named=True, RefBaseClassPath=False
        ),
        "RoleRequirements": _rule(
            "Attribute*", "ExternalInterface*", *(("MappingObject",) if new else ()), RefBaseRoleClassPath=new
        ),
        "SupportedRoleClass": _rule("MappingObject", RefRoleClassPath=True),
        "InternalLink": _rule(named=True, RefPartnerSideA=new, RefPartnerSideB=new),
        "MappingObject": _rule("AttributeNameMapping*", "InterfaceIDMapping*" if new else "InterfaceNameMapping*"),
        "AttributeNameMapping": _rule(SystemUnitAttributeName=True, RoleAttributeName=True),
        "Attribute": _attribute_rule(new),
        "RefSemantic": _rule(CorrespondingAttributePath=True),
        "Constraint": _rule("OrdinalScaledType", "NominalScaledType", "UnknownType", Name=True),
        "OrdinalScaledType": _rule("RequiredMaxValue", "RequiredValue", "RequiredMinValue", header=False),
        "NominalScaledType": _rule("RequiredValue*", header=False),
        # the sequence in it may be absent, and its one element is required in it: both readings are once at most
        "UnknownType": _rule("Requirements", header=False),
        "Revision": _rule("RevisionDate!", "OldVersion", "NewVersion", "AuthorName!", "Comment"),
        "AdditionalInformation": _ANY,
        **dict.fromkeys(("Description", "Version", "Copyright"), _CHANGED_TEXT),
        **dict.fromkeys(("RevisionDate", "OldVersion", "NewVersion", "AuthorName", "Comment", "Requirements"), _TEXT),
        **dict.fromkeys(("DefaultValue", "Value", "RequiredValue", "RequiredMaxValue", "RequiredMinValue"), value),
    }
    if new:
        rules |= {
            "SuperiorStandardVersion": _TEXT,
            "SourceDocumentInformation": _rule(
                header=False,
                OriginName=True,
                OriginID=True,
                OriginVersion=True,
                LastWritingDateTime=True,
                OriginVendor=False,
                OriginVendorURL=False,
                OriginRelease=False,
                OriginProjectTitle=False,
                OriginProjectID=False,
            ),
            "SourceObjectInformation": _Rule({}, {"OriginID": True, "SourceObjID": False}, text=True),
            "AttributeTypeLib": _rule("AttributeType*", named=True),
            "AttributeType": _attribute_rule(new, "AttributeType*"),
            "InterfaceIDMapping": _rule(SystemUnitInterfaceID=True, RoleInterfaceID=True),
        }
    else:
        rules["InterfaceNameMapping"] = _rule(SystemUnitInterfaceName=True, RoleInterfaceName=True)
        for rule in rules.values():
            rule.children.pop("SourceObjectInformation", None)
    return rules


def _attribute_rule(new: bool, *more: str) -> _Rule:
    types = {"RefAttributeType": False} if new else {}
    parts = ("DefaultValue", "Value", "RefSemantic*", "Constraint*", "Attribute*")
    return _rule(*parts, *more, named=True, Unit=False, AttributeDataType=False, **types)


_RULES: Final = {version: _rules(version) for version in ("2.15", "3.0")}


def check(source: Source, name: str = "document") -> list[Loss]:
    """All findings of a document: the schema's rules, paths that lead nowhere, IDs that are there twice, links to no interface.

    Raises `DocumentError` where it cannot be read at all.
    """
    with source.open() as opened:
        packed = opened.read(4) == b"PK\x03\x04"
    findings = [] if packed else check_by_rules(source)
    losses: list[Loss] = []
    _, batches = open_document(source, name, losses)
    for _ in batches:
        pass
    return findings + losses


def check_by_schema(source: Source, schema: Source) -> list[Loss]:
    """Findings by a schema (XSD) that the user has. It must stand alone: one that includes others is refused."""
    root = parse_xml(schema, largest=4 << 20)
    for each in root.iterchildren(*(f"{{http://www.w3.org/2001/XMLSchema}}{tag}" for tag in ("include", "import", "redefine"))):
        raise DocumentError(
            "the schema asks for other files", place=f"{schema.name}, line {each.sourceline}", hint="name one that stands alone"
        )
    try:
        known = etree.XMLSchema(root)
    except etree.XMLSchemaParseError as error:
        raise DocumentError(f"it is no schema: {error}", place=schema.name) from error
    document = parse_xml(source, largest=256 << 20)
    known.validate(document)
    return [
        Loss(f"{source.name}, line {error.line}, {error.path}", error.message, error.type_name, lost=False)
        for error in list(known.error_log)[:_MOST]
    ]


def check_by_rules(source: Source) -> list[Loss]:
    """Findings by the rules of the version that the document says it has; a thousand at most."""
    checker = _Checker(source.name)
    for kind, element in xml_events(source, starts=True):
        if kind == "start":
            checker.begin(element)
        else:
            checker.end(element)
            element.clear(keep_tail=True)
            if (above := element.getparent()) is not None:
                del above[: len(above) - 1]
        if len(checker.findings) >= _MOST:
            break
    return checker.findings


class _Checker:
    """Takes elements as they begin and end."""

    def __init__(self, name: str) -> None:
        self.findings: list[Loss] = []
        self._name = name
        self._rules: dict[str, _Rule] = {}
        self._namespace = ""
        self._open: list[tuple[str, str, _Rule | None, dict[str, int], int]] = []
        self._free = 0

    def begin(self, element: Any) -> None:
        """An element and its attributes."""
        if self._free:
            self._free += 1
            return
        tag = LOCAL[element.tag]
        if not self._open:
            self._root(element, tag)
        rule = self._rules.get(tag)
        if self._open:
            self._child(element, tag)
        if element.tag.rpartition("}")[0].lstrip("{") != self._namespace:
            self._tell(element, tag, f"the namespace of {tag} is not that of the schema version")
        self._open.append((tag, element.get("Name") or tag, rule, {}, -1))
        if rule is None or rule.anything:
            self._free = 1
        else:
            self._attributes(element, tag, rule)

    def end(self, element: Any) -> None:
        """What it had to have, and what it must not have between."""
        if self._free:
            self._free -= 1
            if self._free:
                return
        tag, _, rule, counts, _ = self._open.pop()
        if rule is None or rule.anything:
            return
        for name, (_, least, _) in rule.children.items():
            if counts.get(name, 0) < least:
                self._tell(element, tag, f"it has no {name}")
        if (
            tag == "Constraint"
            and sum(counts.get(each, 0) for each in ("OrdinalScaledType", "NominalScaledType", "UnknownType")) != 1
        ):
            self._tell(element, tag, "it has not one kind of scale")
        if not rule.text and (element.text or "").strip():
            self._tell(element, tag, f"{tag} holds no text")
        if tag == "RevisionDate":
            self._time(element, tag, element.text or "")
        if self._open and (element.tail or "").strip():
            self._tell(element, tag, "there is text between elements")

    def _root(self, element: Any, tag: str) -> None:
        version = element.get("SchemaVersion", "")
        if tag != "CAEXFile":
            raise DocumentError("it is no CAEX document: its root element is not CAEXFile", place=self._name)
        spaced = element.tag.startswith("{")
        if version not in _RULES:
            self._tell(element, tag, f"{version!r} is no published schema version")
            version = "3.0" if spaced else "2.15"
        self._rules = _RULES[version]
        self._namespace = NAMESPACE if version == "3.0" else ""

    def _child(self, element: Any, tag: str) -> None:
        above, name, rule, counts, last = self._open[-1]
        if rule is None:
            return
        place = rule.children.get(tag)
        if place is None:
            self._tell(element, tag, f"{above} has no {tag}")
            return
        number, _, most = place
        if number < last:
            self._tell(element, tag, f"{tag} stands behind what must follow it")
        counts[tag] = counts.get(tag, 0) + 1
        if counts[tag] == most + 1:
            self._tell(element, tag, f"{above} has more than one {tag}")
        self._open[-1] = (above, name, rule, counts, max(last, number))

    def _attributes(self, element: Any, tag: str, rule: _Rule) -> None:
        for key, text in element.items():
            if key.startswith(_XSI):
                continue
            if key not in rule.attributes:
                self._tell(element, tag, f"{tag} has no attribute {key}")
            elif key == "ChangeMode" and text not in _CHANGES:
                self._tell(element, tag, f"ChangeMode {text!r} is none of {', '.join(_CHANGES)}")
            elif key == "LastWritingDateTime":
                self._time(element, tag, text)
        for key, needed in rule.attributes.items():
            if needed and element.get(key) is None:
                self._tell(element, tag, f"{tag} must have the attribute {key}")

    def _time(self, element: Any, tag: str, text: str) -> None:
        found = _TIME.fullmatch(text.strip())
        try:
            good = found is not None and datetime(*(int(found[part]) for part in range(1, 7)))  # type: ignore[arg-type] # noqa: DTZ001
        except ValueError:
            good = False
        if not good:
            self._tell(element, tag, f"{text.strip()!r} is no xs:dateTime")

    def _tell(self, element: Any, tag: str, what: str) -> None:
        path = "/".join(
            [name for _, name, _, _, _ in self._open[1:]] + ([tag] if self._open and self._open[-1][0] != tag else [])
        )
        self.findings.append(Loss(f"{self._name}, line {element.sourceline}, {path}", what, "CAEX's schema", lost=False))
