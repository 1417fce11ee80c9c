"""From a described plant to connectors and points: what is taken over, what a person set stays, and nothing happens twice."""

from __future__ import annotations

import pytest

from hulian.data.catalogue import Catalogue, ConnectorRecord, ListChangedError, NothingDescribedError
from hulian.data.catalogue.described import Choice, Described, Wish
from hulian.kernel.errors import ConfigurationError
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import ModelError
from hulian.network.exchange.semantics.formats import format_named
from hulian.network.exchange.semantics.model import Note
from hulian.network.exchange.semantics.together import Semantics

PRESSURE = "99.118.8/pump-17#outlet.pressure"
HEAD = """<CAEXFile xmlns="http://www.dke.de/CAEX" SchemaVersion="3.0" FileName="line2.aml">
<SuperiorStandardVersion>AutomationML 2.10</SuperiorStandardVersion>
<SourceDocumentInformation OriginName="h" OriginID="h" OriginVersion="1" LastWritingDateTime="2026-01-01T00:00:00Z"/>"""


def attribute(name, value="", *below, **more):
    said = "".join(f' {key}="{text}"' for key, text in more.items())
    content = f"<Value>{value}</Value>" if value else ""
    return f'<Attribute Name="{name}"{said}>{content}{"".join(below)}</Attribute>'


def text(name, en, zh):
    return attribute(name, en, attribute("aml-lang=en", en), attribute("aml-lang=zh", zh))


def pressure(unit="bar", label="Outlet pressure", high="16", address="P17.Outlet"):
    ends = f"<RequiredMaxValue>{high}</RequiredMaxValue><RequiredMinValue>0</RequiredMinValue>"
    limits = f"<OrdinalScaledType>{ends}</OrdinalScaledType>"
    return attribute(
        "outlet.pressure", "",
        '<RefSemantic CorrespondingAttributePath="hulian:pressure"/>',
        f'<Constraint Name="range">{limits}</Constraint>',
        text("DisplayName", label, "出口压力"),
        attribute("Tag", "PI-17"),
        attribute("NodeId", f"nsu=http://example.org/line2;s={address}"),
        AttributeDataType="xs:double", Unit=unit,
    )  # fmt: skip


def running(*more):
    return attribute(
        "running", "",
        attribute("EnumStrings", "", text("0", "stopped", "停止"), text("1", "running", "运行")),
        attribute("NodeId", "nsu=http://example.org/line2;s=P17.Running"),
        *more,
        AttributeDataType="xs:boolean",
    )  # fmt: skip


def line2(*attributes, url="opc.tcp://10.0.0.8:4840", identifier="99.118.8/pump-17"):
    named = attribute("Identifier", identifier) if identifier else ""
    pump = f'<InternalElement Name="Pump 17" ID="p17">{named}{"".join(attributes)}</InternalElement>'
    hall = f'<InternalElement Name="Hall 2" ID="h2">{attribute("EndpointUrl", url) if url else ""}{pump}</InternalElement>'
    return f'{HEAD}<InstanceHierarchy Name="Works">{hall}</InstanceHierarchy></CAEXFile>'


@pytest.fixture
def catalogue(registry):
    return Catalogue(registry, "test")


@pytest.fixture
def model(registry):
    semantics = Semantics(registry)
    yield semantics.model
    semantics.close()


@pytest.fixture
def described(catalogue, model):
    return Described(catalogue, model, prefix="99.118.8")


def take_in(model, document, name="line2"):
    source = memory_source(f"{name}.aml", document.encode())
    return model.apply(model.read(format_named("aml"), source, name, "engineer").version.key)


def by_name(preview):
    return {one.name: one for one in preview.points}


def said(changes):
    return {one.field: (one.old, one.new) for one in changes}


def test_a_preview_tells_all_and_changes_nothing(catalogue, model, described):
    take_in(model, line2(pressure(), running()))
    found = described.preview("line2")
    (connector,) = found.connectors
    assert (connector.name, connector.change, connector.protocol, connector.points) == ("Hall-2", "added", "opcua", 2)
    assert connector.url == "opc.tcp://10.0.0.8:4840"
    assert (found.added, found.changed, found.same, found.bound, found.taken) == (2, 0, 0, 2, None)
    fields = said(by_name(found)[PRESSURE].fields)
    assert fields["unit"] == (None, "bar")
    assert fields["texts.zh"] == (None, "出口压力")
    assert (catalogue.connectors(), catalogue.search().total, model.notes()) == ([], 0, [])


def test_what_is_described_becomes_points_with_all_that_is_said(catalogue, model, described):
    take_in(model, line2(pressure(), running()))
    heard = []
    catalogue.on_change(heard.append)
    done = described.apply("line2", "engineer")
    assert (done.points.added, done.connectors_added, done.connectors, done.bound) == (2, ("Hall-2",), ("Hall-2",), 2)
    assert len(heard) == 1
    point = catalogue.point(PRESSURE).point
    assert (point.tag, point.path, point.unit, point.low, point.high) == ("PI-17", "Works/Hall 2", "bar", 0.0, 16.0)
    assert (point.storage, point.kind, point.writable) == (StorageClass.DOUBLE, Kind.CONTINUOUS, False)
    assert point.texts == {"en": "Outlet pressure", "zh": "出口压力"}
    switch = catalogue.point("99.118.8/pump-17#running").point
    assert (switch.storage, switch.kind) == (StorageClass.BOOLEAN, Kind.STEP)
    assert switch.enumeration == {"0": {"en": "stopped", "zh": "停止"}, "1": {"en": "running", "zh": "运行"}}
    assert {note.value for note in model.notes("point")} == {PRESSURE, "99.118.8/pump-17#running"}


def test_doing_it_again_changes_nothing(catalogue, model, described):
    take_in(model, line2(pressure(), running()))
    described.apply("line2", "engineer")
    revision, noted = catalogue.revision(), model.notes()
    again = described.apply("line2", "engineer")
    assert (again.points.added, again.points.changed, again.connectors, again.bound) == (0, 0, (), 0)
    assert (catalogue.revision(), model.notes()) == (revision, noted)


def test_a_new_version_brings_what_the_description_changed(catalogue, model, described):
    take_in(model, line2(pressure(), running()))
    described.apply("line2", "engineer")
    series = catalogue.point(PRESSURE).point.series
    take_in(model, line2(pressure(unit="KPA", label="Pressure behind the pump", high="1600"), url="opc.tcp://10.0.0.9:4840"))
    found = described.preview("line2")
    assert said(by_name(found)[PRESSURE].fields) == {
        "unit": ("bar", "kPa"),
        "high": (16.0, 1600.0),
        "texts.en": ("Outlet pressure", "Pressure behind the pump"),
    }
    assert said(found.connectors[0].fields) == {"url": ("opc.tcp://10.0.0.8:4840", "opc.tcp://10.0.0.9:4840")}
    assert found.gone == ("99.118.8/pump-17#running",)
    done = described.apply("line2", "engineer", digest=found.digest)
    assert (done.points.changed, done.connectors_changed, done.kept) == (1, ("Hall-2",), 0)
    point = catalogue.point(PRESSURE).point
    assert (point.unit, point.high, point.series) == ("kPa", 1600.0, series)
    assert catalogue.point("99.118.8/pump-17#running").point.enabled


def test_what_a_person_set_stays_until_the_person_says_otherwise(catalogue, model, described):
    take_in(model, line2(pressure()))
    described.apply("line2", "engineer")
    catalogue.change_point(PRESSURE, texts={"en": "Mine", "zh": "出口压力", "de": "Meiner"}, high=20.0)
    assert (found := described.preview("line2")).kept == 1
    assert (found.changed, found.same) == (0, 1)
    take_in(model, line2(pressure(label="Theirs", high="25", unit="mbar")))
    found = described.preview("line2")
    change = by_name(found)[PRESSURE]
    assert said(change.kept) == {"texts.en": ("Mine", "Theirs"), "high": (20.0, 25.0)}
    assert said(change.fields) == {"unit": ("bar", "mbar")}
    assert described.apply("line2", "engineer").kept == 1
    point = catalogue.point(PRESSURE).point
    assert (point.unit, point.high, point.texts["en"], point.texts["de"]) == ("mbar", 20.0, "Mine", "Meiner")
    described.apply("line2", "engineer", Wish(overwrite=frozenset({PRESSURE})))
    point = catalogue.point(PRESSURE).point
    assert (point.high, point.texts) == (25.0, {"en": "Theirs", "zh": "出口压力", "de": "Meiner"})


def test_a_value_that_a_person_set_back_is_the_persons(catalogue, model, described):
    for label in ("First", "Second"):
        take_in(model, line2(pressure(label=label)))
        described.apply("line2", "engineer")
    catalogue.change_point(PRESSURE, texts={"en": "First", "zh": "出口压力"})
    take_in(model, line2(pressure(label="Third")))
    assert said(by_name(described.preview("line2"))[PRESSURE].kept) == {"texts.en": ("First", "Third")}


def test_a_renamed_point_keeps_its_name(catalogue, model, described):
    take_in(model, line2(pressure()))
    described.apply("line2", "engineer")
    catalogue.rename_point(PRESSURE, "99.118.8/pump-17#p")
    take_in(model, line2(pressure(label="New")))
    done = described.apply("line2", "engineer")
    assert (done.points.added, done.points.changed, done.bound) == (0, 1, 1)
    assert catalogue.point("99.118.8/pump-17#p").point.texts["en"] == "New"
    assert {note.value for note in model.notes("point")} == {"99.118.8/pump-17#p"}


def test_a_removed_point_does_not_come_back_by_itself(catalogue, model, described):
    take_in(model, line2(pressure(), running()))
    described.apply("line2", "engineer")
    catalogue.remove_points([PRESSURE])
    found = described.preview("line2")
    assert by_name(found)[PRESSURE].change == "left"
    assert "removed" in by_name(found)[PRESSURE].missing[0]
    assert by_name(found)[PRESSURE].removed
    assert described.apply("line2", "engineer").points.added == 0
    assert described.apply("line2", "engineer", Wish(overwrite=frozenset({PRESSURE}))).points.added == 1


def test_a_removed_connector_comes_back_with_its_points(catalogue, model, described):
    take_in(model, line2(pressure(), running()))
    described.apply("line2", "engineer")
    catalogue.remove_connector("Hall-2")
    assert described.apply("line2", "engineer").points.added == 2


def test_a_connector_at_the_same_address_is_used_whatever_its_name(catalogue, model, described):
    settings = {"security": "sign"}
    catalogue.add_connector(
        ConnectorRecord(name="hall", protocol="opcua", url="opc.tcp://10.0.0.8:4840/", settings=settings),
        [
            Point(
                name="99.118.8/old#p",
                series=0,
                connector="hall",
                address="nsu=http://example.org/line2;s=P17.Outlet",
                unit="psi",
            )
        ],
    )
    take_in(model, line2(pressure(), running()))
    found = described.preview("line2")
    assert [(one.name, one.change) for one in found.connectors] == [("hall", "same")]
    assert said(by_name(found)["99.118.8/old#p"].kept)["unit"] == ("psi", "bar")
    described.apply("line2", "engineer")
    point = catalogue.point("99.118.8/old#p").point
    assert (point.unit, point.tag, point.texts["en"]) == ("psi", "PI-17", "Outlet pressure")
    assert catalogue.connector("hall").settings == settings
    assert "99.118.8/old#p" in {note.value for note in model.notes("point")}


def test_a_node_that_a_person_bound_stays_bound_to_its_point(catalogue, model, described):
    take_in(model, line2(pressure()))
    model.note([Note("line2/p17@outlet.pressure", "point", "99.118.8/tank#head", "operator")])
    described.apply("line2", "engineer")
    assert catalogue.point("99.118.8/tank#head").point.unit == "bar"


def test_what_is_missing_is_told_and_given(catalogue, model, described):
    take_in(model, line2(pressure(), url=""))
    found = described.preview("line2")
    (connector,) = found.connectors
    assert (connector.change, connector.missing) == ("left", ("the address of the device (URL)",))
    assert (found.added, found.left) == (0, 1)
    assert "URL" in found.points[0].missing[0]
    chosen = Choice(name="plc 2", url="opc.tcp://plc2:4840", settings={"security": "sign"}, credentials={"user": "reader"})
    done = described.apply("line2", "engineer", Wish(connectors={connector.described: chosen}))
    assert (done.connectors_added, done.points.added) == (("plc 2",), 1)
    record = catalogue.connector("plc 2")
    assert (record.url, record.settings, record.credentials) == (
        "opc.tcp://plc2:4840",
        {"security": "sign"},
        {"user": "reader"},
    )
    assert described.apply("line2", "engineer", Wish(connectors={connector.described: chosen})).connectors == ()


def test_things_without_an_identifier_are_called_by_their_names(catalogue, model, described):
    take_in(model, line2(pressure(), identifier=""))
    described.apply("line2", "engineer")
    assert catalogue.point(PRESSURE).point.path == "Works/Hall 2"


def test_only_what_is_chosen_is_taken(catalogue, model, described):
    take_in(model, line2(pressure(), running()))
    done = described.apply("line2", "engineer", Wish(points=frozenset({PRESSURE})))
    assert (done.points.added, done.bound) == (1, 1)
    done = described.apply("line2", "engineer", Wish(points=frozenset({"line2/p17@running"})))
    assert (done.points.added, done.connectors_added) == (1, ())


def test_what_does_not_fit_harms_nothing_else(catalogue, model):
    def check(protocol, options):
        if "scale" in options:
            raise ConfigurationError("a boolean has no scale")

    described = Described(catalogue, model, prefix="99.118.8", check_options=check)
    take_in(model, line2(pressure(), running(attribute("Scale", "2"))))
    done = described.apply("line2", "engineer")
    assert (done.points.added, done.left) == (1, 1)


def test_a_connector_that_its_protocol_refuses_is_left_with_its_points(catalogue, model):
    def check(protocol, url, settings):
        raise ConfigurationError("no such address", place=url)

    described = Described(catalogue, model, prefix="99.118.8", check_connector=check)
    take_in(model, line2(pressure()))
    found = described.preview("line2")
    assert (found.connectors[0].change, found.left) == ("left", 1)
    assert "no such address" in found.points[0].missing[0]


def test_nothing_happens_that_was_not_looked_at(catalogue, model, described):
    take_in(model, line2(pressure()))
    digest = described.preview("line2").digest
    take_in(model, line2(pressure(label="Other")))
    with pytest.raises(ListChangedError):
        described.apply("line2", "engineer", digest=digest)
    assert (catalogue.connectors(), model.notes("point")) == ([], [])


def test_documents_that_describe_nothing_live_say_so(model, described):
    take_in(model, line2(), name="empty")
    assert described.preview("empty").points == ()
    with pytest.raises(NothingDescribedError):
        described.apply("empty", "engineer")
    with pytest.raises(ModelError, match="no such document"):
        described.preview("nowhere")


def test_two_properties_of_one_address_are_one_point(catalogue, model, described):
    twin = pressure().replace('Name="outlet.pressure"', 'Name="copy"')
    take_in(model, line2(pressure(), twin))
    done = described.apply("line2", "engineer")
    assert (done.points.added, done.left, done.bound) == (1, 1, 2)
    assert {note.value for note in model.notes("point")} == {PRESSURE}
