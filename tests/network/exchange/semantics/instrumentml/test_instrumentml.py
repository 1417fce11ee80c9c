"""NASA's Instrument Markup Language: both spellings read, one written, nothing lost on the way."""

import io
from pathlib import Path

import pytest
from fuzz_documents import mutated
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from semantic_content import Collected

from hulian.network.exchange.semantics.contract import BATCH, Batch, Document, Kind, Node, Relation
from hulian.network.exchange.semantics.documents import file_source, memory_source
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.instrumentml import FORMAT
from hulian.network.exchange.semantics.instrumentml.canonical import canonical
from hulian.network.exchange.semantics.instrumentml.endpoints import endpoint_of
from hulian.network.exchange.semantics.instrumentml.grammar import CONSTRAINTS, ELEMENTS
from hulian.network.exchange.semantics.instrumentml.schema import PATH, faults

CASES = Path(__file__).parents[4] / "cases" / "instrumentml"
FILES = sorted(CASES.glob("*.iml"))


def taken(source, name="lab"):
    losses = []
    document, batches = FORMAT.read(source, name, losses)
    return Collected(document, batches), losses


def text(content):
    return memory_source("a.iml", content.encode())


def written(content):
    out = io.BytesIO()
    return out, FORMAT.write(content, out)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_round_trip_is_the_identity(path):
    content, losses = taken(file_source(path))
    assert losses == []
    out, lost = written(content)
    assert lost == []
    again = memory_source(path.name, out.getvalue())
    assert canonical(again) == canonical(file_source(path))
    assert faults(again) == [], "what is written is valid"
    assert b"Instrument" not in out.getvalue()
    second, losses = taken(again)
    assert losses == []
    assert sorted(second.nodes(), key=lambda node: node.id) == sorted(content.nodes(), key=lambda node: node.id)


def test_the_samples_hold_every_element_and_every_type():
    found = set()
    types = set()
    for element in etree.parse(str(CASES / "every-element.iml")).iter(etree.Element):
        found.add(element.tag)
        types.add(element.get("type"))
    opaque = {"Transformation", "Source", "Target", "Buffer", "Parse", "Log", "Format", "Choice"}
    assert found >= set(ELEMENTS) | set(CONSTRAINTS) | opaque
    assert faults(file_source(CASES / "every-element.iml")) == []


def test_an_instrument_becomes_nodes():
    content, _ = taken(file_source(CASES / "every-element.iml"))
    base = "lab/laboratory/spectrometer"
    device = content.node(base)
    assert (device.kind, device.labels, device.parent) == (Kind.OBJECT, {"": "Spectrometer"}, "lab/laboratory")
    message = content.node(f"{base}/control/commands/exposure")
    assert message.kind is Kind.OPERATION
    seconds = content.node(f"{message.id}/seconds")
    assert (seconds.kind, seconds.relation, seconds.datatype, seconds.unit) == (Kind.PROPERTY, Relation.INPUT, "xs:double", "s")
    assert (seconds.value, seconds.writable, seconds.constraints.required) == ("0.25", True, True)
    assert (seconds.constraints.low, seconds.constraints.high) == ("0.001", "60")
    assert content.node(f"{message.id}/mode").constraints.choices == (("FAST", "fast"), ("SLOW", ""))
    assert content.node(f"{message.id}/flags").constraints.high is None, "bit ranges divide a value"
    two = content.node(f"{message.id}/two").constraints
    assert (two.low, two.high) == ("0", "5")
    answer = content.node(f"{base}/control/answers/status")
    assert (answer.kind, answer.relation) == (Kind.PROPERTY, Relation.OUTPUT)
    assert content.node(f"{answer.id}/temperature").relation == Relation.OUTPUT
    pairs = {(one.source, one.relation, one.target) for one in content.references()}
    assert pairs == {(f"{base}/control/commands/status", Relation.OUTPUT, answer.id)}
    script = content.node(f"{base}/procedures/calibrate")
    assert (script.kind, script.extra["iml"]["attributes"]["file"]) == (Kind.OPERATION, "calibrate.py")
    buffer = content.node(f"{base}/control/data/spectra/temperature")
    assert (buffer.kind, buffer.datatype, buffer.unit) == (Kind.PROPERTY, "xs:float[]", "K")
    connection = content.node(f"{base}/control/writer~2")
    assert connection.extra["iml"]["endpoint"] == "tcp://spectrometer.plant.example:5025"
    serial = content.node(f"{base}/lamp/line/line")
    assert serial.extra["iml"]["endpoint"] == "serial:///dev/ttyS7?baud=9600&parity=N"
    assert content.node(f"{serial.id}/baudRate").value == "9600"
    adapter = content.node(f"{base}/control/writer")
    assert adapter.extra["iml"]["content"][0][0] == "Transformation"


def test_the_spelling_of_1999_is_read_and_its_names_are_escaped():
    content, losses = taken(file_source(CASES / "spelling-of-1999.iml"))
    assert losses == []
    assert content.document.extra["iml"]["namespace"] == "http://aaa.gsfc.nasa.gov/iml"
    names = [node.id for node in content.nodes()]
    assert "lab/DeviceSet/weather mast/a%2Fb/MessageInterface/wind~2" in names
    assert len(set(names)) == len(names)
    out, _ = written(content)
    assert b'siteCode="N-7"' in out.getvalue()


def test_what_the_grammar_does_not_have_is_told_with_line_and_path():
    content, losses = taken(text("<Device name='a'>\n<Port name='b'>\n<Widget><x/></Widget>hello<Device/></Port></Device>"))
    assert [(loss.place, loss.what) for loss in losses] == [
        ("a.iml, line 3, Device/Port/Widget", "element Widget with all that is in it"),
        ("a.iml, line 3, Device/Port/Device", "element Device with all that is in it"),
    ] + [(loss.place, loss.what) for loss in losses[2:]]
    assert [node.name for node in content.nodes()] == ["a", "b"]


def test_maiml_is_another_language():
    maiml = b"<?xml version='1.0'?><maiml xmlns='http://www.maiml.org/schemas' version='1.0'/>"
    assert FORMAT.recognises("a.xml", maiml)
    with pytest.raises(DocumentError, match="MaiML") as told:
        taken(memory_source("a.maiml", maiml))
    assert "NASA" in told.value.hint


def test_what_is_none_of_it_is_refused():
    with pytest.raises(DocumentError, match="begins with Device"):
        taken(text("<CAEXFile/>"))
    with pytest.raises(HostileDocumentError):
        taken(text("<!DOCTYPE Instrument SYSTEM 'iml.dtd'><Instrument/>"))
    with pytest.raises(DocumentError, match="line 2"):
        taken(text("<Device>\n</Port>"))
    with pytest.raises(HostileDocumentError, match="holds more than"):
        taken(text(f"<Device><StateModel><b>{'<a/>' * 50_001}</b></StateModel></Device>"))
    with pytest.raises(HostileDocumentError, match="none of IML"):
        taken(text(f"<Device>{'<a/>' * 10_001}</Device>"))


def test_recognising_looks_at_the_first_element():
    assert FORMAT.recognises("x", b"<?xml version='1.0'?>\n<!-- <CAEXFile> -->\n<Instrument name='a'>")
    assert FORMAT.recognises("x", b"<i:DeviceSet xmlns:i='u'>")
    assert FORMAT.recognises("x.iml", b"")
    assert not FORMAT.recognises("x.xml", b"<UANodeSet><Device/>")
    assert not FORMAT.recognises("x.xml", b"<DeviceDescription/>")


def test_the_schema_names_what_is_wrong_with_its_line():
    wrong = text(
        "<Device name='a'>\n<Port>\n<MessageInterface><Message synchronous='perhaps'/></MessageInterface></Port></Device>"
    )
    (fault,) = faults(wrong)
    assert fault.startswith("a.iml, line 3:")
    assert "perhaps" in fault
    assert faults(text("<Device><Port/><Parameter/></Device>")), "the order counts in what is written"
    assert b"nasa" not in PATH.read_bytes().lower(), "the schema is our own"


def test_a_range_that_was_changed_in_the_model_is_written():
    content, _ = taken(file_source(CASES / "every-element.iml"))
    node = next(node for node in content.nodes() if node.name == "seconds")
    node.constraints = type(node.constraints)(low="1", high="2", choices=(("1", "one"),))
    node.datatype = "xs:int"
    out, lost = written(content)
    assert lost == []
    assert b'<RangeConstraint low="1" high="2"/>' in out.getvalue()
    field = etree.fromstring(out.getvalue()).find(".//Field[@name='seconds']")
    assert field.get("type") == "int"


def test_what_came_from_another_language_is_written_as_far_as_iml_goes():
    nodes = [
        Node(id="p", kind=Kind.OBJECT, name="pump", labels={"en": "Pump", "de": "Pumpe"}),
        Node(id="p/s", kind=Kind.PROPERTY, name="speed", parent="p", value="5", datatype="xs:double", unit="RPM"),
        Node(id="p/o", kind=Kind.OPERATION, name="start", parent="p"),
        Node(
            id="p/o/i", kind=Kind.PROPERTY, name="ramp", parent="p/o", relation=Relation.INPUT, datatype="xs:double", unit="s"
        ),
        Node(id="p/o/o", kind=Kind.PROPERTY, name="done", parent="p/o", relation=Relation.OUTPUT),
        Node(id="p/e", kind=Kind.EVENT, name="tripped", parent="p", meanings=("0173-1#02-AAA000#001",)),
    ]

    out, lost = written(Collected(Document(name="x", format="aas"), [Batch(nodes=nodes)]))
    assert faults(memory_source("x", out.getvalue())) == []
    root = etree.fromstring(out.getvalue())
    assert root.find("MessageInterface/Message[@name='start']/Field[@name='ramp']").get("units") == "s"
    assert root.get("displayName") == "Pump"
    assert {(loss.place, loss.what) for loss in lost} == {
        ("p", "displayName in 'de': 'Pumpe'"), ("p", "that its displayName is in 'en'"), ("p/s", "unit 'RPM'"),
        ("p/o/o", "property 'done'"), ("p/e", "event 'tripped'"),
    }  # fmt: skip


def test_long_documents_come_in_batches_and_every_device_is_there():
    many = "".join(f"<Device name='d{number}'><Parameter name='n' value='{number}'/></Device>" for number in range(3000))
    source = text(f"<DeviceSet name='s'>{many}</DeviceSet>")
    document, batches = FORMAT.read(source, "x", [])
    batches = list(batches)
    assert max(len(batch.nodes) for batch in batches) <= BATCH
    content = Collected(document, batches)
    assert sum(1 for _ in content.nodes()) == 6001
    out, lost = written(content)
    assert lost == []
    assert canonical(memory_source("x", out.getvalue())) == canonical(source)


@pytest.mark.parametrize(
    ("kind", "given_", "url"),
    [
        ("TCP Client", {"hostname": "fe80::1", "port": "7"}, "tcp://[fe80::1]:7"),
        ("Socket", {"host": "a"}, "tcp://a"),
        ("Serial", {"portName": "/dev/ttyUSB0", "stopBits": "2"}, "serial:///dev/ttyUSB0?stop=2"),
        ("STDOUT", {}, ""),
        ("TCP Server", {"port": "9"}, ""),
        ("GPIB", {"address": "5"}, ""),
    ],
)
def test_endpoints(kind, given_, url):
    content = [["Parameter", {"name": name, "value": value}, "", []] for name, value in given_.items()]
    assert endpoint_of({"type": kind}, content) == url


@pytest.mark.fuzz
@given(st.sampled_from([path.read_bytes() for path in FILES]), st.data())
def test_broken_documents_are_refused_or_read(sample, data):
    content = mutated(sample, data)
    try:
        collected, _ = taken(memory_source("f.iml", content))
    except DocumentError:
        return
    written(collected)
