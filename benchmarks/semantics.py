"""The information model: how fast documents become part of it, how fast it answers by meaning, what a million nodes take.

A document is generated in the manner of published ones; importing it is all of `hulian model import`: reading, keeping,
checking, applying. The reference is lxml parsing the same file.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks._identifier_node import ROOT

MEGABYTES = 32
NODES = 1_000_000
_PRESSURE = "0112/2///61987#ABA565"


def _aml(megabytes: int) -> bytes:
    out = io.StringIO()
    out.write(
        '<CAEXFile xmlns="http://www.dke.de/CAEX" SchemaVersion="3.0" FileName="bench.aml">'
        "<SuperiorStandardVersion>AutomationML 2.10</SuperiorStandardVersion>"
        '<SourceDocumentInformation OriginName="bench" OriginID="bench" OriginVersion="1" '
        'LastWritingDateTime="2026-01-01T00:00:00Z"/><InstanceHierarchy Name="Plant">'
    )
    number = 0
    while out.tell() < megabytes << 20:
        out.write(f'<InternalElement Name="Unit {number}" ID="{uuid.UUID(int=number << 8)}">')
        for part in range(20):
            number += 1
            out.write(
                f'<InternalElement Name="Pump {number}" ID="{uuid.UUID(int=number << 8 | 1)}">'
                "<Description>A pump as a supplier describes it, with what an engineer added</Description>"
                '<Attribute Name="pressure" AttributeDataType="xs:double" Unit="bar"><Value>1.5</Value>'
                f'<RefSemantic CorrespondingAttributePath="IRDI:{_PRESSURE}#007"/></Attribute>'
                '<Attribute Name="power" AttributeDataType="xs:double" Unit="kW"><Description>Rated power</Description>'
                "<DefaultValue>11</DefaultValue><Value>15</Value></Attribute>"
                f'<Attribute Name="manufacturer" AttributeDataType="xs:string"><Value>Maker {part}</Value></Attribute>'
                f'<ExternalInterface Name="flange" ID="{uuid.UUID(int=number << 8 | 2)}"/></InternalElement>'
            )
        out.write("</InternalElement>")
    out.write("</InstanceHierarchy></CAEXFile>")
    return out.getvalue().encode()


def _nodeset(megabytes: int) -> bytes:
    out = io.StringIO()
    out.write(
        '<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd">'
        "<NamespaceUris><Uri>http://bench.example/</Uri></NamespaceUris>"
        '<Models><Model ModelUri="http://bench.example/" Version="1.0.0" PublicationDate="2026-01-01T00:00:00Z"/></Models>'
        '<Aliases><Alias Alias="Double">i=11</Alias><Alias Alias="HasComponent">i=47</Alias>'
        '<Alias Alias="HasTypeDefinition">i=40</Alias><Alias Alias="Organizes">i=35</Alias></Aliases>'
    )
    number = 1
    while out.tell() < megabytes << 20:
        thing = number
        out.write(
            f'<UAObject NodeId="ns=1;i={thing}" BrowseName="1:Pump{thing}"><DisplayName>Pump {thing}</DisplayName>'
            "<Description>A pump as a supplier describes it</Description><References>"
            '<Reference ReferenceType="HasTypeDefinition">i=58</Reference>'
            '<Reference ReferenceType="Organizes" IsForward="false">i=85</Reference></References></UAObject>'
        )
        for part in range(9):
            number += 1
            out.write(
                f'<UAVariable NodeId="ns=1;i={number}" BrowseName="1:Value{part}" ParentNodeId="ns=1;i={thing}" '
                'DataType="Double" AccessLevel="3"><DisplayName Locale="en">Value</DisplayName><References>'
                '<Reference ReferenceType="HasTypeDefinition">i=63</Reference>'
                f'<Reference ReferenceType="HasComponent" IsForward="false">ns=1;i={thing}</Reference></References>'
                '<Value><Double xmlns="http://opcfoundation.org/UA/2008/02/Types.xsd">1.5</Double></Value></UAVariable>'
            )
        number += 1
    out.write("</UANodeSet>")
    return out.getvalue().encode()


def _aasx(megabytes: int) -> tuple[bytes, bytes]:
    """The package, and the document in it, whose size counts."""
    out = io.StringIO()
    out.write('<environment xmlns="https://admin-shell.io/aas/3/0"><submodels>')
    number = 0
    while out.tell() < megabytes << 20:
        number += 1
        out.write(f"<submodel><idShort>Pump{number}</idShort><id>https://bench.example/sm/{number}</id><submodelElements>")
        for part in range(20):
            out.write(
                f"<property><idShort>Value{part}</idShort><semanticId><type>ExternalReference</type><keys><key>"
                f"<type>GlobalReference</type><value>{_PRESSURE}#007</value></key></keys></semanticId>"
                "<valueType>xs:double</valueType><value>1.5</value></property>"
            )
        out.write("</submodelElements></submodel>")
    out.write("</submodels></environment>")
    document = out.getvalue().encode()
    package = io.BytesIO()
    relation = "http://admin-shell.io/aasx/relationships"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        head = '<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        archive.writestr(
            "[Content_Types].xml",
            '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="text/xml"/><Override PartName="/aasx/aasx-origin" ContentType="text/plain"/>'
            "</Types>",
        )
        archive.writestr(
            "_rels/.rels",
            f'{head}<Relationship Id="r1" Type="{relation}/aasx-origin" Target="/aasx/aasx-origin"/></Relationships>',
        )
        archive.writestr("aasx/aasx-origin", "Intentionally empty.")
        archive.writestr(
            "aasx/_rels/aasx-origin.rels",
            f'{head}<Relationship Id="r1" Type="{relation}/aas-spec" Target="/aasx/bench.xml"/></Relationships>',
        )
        archive.writestr("aasx/bench.xml", document)
    return package.getvalue(), document


def _import(kind: str, path: Path) -> None:
    """In a process of its own: prints seconds, nodes, and with its reader the largest memory in MiB and processor seconds."""
    import resource

    from hulian.network.exchange.semantics.documents import file_source
    from hulian.network.exchange.semantics.formats import format_named
    from hulian.network.exchange.semantics.together import Semantics
    from hulian.registry import Registry

    form = format_named(kind)
    registry = Registry.open(path.with_suffix(".db"))
    model = Semantics(registry).model
    used, began = time.process_time(), time.perf_counter()
    found = model.read(form, file_source(path), "bench", "bench")
    model.apply(found.version.key)
    seconds = time.perf_counter() - began
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    memory = sum(one.ru_maxrss for one in both) / 1024
    print(seconds, found.version.nodes, memory, sum(one.ru_utime + one.ru_stime for one in both) - used)
    registry.close()


def _question(path: Path) -> None:
    """Prints the milliseconds of questions over a million nodes, and what they add to the process in MiB."""
    import psutil

    from hulian.network.exchange.semantics.contract import Batch, Document, Kind, Node
    from hulian.network.exchange.semantics.documents import memory_source
    from hulian.network.exchange.semantics.model import Question
    from hulian.network.exchange.semantics.together import Semantics
    from hulian.registry import Registry

    class Million:
        name = "bench"

        def read(self, source: object, name: str, losses: object) -> tuple[Document, Iterator[Batch]]:
            return Document(name=name, format="bench"), self.batches()

        def batches(self) -> Iterator[Batch]:
            nodes = [Node(id="t", kind=Kind.OBJECT_TYPE, name="Pump"), Node(id="p", kind=Kind.FOLDER, name="Plant")]
            for line in range(100):
                nodes.append(Node(id=f"l{line}", kind=Kind.OBJECT, name=f"Line {line}", parent="p"))
                for pump in range(NODES // 1_000):
                    thing = f"l{line}/{pump}"
                    nodes.append(Node(id=thing, kind=Kind.OBJECT, name=f"P-{pump}", parent=f"l{line}", type="t"))
                    nodes += [
                        Node(
                            id=f"{thing}/{part}", kind=Kind.PROPERTY, name=f"PT_{part}", parent=thing, datatype="xs:double",
                            unit="bar" if line % 2 else "kPa", value="1.5", meanings=(f"0112/2///61987#ABA56{part}#001",),
                        )
                        for part in range(9)
                    ]  # fmt: skip
                    if len(nodes) > 1_000:
                        yield Batch(nodes, [], [])
                        nodes = []
            yield Batch(nodes, [], [])

    registry = Registry.open(path)
    model = Semantics(registry).model
    model.apply(model.read(Million(), memory_source("bench", b""), "bench", "bench").version.key)  # type: ignore[arg-type]
    before = psutil.Process().memory_info().rss
    question = Question(meaning=_PRESSURE, of="Pump", inside="Plant/Line 2", unit="bar", limit=100)
    times = []
    for _ in range(21):
        began = time.perf_counter()
        answer = model.find(question)
        times.append((time.perf_counter() - began) * 1e3)
    if answer.total != NODES // 1_000:
        raise RuntimeError(f"{answer.total} found")
    print(statistics.median(times[1:]), (psutil.Process().memory_info().rss - before) / 2**20, len(model.columns()))
    registry.close()


def _apart(*arguments: str) -> list[float]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "benchmarks.semantics", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT)
    return [float(word) for word in done.stdout.split()]


def _imports(directory: Path) -> list[dict]:
    from lxml import etree

    package: list[bytes] = []

    def aasx(megabytes: int) -> bytes:
        whole, document = _aasx(megabytes)
        package.append(whole)
        return document

    made: dict[str, tuple[str, Callable[[int], bytes]]] = {
        "aml": ("bench.aml", _aml), "nodeset": ("bench.NodeSet2.xml", _nodeset), "aasx": ("bench.aasx", aasx),
    }  # fmt: skip
    rows = []
    for kind, (name, make) in made.items():
        content = make(MEGABYTES)
        path = directory / name
        path.write_bytes(package[-1] if kind == "aasx" else content)
        began = time.perf_counter()
        etree.fromstring(content, etree.XMLParser(huge_tree=True))
        parsed = time.perf_counter() - began
        runs = []
        for _ in range(3):
            runs.append(_apart("import", "aas" if kind == "aasx" else kind, str(path)))
            path.with_suffix(".db").unlink()
        seconds, nodes, memory, processor = sorted(runs)[1]
        rate, reference = len(content) / 1e6 / seconds, len(content) / 1e6 / parsed
        rows.append(
            {
                "name": f"model.import_mb_per_s.{kind}", "value": round(rate, 2), "unit": "MB/s",
                "reference": "lxml parsing it", "reference_value": round(reference, 1), "ratio": round(rate / reference, 3),
                "conditions": f"{len(content) / 1e6:.0f} MB, {nodes:,.0f} nodes, into SQLite, median of 3, {memory:.0f} MiB, "
                f"{processor:.1f} s of two cores",
            }
        )  # fmt: skip
    slowest = min(rows, key=lambda row: row["value"])
    return [*rows, slowest | {"name": "model.import_mb_per_s", "conditions": f"{slowest['name']}: {slowest['conditions']}"}]


def run() -> list[dict]:
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        rows = _imports(directory)
        milliseconds, memory, nodes = _apart("question", str(directory / "million.db"))
    conditions = (
        f"{nodes:,.0f} nodes in SQLite; outlet pressures, in bar, of pumps in line 2: 1,000 found, 100 shown; median of 20"
    )
    goal = {"reference": "the goal", "reference_value": 50, "ratio": round(milliseconds / 50, 2)}
    return [
        *rows,
        {"name": "model.query_by_meaning_ms", "value": round(milliseconds, 1), "unit": "ms", "conditions": conditions, **goal},
        {
            "name": "model.memory_mb",
            "value": round(memory, 1),
            "unit": "MiB",
            "conditions": f"added by questions over {nodes:,.0f} nodes",
        },
    ]


if __name__ == "__main__":
    if sys.argv[1] == "import":
        _import(sys.argv[2], Path(sys.argv[3]))
    else:
        _question(Path(sys.argv[2]))
