"""What CAEX says becomes a model, and the model becomes the same CAEX again, in both versions, plain and in containers."""

import io
import zipfile

import pytest
from lxml import etree
from semantic_content import Collected

from hulian.network.exchange.semantics.automationml import FORMAT
from hulian.network.exchange.semantics.automationml.canonical import canonical
from hulian.network.exchange.semantics.automationml.files import ROOT_RELATION
from hulian.network.exchange.semantics.contract import Attachment, Batch, Constraints, Document, Kind, Node, Reference, Relation
from hulian.network.exchange.semantics.documents import Siblings, file_source, memory_source
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

SCHEMAS = {"2.15": "automationml/CAEX_ClassModel_V2.15.xsd", "3.0": "automationml/CAEX_ClassModel_V.3.0.xsd"}
SAMPLES = [
    "AMLSimpleExample.caex3.aml",
    "ARAPCExample.aml",
    "BPR_005E_ExternalDataReference_Examples_Jul2016.aml",
    "Part2.aml",
    "Test1_IE_Attribute.aml",
    "Test2_IE.aml",
    "Test3_IH.aml",
    "Test3_IH_IE_ExtInt.aml",
    "Test4_SUC.aml",
    "Test4_SUC_V3.aml",
    "Topology_2021.aml",
    "aml2opcua_smallexample_datatypes.aml",
    "golden-Topology.aml",
]
EVERYTHING = b"""<CAEXFile xmlns="http://www.dke.de/CAEX" SchemaVersion="3.0" FileName="all.aml" ChangeMode="state">
  <Description>all of it &lt;&amp;&gt;</Description>
  <Version>1</Version>
  <Revision><RevisionDate>2024-02-29T00:00:00Z</RevisionDate><AuthorName>A</AuthorName><Comment/></Revision>
  <Revision ChangeMode="create"><RevisionDate>2024-03-01T00:00:00Z</RevisionDate><AuthorName>B</AuthorName></Revision>
  <Revision><RevisionDate>2024-03-02T00:00:00Z</RevisionDate><OldVersion>0</OldVersion><AuthorName>C</AuthorName></Revision>
  <Copyright ChangeMode="state">nobody</Copyright>
  <AdditionalInformation><x:any xmlns:x="urn:x" x:a="1">text<x:b/>tail</x:any></AdditionalInformation>
  <SourceObjectInformation OriginID="o" SourceObjID="s">x</SourceObjectInformation>
  <SuperiorStandardVersion>AutomationML 2.10</SuperiorStandardVersion>
  <SourceDocumentInformation OriginName="n" OriginID="i" OriginVersion="v" LastWritingDateTime="2024-01-01T00:00:00Z"/>
  <ExternalReference Path="lib.aml" Alias="Lib"><Description>beside</Description></ExternalReference>
  <InstanceHierarchy Name="Plant" ID="h">
    <InternalElement Name="Pump [a/b]" ID="{11111111-1111-1111-1111-111111111111}" RefBaseSystemUnitPath="[Units/own]/Pump">
      <Copyright>maker</Copyright>
      <Attribute Name="p/q" ID="a1" AttributeDataType="xs:double" Unit="bar" RefAttributeType="Types/Pressure">
        <Description>pressure</Description>
        <DefaultValue>1</DefaultValue>
        <Value> 2 </Value>
        <RefSemantic CorrespondingAttributePath="IRDI:0112/2///61987#ABA565#007"/>
        <RefSemantic CorrespondingAttributePath="x" ChangeMode="delete"/>
        <Constraint Name="c1"><OrdinalScaledType><RequiredMaxValue>10</RequiredMaxValue>
          <RequiredMinValue>0</RequiredMinValue></OrdinalScaledType></Constraint>
        <Constraint Name="c2"><NominalScaledType><RequiredValue>1</RequiredValue><RequiredValue>2</RequiredValue>
          </NominalScaledType></Constraint>
        <Constraint Name="c3"><UnknownType><Requirements>odd</Requirements></UnknownType></Constraint>
        <Constraint Name="c4" ChangeMode="state"><Version>2</Version><UnknownType/></Constraint>
        <Attribute Name="inner"><Value/></Attribute>
      </Attribute>
      <Attribute Name="twice"/>
      <Attribute Name="twice"><Value>second</Value></Attribute>
      <ExternalInterface Name="In" ID="in" RefBaseClassPath="Interfaces/Flange">
        <Attribute Name="DN" AttributeDataType="xs:int"><Value>50</Value></Attribute>
        <ExternalInterface Name="Seal" RefBaseClassPath="Interfaces/Flange"/>
      </ExternalInterface>
      <InternalElement Name="Motor" ID="m"><ExternalInterface Name="Out" ID="out"/></InternalElement>
      <SupportedRoleClass RefRoleClassPath="Roles/Pump"><Version>3</Version><MappingObject>
        <AttributeNameMapping SystemUnitAttributeName="p/q" RoleAttributeName="p"/>
        <InterfaceIDMapping SystemUnitInterfaceID="in" RoleInterfaceID="ri"/></MappingObject></SupportedRoleClass>
      <InternalLink Name="pipe" ID="l1" RefPartnerSideA="in" RefPartnerSideB="out"><Description>d</Description></InternalLink>
      <InternalLink Name="gone" RefPartnerSideA="in" RefPartnerSideB="nowhere"/>
      <RoleRequirements RefBaseRoleClassPath="Roles/Pump"/>
      <RoleRequirements RefBaseRoleClassPath="Lib@Roles/Machine">
        <Attribute Name="p" AttributeDataType="xs:double"><Value>3</Value></Attribute>
        <ExternalInterface Name="ri" ID="ri"/><MappingObject/>
      </RoleRequirements>
      <RoleRequirements RefBaseRoleClassPath="Roles/Pump"/>
    </InternalElement>
    <InternalElement Name="Same" ID="s" RefBaseSystemUnitPath="{11111111-1111-1111-1111-111111111111}">
      <Attribute Name="mirror" RefAttributeType="{11111111-1111-1111-1111-111111111111}/p~q"/></InternalElement>
  </InstanceHierarchy>
  <InterfaceClassLib Name="Interfaces"><InterfaceClass Name="Flange">
    <InterfaceClass Name="Round" RefBaseClassPath="Flange"/></InterfaceClass></InterfaceClassLib>
  <RoleClassLib Name="Roles"><RoleClass Name="Pump"><Attribute Name="p"/></RoleClass></RoleClassLib>
  <SystemUnitClassLib Name="Units/own"><SystemUnitClass Name="Pump"><Attribute Name="size"/>
    <InternalElement Name="Motor" ID="um"/><SystemUnitClass Name="Small" RefBaseClassPath="Pump"/></SystemUnitClass>
  </SystemUnitClassLib>
  <AttributeTypeLib Name="Types"><AttributeType Name="Pressure" Unit="bar" AttributeDataType="xs:double"><Value>1</Value>
    <Constraint Name="c"><OrdinalScaledType/></Constraint><Attribute Name="part"/><AttributeType Name="Low"/></AttributeType>
  </AttributeTypeLib>
</CAEXFile>"""


def read(document, name="plant", file="a.aml"):
    losses = []
    source = document if hasattr(document, "open") else memory_source(file, document)
    return Collected(*FORMAT.read(source, name, losses)), losses


def written(content, **options):
    out = io.BytesIO()
    losses = FORMAT.write(content, out, **options)
    return out.getvalue(), losses


def lost(losses):
    return [loss for loss in losses if loss.lost]


@pytest.mark.samples(*(f"automationml/{name}" for name in SAMPLES), *SCHEMAS.values())
@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_is_the_same_again_and_valid_in_both_versions(samples, name):
    source = file_source(samples / "automationml" / name)
    content, losses = read(source)
    assert not lost(losses)
    again, losses = written(content)
    assert not losses
    assert canonical(memory_source(name, again)) == canonical(source)
    for version, schema in SCHEMAS.items():
        document, _ = written(content, version=version)
        etree.XMLSchema(etree.parse(samples / schema)).assertValid(etree.fromstring(document))
        back, _ = read(document)
        assert back.document.version == f"CAEX {version}"


@pytest.mark.samples(*SCHEMAS.values())
def test_everything_that_the_schema_knows_comes_back(samples):
    content, losses = read(EVERYTHING)
    assert not lost(losses)
    again, losses = written(content)
    assert not losses
    assert canonical(memory_source("a", again)) == canonical(memory_source("a", EVERYTHING))
    etree.XMLSchema(etree.parse(samples / SCHEMAS["3.0"])).assertValid(etree.fromstring(again))
    older, losses = written(content, version="2.15")
    etree.XMLSchema(etree.parse(samples / SCHEMAS["2.15"])).assertValid(etree.fromstring(older))
    told = {loss.what for loss in losses}
    assert "Types and what is below" in told
    assert "its type Types/Pressure" in told
    assert "SourceObjectInformation" in told
    assert "InterfaceIDMapping" in told


def test_what_the_elements_become():
    content, losses = read(EVERYTHING)
    pump = content.node("plant/{11111111-1111-1111-1111-111111111111}")
    assert (pump.kind, pump.name, pump.type) == (Kind.OBJECT, "Pump [a/b]", "plant/unit:Units%2Fown/Pump")
    pressure = content.node(f"{pump.id}@p%2Fq")
    assert (pressure.kind, pressure.value, pressure.unit, pressure.datatype) == (Kind.PROPERTY, " 2 ", "bar", "xs:double")
    assert pressure.meanings == ("IRDI:0112/2///61987#ABA565#007", "x")
    assert pressure.constraints == Constraints(low="0", high="10", choices=(("1", ""), ("2", "")))
    assert pressure.type == "plant/attribute:Types/Pressure"
    assert pressure.descriptions == {"": "pressure"}
    assert content.node(f"{pump.id}@twice~2").value == "second"
    kinds = {
        "plant/hierarchy:Plant": Kind.FOLDER,
        "plant/in": Kind.OBJECT,
        "plant/unit:Units%2Fown/Pump": Kind.OBJECT_TYPE,
        "plant/role:Roles/Pump": Kind.ROLE,
        "plant/interface:Interfaces/Flange": Kind.INTERFACE_TYPE,
        "plant/attribute:Types/Pressure": Kind.PROPERTY_TYPE,
    }
    assert {identity: content.node(identity).kind for identity in kinds} == kinds
    assert content.node("plant/interface:Interfaces/Flange/Round").type == "plant/interface:Interfaces/Flange"
    references = {(each.source, each.relation, each.target) for each in content.references()}
    assert (pump.id, Relation.ROLE, "plant/role:Roles/Pump") in references
    assert (pump.id, Relation.ROLE, "plant/lib.aml!role:Roles/Machine") in references
    assert ("plant/in", Relation.LINK, "plant/out") in references
    assert ("plant/s", Relation.SAME, pump.id) in references
    assert {loss.what for loss in losses} >= {"a link to no interface", "siblings of one name"}
    known = set()
    for batch in content.batches:
        assert len(batch.nodes) <= 1024
        for node in batch.nodes:
            assert not node.parent or node.parent in known
            known.add(node.id)


def test_links_change_their_form_with_the_version():
    content, _ = read(EVERYTHING)
    older, _ = written(content, version="2.15")
    links = {each.get("Name"): each for each in etree.fromstring(older).iter("InternalLink")}
    assert links["pipe"].get("RefPartnerSideA") == "{11111111-1111-1111-1111-111111111111}:In"
    assert links["pipe"].get("RefPartnerSideB") == "m:Out"
    back, losses = read(older)
    assert [loss.place for loss in losses if loss.what == "a link to no interface"]
    newer, _ = written(back, version="3.0")
    links = {each.get("Name"): each for each in etree.fromstring(newer).iter("{*}InternalLink")}
    assert (links["pipe"].get("RefPartnerSideA"), links["pipe"].get("RefPartnerSideB")) == ("in", "out")


LIBRARY = b"""<CAEXFile SchemaVersion="2.15" FileName="base.aml"><RoleClassLib Name="Base"><RoleClass Name="Machine"/>
</RoleClassLib></CAEXFile>"""
PLANT = b"""<CAEXFile SchemaVersion="2.15" FileName="plant.aml"><ExternalReference Path="libs\\base.aml" Alias="B"/>
<ExternalReference Path="../../etc/outside.aml" Alias="Out"/>
<InstanceHierarchy Name="P"><InternalElement Name="Pump" ID="1">
<RoleRequirements RefBaseRoleClassPath="B@Base/Machine"/></InternalElement>
<InternalElement Name="Odd" ID="2"><RoleRequirements RefBaseRoleClassPath="Out@Base/Machine"/></InternalElement>
</InstanceHierarchy></CAEXFile>"""


def container(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return content.getvalue()


def packed(relation=ROOT_RELATION):
    relations = f"""<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Type="{relation}" Target="/models/plant.aml" Id="R1"/></Relationships>"""
    return container(
        **{
            "_rels/.rels": relations,
            "[Content_Types].xml": '<Types><Default Extension="pdf" ContentType="application/pdf"/></Types>',
            "models/plant.aml": PLANT,
            "models/libs/base.aml": LIBRARY,
            "docs/manual.pdf": b"%PDF",
        }
    )


def test_files_beside_it_are_read_and_none_outside():
    inside = memory_source("base.aml", LIBRARY)
    outside = memory_source("outside.aml", LIBRARY)
    source = memory_source("plant.aml", PLANT)
    source.siblings = {"libs/base.aml": inside, "etc/outside.aml": outside}
    content, losses = read(source)
    assert content.node("plant/libs%2Fbase.aml!role:Base/Machine").kind == Kind.ROLE
    assert content.document.requires == ("../../etc/outside.aml",)
    assert [loss.what for loss in losses] == ["a class in a file that is not here"]
    again, losses = written(content)
    assert not losses
    assert canonical(memory_source("a", again)) == canonical(memory_source("a", PLANT))


def test_files_of_a_folder_are_read_and_none_outside(tmp_path):
    plant = tmp_path / "in" / "plant.aml"
    (plant.parent / "libs").mkdir(parents=True)
    plant.write_bytes(PLANT)
    (plant.parent / "libs" / "base.aml").write_bytes(LIBRARY)
    (tmp_path / "secret.aml").write_bytes(LIBRARY)
    (plant.parent / "link.aml").symlink_to(tmp_path / "secret.aml")
    (plant.parent / "loop.aml").symlink_to(plant.parent / "loop.aml")
    source = file_source(plant)
    source.siblings = Siblings(plant)
    content, _ = read(source)
    assert content.node("plant/libs%2Fbase.aml!role:Base/Machine").kind == Kind.ROLE
    assert content.document.requires == ("../../etc/outside.aml",)
    assert "libs/../libs/base.aml" in source.siblings
    for outside in (
        "../secret.aml",
        str(tmp_path / "secret.aml"),
        "link.aml",
        "loop.aml",
        "libs",
        "C:/x.aml",
        "a\0",
        "x" * 5000,
    ):
        assert outside not in source.siblings, outside


@pytest.mark.parametrize("relation", [ROOT_RELATION, ROOT_RELATION.lower()])
def test_a_container_comes_back_with_all_its_files(relation):
    content, losses = read(packed(relation), file="plant.amlx")
    assert not lost(losses)
    assert ("a.amlx", content.document.title) == ("a.amlx", "plant.aml")
    assert list(content.attachments()) == [Attachment("docs/manual.pdf", "application/pdf", b"%PDF")]
    assert content.node("plant/models%2Flibs%2Fbase.aml!role:Base/Machine") is not None
    again, losses = written(content)
    assert not losses
    with zipfile.ZipFile(io.BytesIO(again)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert canonical(memory_source("a", members["models/plant.aml"])) == canonical(memory_source("a", PLANT))
    assert canonical(memory_source("a", members["models/libs/base.aml"])) == canonical(memory_source("a", LIBRARY))
    assert members["docs/manual.pdf"] == b"%PDF"
    twice, _ = read(again, file="plant.amlx")
    assert [node.id for node in twice.nodes()] == [node.id for node in content.nodes()]
    assert list(twice.attachments()) == list(content.attachments())


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"<CAEXFile SchemaVersion='2.15'>\n<InstanceHierarchy Name='a'>\n</CAEXFile>", "line 3"),
        (b"<Other/>", "root element is not CAEXFile"),
        (b"<Other><CAEXFile/></Other>", "root element is not CAEXFile"),
        (b"", "no XML"),
        (container(**{"a.aml": PLANT, "b.aml": PLANT}), "no relationship names"),
        (container(**{"a.txt": b"x"}), "no relationship names"),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(document, why):
    with pytest.raises(DocumentError, match=why):
        read(document)


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><CAEXFile SchemaVersion="2.15"/>',
        b"<CAEXFile>" + b"<InstanceHierarchy Name='a'>" + b"<InternalElement Name='x'>" * 400,
        container(**{"../a.aml": PLANT}),
    ],
    ids=["entity", "depth", "escape"],
)
def test_what_attacks_is_refused(document):
    with pytest.raises(HostileDocumentError, match="HL-SEM-0002"):
        read(document)


def test_one_element_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("hulian.network.exchange.semantics.automationml.measured.LARGEST_ELEMENT", 1 << 18)
    one = b"<InternalElement Name='e'>" + b"<Attribute Name='a'/>" * 5_000 + b"</InternalElement>"
    begin, end = b"<CAEXFile SchemaVersion='3.0'><InstanceHierarchy Name='p'>", b"</InstanceHierarchy></CAEXFile>"
    content, _ = read(begin + one * 4 + end)
    assert len(list(content.nodes())) == 20_005
    flood = one.replace(b"</InternalElement>", b"<Attribute Name='a'/>" * 20_000 + b"</InternalElement>")
    with pytest.raises(HostileDocumentError, match="one element holds"):
        read(begin + flood + end)


def test_reading_is_told_and_can_be_ended():
    told = []
    source = memory_source("a.aml", EVERYTHING, told.append)
    read(source)
    assert told[-1] == len(EVERYTHING)

    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(memory_source("a.aml", EVERYTHING, stop))


def test_bends_are_read_and_told():
    document = b"""<CAEXFile SchemaVersion="3.0.1" FileName="x">stray
<InstanceHierarchy Name="P"><InternalElement ID="{AB}"><Attribute Name="v" AttributeDataType="double"><Value>1</Value>
<Description>late</Description></Attribute><Odd/><ExternalInterface Name="i" ID="q"/></InternalElement>
<InternalElement Name="m" ID="x" RefBaseSystemUnitPath="ab" Strange="1"><ExternalInterface Name="i"/>
<InternalLink Name="l" RefPartnerSideA="ab:i" RefPartnerSideB="X:i"/></InternalElement>
<InternalElement Name="c" ID="ab"/></InstanceHierarchy></CAEXFile>"""
    content, losses = read(document)
    assert content.node("plant/{AB}@v").datatype == "xs:double"
    references = [(each.source, each.relation, each.target) for each in content.references()]
    assert references == [("plant/x", Relation.SAME, "plant/{AB}"), ("plant/q", Relation.LINK, "plant/x/i")]
    assert content.node("plant/hierarchy:P/c").name == "c"
    told = {loss.what: loss.lost for loss in losses}
    assert told == {
        "a schema version of no published schema": False,
        "the text 'stray'": True,
        "an object without a name": False,
        "the place of Description": True,
        "Odd": True,
        "attribute Strange='1'": True,
        "an ID that another object has": False,
    }


@pytest.mark.samples(SCHEMAS["3.0"])
def test_a_model_that_never_was_caex_is_written_validly(samples):
    nodes = [
        Node(id="x;1", kind=Kind.OBJECT_TYPE, name="PumpType"),
        Node(id="x;2", kind=Kind.PROPERTY, name="speed", parent="x;1", datatype="xs:double", unit="rpm",
             constraints=Constraints(low="0", high="9", choices=(("1", "one"),), pattern="[0-9]", required=True)),
        Node(id="x;3", kind=Kind.FOLDER, name="Line"),
        Node(id="x;4", kind=Kind.OBJECT, name="P<1>\x07", parent="x;3", type="x;1", labels={"de": "Pumpe"}),
        Node(id="x;5", kind=Kind.OPERATION, name="start", parent="x;4"),
        Node(id="x;6", kind=Kind.PROPERTY, name="state", parent="x;4", value="1", type="x;7", writable=True),
        Node(id="x;7", kind=Kind.PROPERTY_TYPE, name="StateType", parent="x;4"),
        Node(id="x;8", kind=Kind.PROPERTY, name="free", value="1"),
        Node(id="x;9", kind=Kind.ROLE, name="Machine"),
    ]  # fmt: skip
    references = [
        Reference("x;4", Relation.ROLE, "x;9"),
        Reference("x;4", "i=1", "x;9"),
        Reference("x;6", Relation.LINK, "x;4"),
    ]
    content = Collected(Document(name="x", format="nodeset"), [Batch(nodes, references)])
    document, losses = written(content)
    root = etree.fromstring(document)
    etree.XMLSchema(etree.parse(samples / SCHEMAS["3.0"])).assertValid(root)
    assert {each.get("Name") for each in root.iter("{*}InternalElement", "{*}SystemUnitClass")} == {
        "P<1>�",
        "PumpType",
        "start",
        "free",
    }
    element = next(each for each in root.iter("{*}InternalElement") if each.get("Name").startswith("P<"))
    assert element.get("RefBaseSystemUnitPath") == "x/PumpType"
    assert element.find("{*}RoleRequirements").get("RefBaseRoleClassPath") == "x/Machine"
    told = {(loss.place, loss.what) for loss in losses}
    assert ("x;4", "its label 'Pumpe' (de)") in told
    assert ("x;5", "that it is an operation") in told
    assert ("x;4", "the reference i=1 to x;9") in told
    assert ("the document", "1 signs") in told
    assert ("x;2", "that it must be there") in told


def test_caex_inside_additional_information_stays_what_it_is():
    inside = "<InstanceHierarchy Name='x'><InternalElement Name='y'/></InstanceHierarchy>"
    document = f"""<CAEXFile SchemaVersion="2.15" FileName="a"><AdditionalInformation>{inside}</AdditionalInformation>
<InstanceHierarchy Name="P"><AdditionalInformation><InternalElement Name="z"/></AdditionalInformation>
<InternalElement Name="e"/></InstanceHierarchy></CAEXFile>""".encode()
    content, losses = read(document)
    assert [node.name for node in content.nodes()] == ["P", "e"]
    again, _ = written(content)
    assert not losses
    assert canonical(memory_source("a", again)) == canonical(memory_source("a", document))


def test_the_format_knows_its_documents():
    assert FORMAT.recognises("a.xml", b'<?xml version="1.0"?>\n<CAEXFile SchemaVersion="3.0">')
    assert FORMAT.recognises("a.amlx", b"PK\x03\x04")
    assert not FORMAT.recognises("a.aasx", b"PK\x03\x04")
    assert not FORMAT.recognises("a.xml", b"<UANodeSet>")
    assert FORMAT.recognises("a.xml", "<CAEXFile>".encode("utf-16"))
