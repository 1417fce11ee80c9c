# ruff: noqa: E501 - lines as exports have them
"""Documents of dictionaries: their published forms, with invented content, and what they must not do."""

from __future__ import annotations

import io
import zipfile

import msgspec
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.exchange.semantics.dictionary import Entry, Header, Kind
from hulian.network.exchange.semantics.dictionary.own import write_own
from hulian.network.exchange.semantics.dictionary.reading import read_dictionary
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import (
    ConceptError,
    DocumentError,
    HostileDocumentError,
    SemanticsError,
    UnknownFormatError,
)

ECLASS = """<?xml version="1.0" encoding="UTF-8"?>
<dic:eclass_dictionary xmlns:dic="urn:eclass:xml-schema:dictionary:4.0"
  xmlns:ontoml="urn:iso:std:iso:is:13584:-32:ed-1:tech:xml-schema:ontoml" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xmlns:val="urn:iso:std:iso:ts:29002:-10:ed-1:tech:xml-schema:value">
 <ontoml:ontoml>
  <header><ontoml_information><preferred_name><label language_code="en">Invented</label></preferred_name><release>99.0</release></ontoml_information></header>
  <dictionary>
   <contained_classes>
    <ontoml:class xsi:type="ontoml:CATEGORIZATION_CLASS_Type" id="0173-1#01-ZZZ001#001">
     <preferred_name><label language_code="en" country_code="US">Wheel</label><label language_code="de" country_code="DE">Rad</label></preferred_name>
     <definition><text language_code="en">turns</text><text language_code="de">-</text></definition>
     <is_deprecated>false</is_deprecated>
     <hierarchical_position>99010000</hierarchical_position>
    </ontoml:class>
    <ontoml:class xsi:type="ontoml:ITEM_CLASS_CASE_OF_Type" id="0173-1#01-ZZZ002#002">
     <preferred_name><label language_code="en" country_code="US">Cart wheel</label><label language_code="en" country_code="GB">Waggon wheel</label></preferred_name>
     <synonymous_names><label language_code="en">cartwheel</label><label language_code="de">Wagenrad</label></synonymous_names>
     <keywords><label language_code="en">wagon</label></keywords>
     <its_superclass class_ref="0173-1#01-ZZZ001#001"/>
     <is_case_of><class class_ref="0173-1#01-ZZZ009#001"/></is_case_of>
     <described_by><property property_ref="0173-1#02-ZZZ003#001" order_number="2"/><property property_ref="0173-1#02-ZZZ004#001"/></described_by>
    </ontoml:class>
   </contained_classes>
   <contained_properties>
    <ontoml:property xsi:type="ontoml:NON_DEPENDENT_P_DET_Type" id="0173-1#02-ZZZ003#001">
     <preferred_name><label language_code="en">diameter</label></preferred_name>
     <short_name><label language_code="en">DIA</label></short_name>
     <note><text language_code="en">outside</text></note>
     <preferred_symbol><text_representation>d</text_representation></preferred_symbol>
     <domain xsi:type="ontoml:REAL_MEASURE_TYPE_Type"><value_format>NR2 S..3.3</value_format><unit unit_ref="0173-1#05-ZZZ007#001"/>
      <alternative_units><unit unit_ref="0173-1#05-ZZZ008#001"/></alternative_units></domain>
    </ontoml:property>
    <ontoml:property xsi:type="ontoml:NON_DEPENDENT_P_DET_Type" id="0173-1#02-ZZZ004#001">
     <preferred_name><label language_code="en">material</label></preferred_name>
     <domain xsi:type="ontoml:NAMED_TYPE_Type"><referred_type datatype_ref="0173-1#09-ZZZ005#001"/></domain>
     <is_deprecated>true</is_deprecated>
    </ontoml:property>
    <ontoml:property xsi:type="ontoml:NON_DEPENDENT_P_DET_Type" id="0173-1#02-ZZZ006#001">
     <preferred_name><label language_code="en">temperature range</label></preferred_name>
     <domain xsi:type="ontoml:LEVEL_TYPE_Type"><levels><level>MIN</level><level>MAX</level></levels>
      <value_type xsi:type="ontoml:INT_MEASURE_TYPE_Type"><unit unit_ref="0173-1#05-ZZZ010#001"/></value_type></domain>
    </ontoml:property>
    <ontoml:property id="no identifier"><preferred_name><label language_code="en">lost</label></preferred_name></ontoml:property>
   </contained_properties>
   <contained_datatypes>
    <ontoml:datatype xsi:type="ontoml:NAMED_TYPE_Type" id="0173-1#09-ZZZ005#001">
     <preferred_name><label language_code="en">materials</label></preferred_name>
     <type_definition xsi:type="ontoml:STRING_TYPE_Type"><constraints><constraint xsi:type="ontoml:ENUMERATION_CONSTRAINT_Type">
      <subset><val:string_value>wood</val:string_value><val:string_value>iron</val:string_value></subset>
      <value_meaning><its_values>
       <dic_value value_meaning_id="0173-1#07-ZZZ011#001"><value_code>1</value_code><preferred_name><label language_code="en">Wood</label></preferred_name></dic_value>
       <dic_value value_meaning_id="0173-1#07-ZZZ012#001"><value_code>2</value_code><preferred_name><label language_code="en">Iron</label></preferred_name></dic_value>
       <dic_value/>
      </its_values></value_meaning></constraint></constraints></type_definition>
    </ontoml:datatype>
   </contained_datatypes>
  </dictionary>
 </ontoml:ontoml>
</dic:eclass_dictionary>
"""

UNITS = """<unt:eclass_units xmlns:unt="urn:eclass:xml-schema:units:5.0" xmlns:unitsml="urn:oasis:names:tc:unitsml:schema:xsd:UnitsMLSchema-1.0">
 <unitsml:UnitSet><unt:eClassUnit xml:id="id0173-1x05-ZZZ007x001"><unitsml:UnitName xml:lang="en">mm</unitsml:UnitName>
  <unitsml:CodeListValue unitCodeValue="0173-1#05-ZZZ007#001" codeListName="IRDI"/><unitsml:CodeListValue unitCodeValue="MMT" codeListName="ECE code"/>
  <unt:preferred_name><label language_code="en">millimetre</label></unt:preferred_name><unt:short_name><label language_code="en">mm</label></unt:short_name>
 </unt:eClassUnit></unitsml:UnitSet></unt:eclass_units>"""

PROPERTIES = """#CLASS_ID:=MDC_C003
#DEFAULT_SUPPLIER:=0112/2///99999
#PROPERTY_ID;MDC_P001_6;MDC_P002_1;MDC_P004_1.en;MDC_P004_1.DE;MDC_P004_2.en;MDC_P005.en;MDC_P022;MDC_P041;MDC_P024
#PROPERTY_NAME.en;Code;Version;Name;Name;Synonyms;Definition;Data type;Unit;Format
#DATATYPE;STRING_TYPE;STRING_TYPE
;0112/2///99999#ZZB001;3;outlet pressure;Austrittsdruck;"discharge pressure; delivery pressure";"pressure; at the outlet";LEVEL(MIN,MAX) OF REAL_MEASURE_TYPE;0112/2///62720#UAA323;NR2
;ZZB002;1;material;Werkstoff;;;ENUM_STRING_TYPE(ZZD001);;
;ZZB003;1;drive;;;;CLASS_REFERENCE_TYPE(0112/2///99999#ZZA002);;
;;;;;;;;;
;not a code;1;x;;;;;;
"""

CLASSES = """"#CLASS_ID","MDC_C002"
"#PROPERTY_ID","0112/2///62656_1#MDC_P001_5","MDC_P004_1.en","MDC_P010","MDC_P013","MDC_P014","MDC_P090"
,"0112/2///99999#ZZA001","machine",,,"{0112/2///99999#ZZB003}",
,"0112/2///99999#ZZA002","pump","0112/2///99999#ZZA001",,"(0112/2///99999#ZZB001, 0112/2///99999#ZZB002)","0112/2///99999#ZZB009"
"""

LISTS = "#CLASS_ID:=MDC_C005\n#PROPERTY_ID\tMDC_P001_12\tMDC_P043\n\t0112/2///99999#ZZD001\t0112/2///99999#ZZE001 0112/2///99999#ZZE002\n"
TERMS = "#CLASS_ID:=MDC_C010\n#PROPERTY_ID,MDC_P001_11,MDC_P004_1.en,MDC_P044\n,0112/2///99999#ZZE001,steel,ST\n"
SUPPLIED = "#DEFAULT_SUPPLIER:=0112/2///99999\n"

OWN = b"""{"dictionary": {"name": "plant", "title": "Ours", "version": "3", "licence": "own"}, "entries": [
 {"id": "plant:pump", "kind": "class", "names": {"en": "Pump", "zh": "\xe6\xb3\xb5"}, "properties": ["plant:pressure"]},
 {"id": "plant:pressure", "kind": "property", "names": {"de": "Druck"}, "unit": "bar", "datatype": "REAL_MEASURE", "value-list": ""}]}"""


def read(name, content, losses=None, header=None):
    header = header or Header(name="test")
    content = content.encode() if isinstance(content, str) else content
    found = list(read_dictionary(memory_source(name, content), header, [] if losses is None else losses))
    return {entry.identifier: entry for entry in found}


@pytest.mark.parametrize("edition", ["2.0", "3.0", "4.0", "5.0"])
def test_eclass(edition):
    losses, header = [], Header(name="eclass")
    found = read("x.xml", ECLASS.replace("dictionary:4.0", f"dictionary:{edition}"), losses, header)
    assert (header.label, header.title, header.format) == ("99.0", "Invented", "OntoML")
    wheel = found["0173-1#01-ZZZ001#001"]
    assert wheel.names == {"en": "Wheel", "de": "Rad"}
    assert wheel.definitions == {"en": "turns"}
    assert wheel.extra == {"ontoml": {"hierarchical_position": "99010000"}}
    cart = found["0173-1#01-ZZZ002#002"]
    assert cart.names == {"en": "Cart wheel", "en-GB": "Waggon wheel"}
    assert cart.synonyms == {"en": ("cartwheel", "wagon"), "de": ("Wagenrad",)}
    assert (cart.parent, cart.cases) == ("0173-1#01-ZZZ001#001", ("0173-1#01-ZZZ009#001",))
    assert cart.properties == ("0173-1#02-ZZZ003#001", "0173-1#02-ZZZ004#001")
    diameter = found["0173-1#02-ZZZ003#001"]
    assert (diameter.datatype, diameter.unit, diameter.format) == ("REAL_MEASURE", "0173-1#05-ZZZ007#001", "NR2 S..3.3")
    assert (diameter.units, diameter.symbol, diameter.notes) == (("0173-1#05-ZZZ008#001",), "d", {"en": "outside"})
    assert diameter.short_names == {"en": "DIA"}
    material = found["0173-1#02-ZZZ004#001"]
    assert (material.value_list, material.deprecated) == ("0173-1#09-ZZZ005#001", True)
    span = found["0173-1#02-ZZZ006#001"]
    assert (span.datatype, span.unit, span.extra) == (
        "INT_MEASURE",
        "0173-1#05-ZZZ010#001",
        {"ontoml": {"levels": ["MIN", "MAX"]}},
    )
    materials = found["0173-1#09-ZZZ005#001"]
    assert materials.values[:2] == ("0173-1#07-ZZZ011#001", "0173-1#07-ZZZ012#001")
    assert (found[materials.values[0]].value, found[materials.values[1]].names) == ("wood", {"en": "Iron"})
    assert materials.kind is Kind.VALUE_LIST
    (loss,) = losses
    assert "line" in loss.place
    assert "no identifier" in loss.what


def test_units_of_eclass():
    (unit,) = read("units.xml", UNITS).values()
    assert (unit.identifier, unit.kind, unit.symbol, unit.names) == (
        "0173-1#05-ZZZ007#001",
        Kind.UNIT,
        "mm",
        {"en": "millimetre"},
    )
    assert unit.extra == {"ontoml": {"codes": {"ECE code": "MMT"}}}


def test_parcels():
    losses = []
    found = read("properties.csv", PROPERTIES, losses)
    outlet = found["0112/2///99999#ZZB001#003"]
    assert outlet.names == {"en": "outlet pressure", "de": "Austrittsdruck"}
    assert outlet.synonyms == {"en": ("discharge pressure", "delivery pressure")}
    assert (outlet.datatype, outlet.unit, outlet.definitions) == (
        "REAL_MEASURE",
        "0112/2///62720#UAA323",
        {"en": "pressure; at the outlet"},
    )
    assert found["0112/2///99999#ZZB002#001"].value_list == "0112/2///99999#ZZD001"
    assert found["0112/2///99999#ZZB003#001"].extra == {"parcel": {"class": "0112/2///99999#ZZA002"}}
    assert len(found) == 3
    (loss,) = losses
    assert "row 10" in loss.place
    classes = read("classes.csv", CLASSES)
    pump = classes["0112/2///99999#ZZA002"]
    assert pump.parent == "0112/2///99999#ZZA001"
    assert pump.properties == ("0112/2///99999#ZZB001", "0112/2///99999#ZZB002", "0112/2///99999#ZZB009")
    (lists,) = read("lists.csv", LISTS).values()
    assert lists.values == ("0112/2///99999#ZZE001", "0112/2///99999#ZZE002")
    (term,) = read("terms.csv", TERMS).values()
    assert (term.kind, term.value, term.names) == (Kind.VALUE, "ST", {"en": "steel"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_parcels_in_the_encodings_of_spreadsheets(encoding):
    found = read("x.csv", PROPERTIES.replace("Werkstoff", "Größe").encode(encoding))
    assert found["0112/2///99999#ZZB002#001"].names["de"] == "Größe"


def workbook(*sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, text in enumerate(sheets):
        sheet = book.create_sheet(f"sheet {number}")
        delimiter = max(";,\t", key=text.count)
        for line in text.splitlines():
            sheet.append([cell.strip('"') or None for cell in line.split(delimiter)])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_workbooks_and_containers():
    plain = "\n".join(PROPERTIES.splitlines()[:5]) + "\n;ZZB002;1;material;Werkstoff;;;STRING_TYPE;;\n"
    found = read("x.xlsx", workbook(plain, LISTS, "notes,of somebody"))
    assert set(found) == {"0112/2///99999#ZZB002#001", "0112/2///99999#ZZD001"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("classes.csv", CLASSES)
        archive.writestr("terms.xlsx", workbook(TERMS))
        archive.writestr("a/units.xml", UNITS)
        archive.writestr("readme.txt", "hello")
        archive.writestr("other.xml", "<x/>")
    losses = []
    assert len(read("x.zip", out.getvalue(), losses)) == 4
    assert [loss.place for loss in losses] == ["x.zip/other.xml"]


def test_own_dictionaries_are_written_and_read(dictionaries):
    header = Header(name="")
    found = read("own.json", OWN, header=header)
    assert (header.name, header.title, header.label) == ("plant", "Ours", "3")
    assert found["plant:pressure"].unit == "bar"
    everything = [*found.values(), *read("e.xml", ECLASS).values(), *read("p.csv", PROPERTIES).values()]
    out = io.BytesIO()
    write_own(header, everything, out)
    assert list(read("again.json", out.getvalue()).values()) == everything
    taken = dictionaries.take(header, iter(everything))
    assert taken.added == len(everything)
    assert dictionaries.take(header, iter(read("again.json", out.getvalue()).values())).unchanged == len(everything)


def test_own_dictionaries_as_csv():
    losses = []
    text = "id,kind,name.en,name.zh,synonyms.en,properties,unit,colour\nplant:pump,class,Pump,泵,,plant:a|plant:b,,red\nplant:a,property,A,,x|y,,bar,\n"
    found = read("own.csv", text, losses)
    assert found["plant:pump"] == Entry(
        identifier="plant:pump", kind=Kind.CLASS, names={"en": "Pump", "zh": "泵"}, properties=("plant:a", "plant:b")
    )
    assert found["plant:a"].synonyms == {"en": ("x", "y")}
    assert [loss.what for loss in losses] == ["column colour"]


@pytest.mark.parametrize(
    ("name", "content", "error", "place"),
    [
        ("x.xml", ECLASS[:900], DocumentError, "line"),
        ("x.xml", "<!DOCTYPE x [<!ENTITY a 'b'>]><ontoml>&a;</ontoml>", HostileDocumentError, "x.xml"),
        ("x.xml", "<ontoml>" + "<a>" * 5000, HostileDocumentError, "x.xml"),
        ("x.xml", "<html/>", UnknownFormatError, "x.xml"),
        ("x.bin", b"\x00\x01\x02", UnknownFormatError, "x.bin"),
        ("x.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 100, DocumentError, "x.xls"),
        ("x.json", b'{"dictionary": {}, "entries": [{"id": "a:b", "kind": "thing"}]}', DocumentError, "$.entries[0]"),
        (
            "x.json",
            b'{"dictionary": {}, "entries": [{"id": "a:b", "kind": "class", "nmae": {}}]}',
            DocumentError,
            "$.entries[0]",
        ),
        ("x.json", b'{"dictionary": {}, "entries": [{"id": "pump", "kind": "class"}]}', DocumentError, "$.entries[0]"),
        ("x.json", b'{"dictionary": {}, "entries": ' + b"[" * 100000, DocumentError, "x.json"),
        ("x.csv", "id,kind\nplant:a,\n", DocumentError, "row 2"),
        ("x.csv", "name\npump\n", DocumentError, "row 1"),
        ("x.csv", b"id,kind\n\xff\xfe,class\n", DocumentError, "x.csv"),
        ("x.csv", "#CLASS_ID:=MDC_C002\n,0112/2///99999#ZZA001\n", DocumentError, "row 2"),
        ("x.csv", "#CLASS_ID:=MDC_C002\n", DocumentError, "x.csv"),
        ("x.zip", b"PK\x03\x04broken", DocumentError, "x.zip"),
    ],
)
def test_broken_and_hostile_documents(name, content, error, place):
    with pytest.raises(error) as raised:
        read(name, content)
    assert place in raised.value.place
    assert raised.value.hint


def test_a_workbook_with_entities_is_refused():
    plain = workbook(TERMS)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as archive, zipfile.ZipFile(out, "w") as evil:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("sheet1.xml"):
                content = (
                    b"<?xml version='1.0'?><!--"
                    + b" " * 9000
                    + b"--><!DOCTYPE x [<!ENTITY a 'b'>]>"
                    + content.partition(b"?>")[2]
                )
            evil.writestr(name, content)
    with pytest.raises(HostileDocumentError):
        read("x.xlsx", out.getvalue())


@pytest.mark.fuzz
@given(st.sampled_from([ECLASS, UNITS, PROPERTIES, CLASSES, OWN.decode()]), st.data())
def test_changed_documents_are_read_or_refused(text, data):
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    name = "x.json" if text.startswith("{") else "x.xml" if text.startswith("<") else "x.csv"
    try:
        found = read(name, bytes(content))
    except SemanticsError:
        return
    for entry in found.values():
        try:
            assert entry.concept
        except ConceptError:
            raise AssertionError(f"{entry.identifier} is no identifier") from None
        msgspec.json.encode(entry)
