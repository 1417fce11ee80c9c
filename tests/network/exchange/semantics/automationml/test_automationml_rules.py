"""The rules of CAEX as we know them and the published schemas come to the same verdict, on documents bent in every way."""

import copy
import random

import pytest
from lxml import etree

from hulian.network.exchange.semantics.automationml.checks import check, check_by_rules, check_by_schema
from hulian.network.exchange.semantics.documents import file_source, memory_source
from hulian.network.exchange.semantics.errors import DocumentError

SCHEMAS = {"2.15": "automationml/CAEX_ClassModel_V2.15.xsd", "3.0": "automationml/CAEX_ClassModel_V.3.0.xsd"}
SAMPLES = [
    "AMLSimpleExample.caex3.aml",
    "BPR_005E_ExternalDataReference_Examples_Jul2016.aml",
    "Part2.aml",
    "Test3_IH_IE_ExtInt.aml",
    "Test4_SUC_V3.aml",
    "aml2opcua_smallexample_datatypes.aml",
]


def bent(root, choose):
    """The document with one thing changed: an element or attribute left out, doubled, moved, renamed, or text put in."""
    root = copy.deepcopy(root)
    elements = [each for each in root.iter("*") if not any(above.tag.endswith("Information") for above in each.iterancestors())]
    target = choose.choice(elements)
    way = choose.randrange(8)
    if way == 0 and target.getparent() is not None:
        target.getparent().remove(target)
    elif way == 1 and target.attrib:
        del target.attrib[choose.choice(list(target.attrib))]
    elif way == 2 and target.getparent() is not None:
        target.addnext(copy.deepcopy(target))
    elif way == 3 and len(target) > 1:
        target.append(target[0])
    elif way == 4:
        target.set(choose.choice(["ID", "Unit", "RefBaseClassPath", "Odd", "RefAttributeType"]), "x")
    elif way == 5:
        target.tag = choose.choice(elements).tag
    elif way == 6:
        target.set("ChangeMode", choose.choice(["state", "create", "never"]))
    else:
        target.append(copy.deepcopy(choose.choice(elements)))
    return root


@pytest.mark.samples(*(f"automationml/{name}" for name in SAMPLES), *SCHEMAS.values())
@pytest.mark.parametrize("name", SAMPLES)
def test_our_rules_and_the_published_schema_come_to_the_same_verdict(samples, name):
    root = etree.parse(samples / "automationml" / name).getroot()
    schema = etree.XMLSchema(etree.parse(samples / SCHEMAS[root.get("SchemaVersion")]))
    choose = random.Random(name)
    verdicts = set()
    for _ in range(150):
        document = etree.tostring(bent(root, choose))
        judged = schema.validate(etree.fromstring(document))
        try:
            ours = check_by_rules(memory_source("bent.aml", document))
        except DocumentError:
            ours = ["no CAEX"]
        verdicts.add(judged)
        assert judged == (not ours), (schema.error_log.last_error, ours[:2])
    assert verdicts == {True, False}


@pytest.mark.samples("automationml/Part2.aml", *SCHEMAS.values())
def test_a_schema_of_the_user_judges_too(samples):
    document = file_source(samples / "automationml/Part2.aml")
    assert check_by_schema(document, file_source(samples / SCHEMAS["2.15"])) == []
    told = check_by_schema(document, file_source(samples / SCHEMAS["3.0"]))
    assert told
    assert "line 2" in told[0].place
    with pytest.raises(DocumentError, match="no schema"):
        check_by_schema(document, document)
    asks = b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">\n<xs:include schemaLocation="/etc/hostname"/></xs:schema>'
    with pytest.raises(DocumentError, match="line 2"):
        check_by_schema(document, memory_source("own.xsd", asks))


def test_findings_name_line_and_path():
    document = b"""<CAEXFile SchemaVersion="2.15" FileName="a.aml">
<InstanceHierarchy Name="Plant">
<InternalElement Name="Pump" ID="{1}" RefBaseSystemUnitPath="Units/Pump">
<ExternalInterface Name="In" ID="i"/>
<InternalElement Name="Motor" ID="{1}"/>
<InternalLink Name="pipe" RefPartnerSideA="{1}:In" RefPartnerSideB="{1}:Out"/>
</InternalElement>
<InternalElement/>
</InstanceHierarchy></CAEXFile>"""
    told = {(finding.place.split(", ", 1)[1], finding.what) for finding in check(memory_source("a.aml", document))}
    assert ("line 3, Plant/Pump", "a path that leads nowhere") in told
    assert ("line 5, Plant/Pump/Motor", "an ID that another object has") in told
    assert ("line 6, Pump/pipe", "a link to no interface") in told
    assert ("line 8, Plant/InternalElement", "InternalElement must have the attribute Name") in told
