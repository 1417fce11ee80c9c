"""The page about AutomationML tells the truth, and no bytes make the reader do worse than refuse."""

import contextlib
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_content import Collected

from hulian.network.exchange.semantics.automationml import FORMAT
from hulian.network.exchange.semantics.automationml.canonical import canonical
from hulian.network.exchange.semantics.automationml.checks import check
from hulian.network.exchange.semantics.automationml.files import ROOT_RELATION
from hulian.network.exchange.semantics.automationml.points import PointProposal, propose_points
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.errors import DocumentError

FUZZ = int(os.environ.get("HULIAN_FUZZ", "1"))
PAGE = Path(__file__).parents[5] / "docs/topics/semantics-automationml.md"


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]


def test_the_example_of_the_page_runs(tmp_path):
    (tmp_path / "line2.aml").write_text(block("xml"))
    ran = subprocess.run([sys.executable, "-c", block("python")], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"prints `{ran.stdout.strip()}`" in PAGE.read_text()
    content = Collected(*FORMAT.read(memory_source("line2.aml", block("xml").encode()), "line2", []))
    proposed = PointProposal(
        node="line2/p17@outlet pressure",
        connector="opcua",
        address="nsu=http://example.org/line2;s=P17.Outlet",
        endpoint="opc.tcp://10.0.0.8:4840",
        reason="node",
    )
    assert propose_points(content) == [proposed]
    assert check(memory_source("line2.aml", block("xml").encode())) == []


TAGS = ["InternalElement", "Attribute", "ExternalInterface", "InternalLink", "RoleRequirements", "SupportedRoleClass"]
TAGS += ["Value", "Description", "Version", "Constraint", "NominalScaledType", "RequiredValue", "Odd", "AdditionalInformation"]
TAGS += ["InstanceHierarchy", "SystemUnitClassLib", "SystemUnitClass", "RoleClassLib", "AttributeType", "MappingObject"]
NAMES = ["Name", "ID", "RefBaseSystemUnitPath", "RefBaseClassPath", "RefPartnerSideA", "RefRoleClassPath", "ChangeMode"]
TEXTS = st.sampled_from(["", "a", "a/b", "[a/b]/c", "x@y", "{1}", "a:b", "%2F~", "11111111-1111-1111-1111-111111111111", "]["])


@st.composite
def elements(draw, depth=2):
    tag = draw(st.sampled_from(TAGS))
    attributes = draw(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=3))
    said = "".join(f' {key}="{text}"' for key, text in attributes.items())
    inside = draw(st.lists(elements(depth=depth - 1), max_size=2)) if depth else []
    return f"<{tag}{said}>{draw(TEXTS)}{''.join(inside)}</{tag}>"


@pytest.mark.fuzz
@settings(max_examples=40 * FUZZ)
@given(st.lists(elements(), max_size=4), st.sampled_from(["2.15", "3.0", "?"]))
def test_any_elements_are_read_and_what_is_written_is_stable(inside, version):
    document = f'<CAEXFile SchemaVersion="{version}" FileName="f">{"".join(inside)}</CAEXFile>'.encode()
    content = Collected(*FORMAT.read(memory_source("f.aml", document), "d", []))
    identities = [node.id for node in content.nodes()]
    assert len(set(identities)) == len(identities)
    assert all(not node.parent or node.parent in set(identities) for node in content.nodes())
    out = io.BytesIO()
    FORMAT.write(content, out)
    again = Collected(*FORMAT.read(memory_source("f.aml", out.getvalue()), "d", []))
    twice = io.BytesIO()
    FORMAT.write(again, twice)
    assert canonical(memory_source("f", twice.getvalue())) == canonical(memory_source("f", out.getvalue()))


def packed(content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("_rels/.rels", f'<R><Relationship Type="{ROOT_RELATION}" Target="a.aml"/></R>')
        archive.writestr("a.aml", content)
    return out.getvalue()


SEEDS = [PAGE.read_bytes(), block("xml").encode(), packed(block("xml"))]


@pytest.mark.fuzz
@settings(max_examples=100 * FUZZ)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=6)), max_size=6))
def test_broken_bytes_are_read_or_refused(seed, changes):
    broken = bytearray(seed)
    for place, piece in changes:
        broken[place % len(broken) : place % len(broken) + len(piece)] = piece
    with contextlib.suppress(DocumentError):
        _, batches = FORMAT.read(memory_source("x.aml", bytes(broken)), "d", [])
        for _ in batches:
            pass
