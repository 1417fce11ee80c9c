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
_MOST_VALUES: Final = 100_000


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
    extra = {}
    position = _text(element, "hierarchical_position")
    if position:
        extra["hierarchical_position"] = position
    described = [
        _ref(child, "property_ref") for group in ("described_by", "imported_properties") for child in _below(element, group)
    ]
    return Entry(
        kind=Kind.CLASS,
        identifier=identifier,
        parent=_ref(_first(element, "its_superclass"), "class_ref"),
        cases=tuple(ref for child in _below(element, "is_case_of") if (ref := _ref(child, "class_ref"))),
        properties=tuple(dict.fromkeys(ref for ref in described if ref)),
        extra={"ontoml": extra} if extra else {},
        **_common(element),
    )


def _property(element: Any, identifier: str) -> Entry:
    domain = _first(element, "domain")
    datatype, level = _datatype(domain)
    extra: dict[str, Any] = {"levels": level} if level else {}
    if domain is not None and _find(domain, "class_ref"):
        extra["class"] = _find(domain, "class_ref")
    listed = _find(domain, "datatype_ref")
    if _first(element, "its_values") is not None:
        listed = f"ontoml:{identifier}~values"
    units = [ref for unit in (_deep(domain, "alternative_units"),) if unit is not None for ref in _refs(unit, "unit_ref")]
    symbol = _first(element, "preferred_symbol")
    return Entry(
        kind=Kind.PROPERTY,
        identifier=identifier,
        datatype=datatype,
        format=_text(domain, "value_format") or _text(element, "value_format"),
        unit=_ref(_deep(domain, "unit"), "unit_ref"),
        units=tuple(units),
        value_list=listed,
        symbol=" ".join("".join(symbol.itertext()).split()) if symbol is not None else "",
        extra={"ontoml": extra} if extra else {},
        **_common(element),
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
        facts = _common(value)
        facts["names"] = facts["names"] or ({"": coded} if coded else {})
        yield Entry(kind=Kind.VALUE, identifier=own, value=coded or code, **facts)
    if _local(element) == "datatype" or members:
        facts = _common(element) if _local(element) == "datatype" else {}
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
    facts = _common(element)
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


def _common(element: Any) -> dict[str, Any]:
    synonyms: dict[str, tuple[str, ...]] = {}
    for group in ("synonymous_names", "synonymous_name", "keywords", "synonyms"):
        for parent in _named(element, group):
            for tag, text in _labels(parent):
                synonyms[tag] = (*synonyms.get(tag, ()), text)
    notes = _texts(_first(element, "note"))
    for tag, text in _texts(_first(element, "remark")).items():
        notes[tag] = f"{notes[tag]}\n{text}" if tag in notes else text
    return {
        "names": _texts(_first(element, "preferred_name")),
        "short_names": _texts(_first(element, "short_name")),
        "synonyms": synonyms,
        "definitions": {tag: text for tag, text in _texts(_first(element, "definition")).items() if text != "-"},
        "notes": notes,
        "source": " ".join("".join(source.itertext()).split())
        if (source := _first(element, "source_doc_of_definition")) is not None
        else "",
        "deprecated": _text(element, "is_deprecated").lower() in ("true", "1"),
    }


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
    for child in element.iter():
        if _local(child) in ("label", "text") and child is not element:
            text = " ".join("".join(child.itertext()).split())
            language = child.get("language_code") or ""
            country = child.get("country_code") or ""
            full = f"{language}-{country}" if country else language
            if text:
                tag = language if language not in seen or not country else full
                seen.add(language)
                yield tag, text


def _local(element: Any) -> str:
    name: str = element.tag
    return name.rpartition("}")[2]


def _named(element: Any, name: str) -> list[Any]:
    return [] if element is None else [child for child in element if _local(child) == name]


def _first(element: Any, name: str) -> Any:
    return next(iter(_named(element, name)), None)


def _all(element: Any, name: str) -> Iterator[Any]:
    if element is not None:
        yield from element.iter("{*}" + name)


def _deep(element: Any, name: str) -> Any:
    return next(_all(element, name), None)


def _below(element: Any, name: str) -> list[Any]:
    return [child for group in _named(element, name) for child in group]


def _ref(element: Any, name: str) -> str:
    return (element.get(name) or "") if element is not None else ""


def _refs(element: Any, name: str) -> list[str]:
    return [found for child in element.iter() if (found := child.get(name))]


def _find(element: Any, name: str) -> str:
    return next(iter(_refs(element, name)), "") if element is not None else ""


def _text(element: Any, name: str) -> str:
    found = _first(element, name)
    return (found.text or "").strip() if found is not None else ""


def _clear(element: Any) -> None:
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]
