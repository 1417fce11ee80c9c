"""ECLASS XML: OntoML (ISO 13584-32) with ECLASS's extensions, and its file of units (UnitsML).

Bends that are accepted, each because published files have it:

* any namespace of the elements: ECLASS's own changes with each edition of its extensions (2.0 to 5.0), old exports have none;
* names of languages with and without country, ``text`` for ``label`` and the other way round;
* a definition of ``-``, which says that there is none;
* ``keywords`` (ECLASS) beside ``synonymous_names`` (ISO);
* values without identifier of their own: they are named after their list and their place in it;
* an entry whose identifier is none is left out, as a loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hulian.network.exchange.semantics.concepts import recognise
from hulian.network.exchange.semantics.contract import Loss, Source
from hulian.network.exchange.semantics.dictionary.entry import Entry, Header, Kind
from hulian.network.exchange.semantics.documents import xml_events

__all__ = ["read_ontoml"]

_ENTRIES: Final = ("class", "property", "datatype", "eClassUnit", "Unit", "complete_unit", "header")
_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_MEASURE: Final = ("MEASURE", "CURRENCY")
_TEXTS: Final = {"preferred_name": "names", "short_name": "short_names", "definition": "definitions", "note": "notes"}
_SYNONYMS: Final = ("synonymous_names", "synonymous_name", "keywords", "synonyms")
_MOST_VALUES: Final = 100_000
_MOST_TAGS: Final = 1000
_LOCAL: Final[dict[str, str]] = {}
"""Names of elements without their namespaces, as they were met."""


def read_ontoml(source: Source, header: Header, losses: list[Loss]) -> Iterator[Entry]:
    """The entries of a document, as they are read; ``header`` learns what the document says of itself.

    Raises `DocumentError` with the line where it is no XML, `HostileDocumentError` beyond a bound.
    """
    header.format = header.format or "OntoML"
    values: set[str] = set()
    for _, element in xml_events(source, tags=tuple("{*}" + name for name in _ENTRIES)):
        name = _local(element)
        if name == "header":
            _header(element, header)
            continue
        identifier = element.get("id") or (_unit_code(element) if name in ("eClassUnit", "Unit", "complete_unit") else None)
        if not identifier:
            continue  # a reference inside of an entry that has not ended yet
        place = f"{source.name}, line {element.sourceline}"
        if recognise(identifier) is None:
            losses.append(Loss(place, f"{name} {identifier[:100]}", "its identifier is neither an IRDI nor a URI"))
        else:
            match name:
                case "class":
                    yield _class(element, identifier)
                case "property":
                    yield _property(element, identifier)
                    if _first(element, "its_values") is not None:
                        yield from _value_list(element, f"ontoml:{identifier}~values", values, losses, place)
                case "datatype":
                    yield from _value_list(element, identifier, values, losses, place)
                case _:
                    yield _unit(element, identifier)
        _clear(element)


def _header(element: Any, header: Header) -> None:
    for child in element.iter():
        name = _local(child)
        if name in ("release", "version", "release_number", "dictionary_version") and child.text and not header.label:
            header.label = child.text.strip()
        if name == "preferred_name" and not header.title:
            header.title = next(iter(_texts(child).values()), "")


def _class(element: Any, identifier: str) -> Entry:
    children = _children(element)
    position = _text_of(children, "hierarchical_position")
    described = [
        _ref(child, "property_ref")
        for name in ("described_by", "imported_properties")
        for group in children.get(name, ())
        for child in group
    ]
    cases = [_ref(child, "class_ref") for group in children.get("is_case_of", ()) for child in group]
    return Entry(
        kind=Kind.CLASS,
        identifier=identifier,
        parent=_ref(_one(children, "its_superclass"), "class_ref"),
        cases=tuple(ref for ref in cases if ref),
        properties=tuple(dict.fromkeys(ref for ref in described if ref)),
        extra={"ontoml": {"hierarchical_position": position}} if position else {},
        **_common(children),
    )


def _property(element: Any, identifier: str) -> Entry:
    children = _children(element)
    domain = _one(children, "domain")
    datatype, levels = _datatype(domain)
    extra: dict[str, Any] = {"levels": levels} if levels else {}
    listed = unit = form = ""
    units: list[str] = []
    if domain is not None:
        for child in domain.iterdescendants():
            name = _local(child)
            if name == "unit":
                among_others = _local(child.getparent()) == "alternative_units"
                if among_others:
                    units.append(_ref(child, "unit_ref"))
                else:
                    unit = unit or _ref(child, "unit_ref")
            elif name == "value_format":
                form = form or (child.text or "").strip()
            listed = listed or _ref(child, "datatype_ref")
            if child.get("class_ref"):
                extra.setdefault("class", child.get("class_ref"))
    if "its_values" in children:
        listed = f"ontoml:{identifier}~values"
    symbol = _one(children, "preferred_symbol")
    return Entry(
        kind=Kind.PROPERTY,
        identifier=identifier,
        datatype=datatype,
        format=form or _text_of(children, "value_format"),
        unit=unit,
        units=tuple(ref for ref in units if ref),
        value_list=listed,
        symbol=" ".join("".join(symbol.itertext()).split()) if symbol is not None else "",
        extra={"ontoml": extra} if extra else {},
        **_common(children),
    )


def _datatype(domain: Any) -> tuple[str, list[str]]:
    """IEC 61360's name of a domain's type, and the levels (MIN, MAX, NOM, TYP) where it has them."""
    if domain is None:
        return "", []
    name = _type(domain)
    if name == "LEVEL":
        levels = [
            _local(child) if not (child.text or "").strip() else (child.text or "").strip()
            for child in _below(domain, "levels")
        ]
        inner = _first(domain, "value_type")
        return (_type(inner) if inner is not None else "REAL_MEASURE"), levels or ["MIN", "MAX"]
    if name in ("SET", "LIST", "ARRAY", "BAG") or name.endswith("AGGREGATE"):
        inner = _first(domain, "value_type")
        return (_type(inner) if inner is not None else "STRING"), []
    return name, []


def _type(element: Any) -> str:
    """``ontoml:REAL_MEASURE_TYPE_Type`` as ``REAL_MEASURE``."""
    return (element.get(_XSI_TYPE) or "").rpartition(":")[2].removesuffix("_Type").removesuffix("_TYPE").removesuffix("_DATA")


def _value_list(element: Any, identifier: str, seen: set[str], losses: list[Loss], place: str) -> Iterator[Entry]:
    members: list[str] = []
    texts = [(child.text or "").strip() for child in _all(element, "subset") for child in child]
    for number, value in enumerate(_all(element, "dic_value")):
        if number >= _MOST_VALUES:
            losses.append(Loss(place, f"values of {identifier}", f"there are more than {_MOST_VALUES}"))
            break
        own = value.get("value_meaning_id") or value.get("id") or ""
        if not own:
            own = f"ontoml:{identifier}~{number + 1}"
        elif recognise(own) is None:
            losses.append(Loss(place, f"value {own[:100]}", "its identifier is neither an IRDI nor a URI"))
            continue
        members.append(own)
        if own in seen:
            continue
        seen.add(own)
        code = _text(value, "value_code")
        coded = texts[int(code) - 1] if code.isdigit() and 0 < int(code) <= len(texts) else ""
        coded = coded or (texts[number] if number < len(texts) else code)
        facts = _common(_children(value))
        facts["names"] = facts["names"] or ({"": coded} if coded else {})
        yield Entry(kind=Kind.VALUE, identifier=own, value=coded or code, **facts)
    if _local(element) == "datatype" or members:
        facts = _common(_children(element)) if _local(element) == "datatype" else {}
        datatype = _deep(element, "type_definition")
        yield Entry(
            kind=Kind.VALUE_LIST,
            identifier=identifier,
            values=tuple(members),
            datatype=_type(datatype) if datatype is not None else "",
            **facts,
        )


def _unit_code(element: Any) -> str | None:
    for child in _all(element, "CodeListValue"):
        if (child.get("codeListName") or "").upper() == "IRDI":
            found: str | None = child.get("unitCodeValue")
            return found
    return None


def _unit(element: Any, identifier: str) -> Entry:
    codes = {child.get("codeListName"): child.get("unitCodeValue") for child in _all(element, "CodeListValue")}
    facts = _common(_children(element))
    symbol = next((facts["short_names"][tag] for tag in facts["short_names"]), "")
    for child in [*_all(element, "UnitSymbol"), *_all(element, "DIN_notation")]:
        symbol = symbol or "".join(child.itertext()).strip()
    for child in _all(element, "UnitName"):
        symbol = symbol or (child.text or "").strip()
    for name in ("UCUM code", "DIN code", "SI code"):
        symbol = symbol or codes.get(name) or ""
    others = {name: code for name, code in codes.items() if name and name.upper() != "IRDI" and code}
    extra = {"ontoml": {"codes": others}} if others else {}
    return Entry(kind=Kind.UNIT, identifier=identifier, symbol=symbol, extra=extra, **facts)


def _children(element: Any) -> dict[str, list[Any]]:
    """What stands directly below, by name: looked up once, for there are a dozen questions to each entry."""
    found: dict[str, list[Any]] = {}
    for child in element.iterchildren():
        found.setdefault(_local(child), []).append(child)
    return found


def _common(children: dict[str, list[Any]]) -> dict[str, Any]:
    facts: dict[str, Any] = {"names": {}, "short_names": {}}
    for name, field in _TEXTS.items():
        if name in children:
            facts[field] = _texts(children[name][0])
    synonyms: dict[str, tuple[str, ...]] = {}
    for group in _SYNONYMS:
        for parent in children.get(group, ()):
            for tag, text in _labels(parent):
                synonyms[tag] = (*synonyms.get(tag, ()), text)
    if synonyms:
        facts["synonyms"] = synonyms
    if "-" in facts.get("definitions", {}).values():
        facts["definitions"] = {tag: text for tag, text in facts["definitions"].items() if text != "-"}
    for remark in children.get("remark", ()):
        notes = facts.setdefault("notes", {})
        for tag, text in _texts(remark).items():
            notes[tag] = f"{notes[tag]}\n{text}" if tag in notes else text
    for source in children.get("source_doc_of_definition", ()):
        facts["source"] = " ".join("".join(source.itertext()).split())
    facts["deprecated"] = _text_of(children, "is_deprecated").lower() in ("true", "1")
    return facts


def _texts(element: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag, text in _labels(element):
        found.setdefault(tag, text)
    return found


def _labels(element: Any) -> Iterator[tuple[str, str]]:
    """Texts by language; the country only where one language has two."""
    if element is None:
        return
    seen: set[str] = set()
    for child in element.iterchildren():
        if _local(child) in ("label", "text"):
            text = child.text or ""
            text = " ".join((text if not len(child) else "".join(child.itertext())).split())
            language = child.get("language_code") or ""
            country = child.get("country_code") or ""
            full = f"{language}-{country}" if country else language
            if text:
                tag = language if language not in seen or not country else full
                seen.add(language)
                yield tag, text


def _local(element: Any) -> str:
    tag: str = element.tag
    name = _LOCAL.get(tag)
    if name is None:
        name = tag.rpartition("}")[2]
        if len(_LOCAL) < _MOST_TAGS:
            _LOCAL[tag] = name
    return name


def _named(element: Any, name: str) -> list[Any]:
    return [] if element is None else list(element.iterchildren("{*}" + name))


def _first(element: Any, name: str) -> Any:
    return None if element is None else next(element.iterchildren("{*}" + name), None)


def _all(element: Any, name: str) -> Iterator[Any]:
    if element is not None:
        yield from element.iter("{*}" + name)


def _deep(element: Any, name: str) -> Any:
    return next(_all(element, name), None)


def _below(element: Any, name: str) -> list[Any]:
    return [child for group in _named(element, name) for child in group]


def _ref(element: Any, name: str) -> str:
    return (element.get(name) or "") if element is not None else ""


def _one(children: dict[str, list[Any]], name: str) -> Any:
    return children[name][0] if name in children else None


def _text_of(children: dict[str, list[Any]], name: str) -> str:
    return (children[name][0].text or "").strip() if name in children else ""


def _text(element: Any, name: str) -> str:
    found = _first(element, name)
    return (found.text or "").strip() if found is not None else ""


def _clear(element: Any) -> None:
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]
