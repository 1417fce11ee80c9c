"""Tag lists: read in every form, previewed cell by cell, applied whole or not at all, and written so that nothing is lost."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile

import msgspec
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.data.catalogue import (
    Catalogue,
    ConnectorRecord,
    FaultyListError,
    ListChangedError,
    ListFormatError,
    ListLimitError,
    copied_points,
    taglist,
)
from hulian.data.catalogue.taglist import sheet
from hulian.data.catalogue.taglist.delimited import guarded, unguarded
from hulian.data.catalogue.taglist.grid import LONGEST_CELL, MOST_COLUMNS
from hulian.kernel.errors import ConfigurationError
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass

PLC = ConnectorRecord(name="plc", protocol="modbus", url="modbus://192.0.2.4")
VALVE = Point(
    name="99.1/valve-1#position",
    series=0,
    connector="plc",
    address="holding@2:int16",
    tag="=SUM(A1:A9)",
    path="works/hall 1/line 2",
    unit="%",
    low=0.0,
    high=100.0,
    raw_low=4000.0,
    raw_high=20000.0,
    texts={"en": "Position, of the valve\nmain", "zh": "阀门位置"},
)
STATE = Point(
    name="99.1/valve-1#state",
    series=0,
    connector="plc",
    address="holding@9:int16",
    storage=StorageClass.INTEGER,
    kind=Kind.STEP,
    tag="-HS-101",
    enumeration={"0": {"en": "closed; tight", "zh": "关"}, "1": {"en": "a=b\\c", "zh": "开"}},
    options={"interval": 0.5, "invalid": [32767]},
)
SCALED = Point(
    name="99.1/valve-1#flow", series=0, connector="plc", address="holding@5:int16", options={"scale": 0.1, "offset": -2.0}
)


@pytest.fixture
def catalogue(registry):
    made = Catalogue(registry, "acme")
    made.add_connector(PLC, [VALVE, STATE, SCALED])
    return made


def look(catalogue, data, **more):
    rows, columns, faults = taglist.wanted_rows(taglist.read_list(data if isinstance(data, bytes) else data.encode()))
    return taglist.preview(catalogue, rows, columns, faults, **more)


def do(catalogue, data, digest, **more):
    rows, _, faults = taglist.wanted_rows(taglist.read_list(data if isinstance(data, bytes) else data.encode()))
    return taglist.apply(catalogue, rows, faults, digest, **more)


def listed(catalogue):
    return [record.point for record in catalogue.search("", limit=1000).items]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_is_exported_and_imported_again_changes_nothing(catalogue, form):
    data = taglist.write_list(listed(catalogue), form)
    found = look(catalogue, data)
    assert (found.faults, found.rows, found.unchanged) == ([], [], 3)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_an_exported_list_makes_the_same_points_in_an_empty_catalogue(catalogue, form, tmp_path, registry):
    data = taglist.write_list(listed(catalogue), form)
    before = {point.name: point for point in listed(catalogue)}
    catalogue.remove_points(list(before))
    found = look(catalogue, data)
    assert (found.added, found.faulty) == (3, 0)
    done = do(catalogue, data, found.digest)
    assert (done.points.added, done.connectors) == (3, ["plc"])
    assert {point.name: point for point in listed(catalogue)} == before


def test_no_exported_cell_is_a_formula(catalogue):
    text = taglist.write_list(listed(catalogue), "csv").decode("utf-8-sig")
    assert "'=SUM(A1:A9)" in text
    assert "'-HS-101" in text
    book = openpyxl.load_workbook(io.BytesIO(taglist.write_list(listed(catalogue), "xlsx")))
    cells = [cell for row in book.active.iter_rows() for cell in row if cell.value is not None]
    assert any(cell.value == "=SUM(A1:A9)" for cell in cells)
    assert {cell.data_type for cell in cells} <= {"s", "n"}


@given(st.text())
def test_guarding_a_cell_has_an_inverse_and_leaves_no_formula(text):
    assert unguarded(guarded(text)) == text or text != guarded(text)
    shown = guarded(text)
    assert unguarded(shown) == text
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r")) or float(shown.replace(",", ".")) is not None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_are_recognised(catalogue, encoding, delimiter):
    text = delimiter.join(["标识", "位号", "描述"]) + "\r\n" + delimiter.join(["99.1/valve-1#flow", "流量-1", "出口流量"])
    found = look(catalogue, text.encode(encoding))
    assert found.faults == []
    (row,) = found.rows
    assert [(cell.column, cell.old, cell.new) for cell in row.cells] == [("tag", "", "流量-1"), ("text.zh", "", "出口流量")]


def test_a_preview_tells_every_cell_and_changes_nothing(catalogue):
    revision = catalogue.revision()
    found = look(
        catalogue,
        "identifier,tag,connector,address,storage,low,high,enumeration.en\n"
        "99.1/valve-1#position,ZT-1,plc,holding@2:int16,double,0,50,\n"
        "99.1/valve-1#new,N-1,plc,holding@30:float32,double,,,\n"
        "99.1/valve-1#state,-HS-101,plc,holding@9:int16,integer,,,0=shut;1=open\n",
    )
    assert (found.added, found.changed, found.unchanged, found.faulty) == (1, 2, 0, 0)
    by_name = {row.name.partition("#")[2]: row for row in found.rows}
    assert by_name["position"].row == 2
    assert [(c.column, c.old, c.new) for c in by_name["position"].cells] == [
        ("tag", "=SUM(A1:A9)", "ZT-1"),
        ("high", "100", "50"),
    ]
    assert by_name["new"].change == "added"
    assert [(c.column, c.new) for c in by_name["state"].cells] == [("enumeration.en", "0=shut;1=open")]
    assert catalogue.revision() == revision


def test_mistakes_name_row_and_column_and_nothing_is_applied(catalogue):
    data = (
        "identifier,tag,connector,address,storage,kind,low,high,raw low,raw high,writable,enumeration.en,options\n"
        "no identifier,,,,,,,,,,,,\n"
        ",T,,,,,,,,,,,\n"
        "99.1/a#b,,nowhere,x,,,,,,,,,\n"
        "99.1/a#c,,plc,x1,float64,sometimes,ten,,,,maybe,,\n"
        "99.1/a#d,,plc,x2,,,5,1,,,,,\n"
        "99.1/a#e,,plc,x3,,,0,10,4,,,,\n"
        "99.1/a#f,,plc,x4,integer,,,,,,,open=1,\n"
        "99.1/a#g,,plc,holding@5:int16,,,,,,,,,\n"
        "99.1/a#h,,plc,same,,,,,,,,,\n"
        "99.1/a#i,,plc,same,,,,,,,,,\n"
        "99.1/a#h,,plc,other,,,,,,,,,\n"
        '99.1/a#j,,plc,x5,,,,,,,,,"{""scale"": 2}"\n'
    )
    found = look(catalogue, data)
    assert [(fault.row, fault.column) for fault in found.faults if fault.code == "HL-CATALOGUE-0012" and fault.row == 5] == [
        (5, "storage"), (5, "kind"), (5, "low"), (5, "writable"),
    ]  # fmt: skip
    places = {(fault.row, fault.column): fault.code for fault in found.faults}
    assert places == {
        (2, "identifier"): "HL-KERNEL-0001",
        (3, "identifier"): "HL-CATALOGUE-0012",
        (4, "connector"): "HL-CATALOGUE-0002",
        (5, "storage"): "HL-CATALOGUE-0012",
        (5, "kind"): "HL-CATALOGUE-0012",
        (5, "low"): "HL-CATALOGUE-0012",
        (5, "writable"): "HL-CATALOGUE-0012",
        (6, "high"): "HL-CATALOGUE-0007",
        (7, "raw_low"): "HL-CATALOGUE-0007",
        (8, "enumeration.en"): "HL-CATALOGUE-0007",
        (9, "address"): "HL-CATALOGUE-0005",
        (11, "address"): "HL-CATALOGUE-0005",
        (12, "identifier"): "HL-CATALOGUE-0003",
        (13, "options"): "HL-CATALOGUE-0012",
    }
    before = listed(catalogue)
    with pytest.raises(FaultyListError, match="mistakes"):
        do(catalogue, data, found.digest)
    assert listed(catalogue) == before


def test_only_what_was_previewed_is_applied(catalogue):
    data = "identifier,tag\n99.1/valve-1#flow,FT-1\n"
    seen = look(catalogue, data)
    catalogue.change_point("99.1/valve-1#state", tag="elsewhere")
    catalogue.change_point("99.1/valve-1#flow", unit="l/h")
    with pytest.raises(ListChangedError):
        do(catalogue, data, seen.digest)
    assert catalogue.point("99.1/valve-1#flow").point.tag == ""
    again = look(catalogue, data)
    catalogue.change_point("99.1/valve-1#state", tag="elsewhere again")
    assert do(catalogue, data, again.digest).points.changed == 1
    assert catalogue.point("99.1/valve-1#flow").point.tag == "FT-1"
    assert catalogue.point("99.1/valve-1#flow").point.unit == "l/h", "what the list does not name stays"


def test_removing_what_the_list_does_not_name_is_asked_for_and_keeps_to_its_connectors(catalogue):
    catalogue.add_connector(ConnectorRecord(name="other", protocol="modbus", url="modbus://192.0.2.5"), [
        Point(name="99.1/b#x", series=0, connector="other", address="x")
    ])  # fmt: skip
    data = "identifier,tag\n99.1/valve-1#flow,\n"
    assert look(catalogue, data).removed == 0
    found = look(catalogue, data, remove=True)
    assert [(row.name, row.change) for row in found.rows] == [
        ("99.1/valve-1#position", "removed"),
        ("99.1/valve-1#state", "removed"),
    ]
    do(catalogue, data, found.digest, remove=True)
    assert [point.name for point in listed(catalogue)] == ["99.1/b#x", "99.1/valve-1#flow"]


def test_two_points_may_swap_their_addresses_in_one_list(catalogue):
    data = "identifier,address\n99.1/valve-1#position,holding@5:int16\n99.1/valve-1#flow,holding@2:int16\n"
    found = look(catalogue, data)
    assert (found.faults, found.changed) == ([], 2)
    assert do(catalogue, data, found.digest).points.reopened == 2


def test_a_raw_range_is_given_to_the_protocol_as_scale_and_offset(catalogue):
    (valve,) = [one for one in catalogue.bindings("plc") if one.address == "holding@2:int16"]
    assert valve.options == {"scale": 0.00625, "offset": -25.0}
    data = "identifier,low,high,raw low,raw high\n99.1/valve-1#flow,0,10,0,1000\n"
    found = look(catalogue, data)
    assert {(cell.column, cell.old, cell.new) for cell in found.rows[0].cells} == {
        ("low", "", "0"), ("high", "", "10"), ("raw_low", "", "0"), ("raw_high", "", "1000"),
        ("scale", "0.1", ""), ("offset", "-2", ""),
    }  # fmt: skip
    assert do(catalogue, data, found.digest).connectors == ["plc"], "it is read otherwise from now on"


def test_a_change_of_the_range_alone_restarts_only_where_it_scales(catalogue):
    data = "identifier,low,high\n99.1/valve-1#flow,0,7\n"
    assert do(catalogue, data, look(catalogue, data).digest).connectors == []
    data = "identifier,high\n99.1/valve-1#position,200\n"
    assert do(catalogue, data, look(catalogue, data).digest).connectors == ["plc"]


def test_options_are_checked_by_the_protocol(catalogue):
    def check(protocol, options):
        assert protocol == "modbus"
        if "scale" in options:
            raise ConfigurationError("it has no scale")

    data = "identifier,raw low,raw high,low,high,connector,address\n99.1/x#y,0,1,0,2,plc,a\n99.1/x#z,,,,,plc,b\n"
    found = look(catalogue, data, check=check)
    assert [(fault.row, fault.column, fault.code) for fault in found.faults] == [(2, "raw_low", "HL-CONFIG-0001")]


def test_levels_of_the_plant_make_a_place(catalogue):
    data = (
        "identifier,enterprise,site,area,line,cell\n99.1/valve-1#flow,Acme,Works,Hall 1,,\n99.1/valve-1#state,Acme,,Hall 1,,\n"
    )
    found = look(catalogue, data)
    assert [(cell.column, cell.new) for cell in found.rows[0].cells] == [("path", "Acme/Works/Hall 1")]
    assert [(fault.row, fault.column) for fault in found.faults] == [(3, "site")]
    with pytest.raises(ListFormatError, match="both say where"):
        look(catalogue, "identifier,path,site\n")


def test_a_semicolon_list_may_write_decimal_commas(catalogue):
    found = look(catalogue, "identifier;low;high\n99.1/valve-1#flow;-0,5;1,25\n")
    assert [(cell.column, cell.new) for cell in found.rows[0].cells] == [("low", "-0.5"), ("high", "1.25")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"tag,unit\na,b\n", "'identifier' is missing"),
        (b"identifier,colour\n", "no column 'colour'"),
        (b"identifier,tag,tag\n", "twice"),
        (b'identifier,tag\n99.1/a#b,"open\n', "cannot be read"),
        (b"identifier\n\xff\xff\xff", "neither UTF-8 nor GB18030"),
        (b"identifier\n99.1/a\x00#b", "zero bytes"),
        (b"PK\x03\x04 nonsense", "no workbook"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old or an encrypted"),
    ],
)
def test_what_is_no_list_is_one_clear_error(catalogue, data, said):
    with pytest.raises(ListFormatError, match=said):
        look(catalogue, data)


def test_limits_hold_before_anything_is_made(catalogue, monkeypatch):
    with pytest.raises(ListLimitError, match="columns"):
        look(catalogue, "identifier" + "," * MOST_COLUMNS + "x\n")
    with pytest.raises(ListLimitError, match="characters"):
        look(catalogue, "identifier,tag\n99.1/a#b," + "x" * (LONGEST_CELL + 1))
    monkeypatch.setattr("hulian.data.catalogue.taglist.grid.MOST_ROWS", 2)
    with pytest.raises(ListLimitError, match="rows"):
        look(catalogue, "identifier\n" + "99.1/a#b\n" * 3)


def workbook(change=None, rows=(("identifier", "tag"), ("99.1/valve-1#flow", "FT-1"))):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    if change is None:
        return file.getvalue()
    made = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return made.getvalue()


def in_sheet(find, put):
    def change(name, content):
        return content.replace(find, put) if name == "xl/worksheets/sheet1.xml" else content

    return change


def test_a_workbook_that_another_program_made_is_read(catalogue):
    rows = (
        ("identifier", "low", "enabled", "tag"),
        ("99.1/valve-1#flow", 0.5, False, 101),
        (None,),
        ("99.1/valve-1#state", 3, True, "x"),
    )
    found = look(catalogue, workbook(rows=rows))
    assert found.faults == []
    assert [(row.row, [(c.column, c.new) for c in row.cells]) for row in found.rows] == [
        (2, [("tag", "101"), ("low", "0.5"), ("enabled", "no")]),
        (4, [("tag", "x"), ("low", "3")]),
    ]


def test_a_workbook_that_unpacks_to_far_more_is_refused_unopened(catalogue, monkeypatch):
    bomb = workbook(in_sheet(b"<sheetData>", b"<sheetData>" + b" " * 4_000_000))
    assert len(bomb) < 20_000
    look(catalogue, bomb)
    monkeypatch.setattr(sheet, "MOST_UNPACKED", 1_000_000)
    with pytest.raises(ListLimitError, match="unpack"):
        look(catalogue, bomb)


def test_a_workbook_with_a_claim_of_a_million_columns_or_rows_costs_nothing(catalogue):
    claim = workbook(in_sheet(b'ref="A1:B2"', b'ref="A1:XFD1048576"'))
    assert look(catalogue, claim).changed == 1
    with pytest.raises(ListLimitError, match="columns"):
        look(catalogue, workbook(in_sheet(b'r="B2"', b'r="XFD2"')))
    with pytest.raises(ListLimitError, match="rows"):
        look(catalogue, workbook(in_sheet(b'<row r="2"', b'<row r="1048576"')))


@pytest.mark.parametrize("where", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "_rels/.rels", "[Content_Types].xml"])
def test_a_workbook_that_defines_entities_is_refused(catalogue, where):
    def change(name, content):
        return b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + content.partition(b"?>")[2] if name == where else content

    with pytest.raises(ListFormatError, match="entities"):
        look(catalogue, workbook(change))

    def foreign(name, content):
        return content.decode().replace("UTF-8", "utf-16").encode("utf-16") if name == where else content

    with pytest.raises(ListFormatError, match="not UTF-8"):
        look(catalogue, workbook(foreign))


def test_formulas_are_never_calculated(catalogue):
    rows = (("identifier", "tag"), ("99.1/valve-1#flow", '="FT-"&1'))
    with pytest.raises(ListFormatError, match="formula without a stored value") as refused:
        look(catalogue, workbook(rows=rows))
    assert refused.value.place == "row 2, column 2"

    def calculated(name, content):
        return re.sub(rb'<c r="B2"><f>(.*?)</f>(?:<v ?/>|<v></v>)</c>', rb'<c r="B2" t="str"><f>\1</f><v>FT-7</v></c>', content)

    data = workbook(calculated, rows)
    assert [cell.new for cell in look(catalogue, data).rows[0].cells] == ["FT-7"]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_one_clear_error(data):
    try:
        taglist.wanted_rows(taglist.read_list(data))
        taglist.wanted_rows(taglist.read_list(b"identifier,tag\n" + data))
    except (ListFormatError, ListLimitError):
        pass


@given(st.integers(0, 4000), st.binary(min_size=1, max_size=4))
def test_a_damaged_workbook_is_a_list_or_one_clear_error(at, put):
    whole = _WHOLE
    data = whole[: at % len(whole)] + put + whole[at % len(whole) + len(put) :]
    with contextlib.suppress(ListFormatError, ListLimitError):
        taglist.wanted_rows(taglist.read_list(data))


_WHOLE = workbook()


def test_a_copy_of_a_connector_has_points_of_its_own(catalogue):
    source = catalogue.connector("plc")
    copy = copied_points(catalogue, source, "plc-2", [("valve-1", "valve-2"), ("HS-1", "HS-2")])
    catalogue.add_connector(msgspec.structs.replace(source, name="plc-2", url="modbus://192.0.2.9"), copy)
    twin = catalogue.point("99.1/valve-2#state").point
    assert (twin.tag, twin.address, twin.connector, twin.options) == ("-HS-201", STATE.address, "plc-2", STATE.options)
    assert twin.series != catalogue.point(STATE.name).point.series
    assert next(point.name for point in copied_points(catalogue, source, "PLC 3")) == "99.1/plc-3.valve-1#flow"
    kept = copied_points(catalogue, source, "other", [("valve", "gate"), ("flow", "draught")])
    assert [point.name for point in kept] == ["99.1/gate-1#flow", "99.1/gate-1#position", "99.1/gate-1#state"]
