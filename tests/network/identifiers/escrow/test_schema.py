"""The schema and the reader agree: what leaves a node fits, and what does not fit is not read."""

from __future__ import annotations

import pytest
from escrow_exports import fill, new_store, value
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hulian.cli import app
from hulian.network.identifiers.escrow.document import change_xml, head_xml, prefix_xml, record_xml, schema, tail_xml
from hulian.network.identifiers.escrow.errors import DocumentError
from hulian.network.identifiers.escrow.manifest import Position
from hulian.network.identifiers.escrow.reading import items
from hulian.network.identifiers.store import Kept, key_of, snapshot
from hulian.network.identifiers.store.changes import digest_of_values
from hulian.network.identifiers.wire.values import Reference, Value, pack_values

pytestmark = pytest.mark.timeout(180)
SCHEMA = etree.XMLSchema(etree.fromstring(schema()))
PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
AT = Position(7, "ab" * 32)


def fits(document: bytes) -> bool:
    return bool(SCHEMA.validate(etree.fromstring(document, PARSER)))


def reads(document: bytes) -> bool:
    try:
        list(items([document]))
    except DocumentError:
        return False
    return True


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    found = fill(new_store(tmp_path_factory.mktemp("schema") / "node.db"), 20)
    found.delete("88.111.1/n3")
    found.replace("88.111.1/n4", [value("other")])
    found.home("88.111.9")
    found.unhome("88.111.9")
    yield found
    found._registry.close()


@pytest.fixture(scope="module")
def full(store) -> bytes:
    with snapshot(store._registry) as seen:
        records = "".join(map(record_xml, seen.records()))
    prefixes = prefix_xml("88.111.1", 5) + prefix_xml("\0", -5)
    return (head_xml("full", "88.111.1\x01", AT, None) + prefixes + records + tail_xml()).encode()


@pytest.fixture(scope="module")
def differential(store) -> bytes:
    told = ""
    for one in store.log.read(0, 1_000):
        packed = store.packed(key_of(one.handle))
        here = packed is not None and digest_of_values(packed) == one.content
        told += change_xml(one, packed if here else None)
    return (head_xml("differential", "88.111.1", AT, Position(0, "00" * 32)) + told + tail_xml()).encode()


def test_what_leaves_a_node_fits(full, differential):
    for document in (full, differential):
        assert fits(document), SCHEMA.error_log
        assert reads(document)
    assert b'values="later"' in differential
    assert b'what="unhome"' in differential


_TEXT = st.text(max_size=12)
_VALUE = st.builds(
    Value,
    index=st.integers(-(2**31), 2**31 - 1),
    type=_TEXT,
    data=st.binary(max_size=12) | _TEXT.map(lambda text: text.encode(errors="replace")),
    timestamp=st.integers(0, 2**32 - 1),
    ttl_type=st.integers(0, 255),
    ttl=st.integers(0, 2**31 - 1),
    permissions=st.integers(0, 255),
    references=st.lists(st.builds(Reference, _TEXT, st.integers(-(2**31), 2**31 - 1)), max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(_TEXT, st.lists(_VALUE, max_size=3), st.integers(-(2**63), 2**63 - 1))
def test_any_record_fits(handle, values, changed):
    record = record_xml(Kept(handle, pack_values(values), changed))
    document = (head_xml("full", handle, AT, None) + record + tail_xml()).encode()
    assert fits(document), SCHEMA.error_log
    assert reads(document)


RECORD = record_xml(
    Kept("88.1/x", pack_values([Value(index=1, type="URL", data=b"x", references=(Reference("88.1/y", 2),))]), 5)
)
GOOD = head_xml("full", "n", AT, None) + prefix_xml("88.1", 5) + RECORD + tail_xml()
CHANGED = (
    head_xml("differential", "n", AT, Position(1, "cd" * 32))
    + f'<change number="2" at="5" what="delete" handle="88.1/x" by="node" content="" seal="{"ef" * 32}"/>\n'
    + tail_xml()
)
WRONG = [
    (GOOD, 'version="1" kind', 'version="2" kind'),
    (GOOD, ' kind="full"', ""),
    (GOOD, 'kind="full"', 'kind="half"'),
    (GOOD, 'number="7"', 'number="-7"'),
    (GOOD, 'number="7"', 'number="seven"'),
    (GOOD, f'seal="{"ab" * 32}"', f'seal="{"AB" * 32}"'),
    (GOOD, f'seal="{"ab" * 32}"', f'seal="{"ab " * 21}a"'),
    (GOOD, "<prefix ", '<prefix colour="red" '),
    (GOOD, 'since="5"', ""),
    (GOOD, 'since="5"', 'since="9999999999999999999"'),
    (GOOD, "<text>x</text>", ""),
    (GOOD, "<text>x</text>", "<text>x</text><text>x</text>"),
    (GOOD, "<text>x</text>", "<text>x</text><base64>eA==</base64>"),
    (GOOD, "<text>x</text>", "<base64>e</base64>"),
    (GOOD, "<text>x</text>", '<text a="1">x</text>'),
    (GOOD, "<text>x</text>", "<text>x<text>y</text></text>"),
    (GOOD, 'index="1" ', 'index="2147483648" '),
    (GOOD, 'index="1" ', 'index="+1" '),
    (GOOD, 'timestamp="0"', 'timestamp="-1"'),
    (GOOD, 'ttl="86400"', 'ttl="4294967296"'),
    (GOOD, 'ttl-type="0"', 'ttl-type="256"'),
    (GOOD, 'permissions="14"', 'permissions=""'),
    (GOOD, '<reference index="2"', "<reference"),
    (GOOD, "</record>\n", "</record>\nwords\n"),
    (GOOD, "</record>\n", "</record>\n\u00a0\n"),
    (GOOD, "</record>\n", '</record>\n<prefix since="5" name="late"/>\n'),
    (GOOD, "</record>\n", "</record>\n<note/>\n"),
    (GOOD, RECORD, CHANGED.splitlines()[2]),
    (GOOD, 'xmlns="urn:hulian:escrow"', 'xmlns="urn:hulian:other"'),
    (CHANGED, 'what="delete"', 'what="forget"'),
    (CHANGED, 'content=""', 'content="12"'),
    (CHANGED, "<change ", '<change values="perhaps" '),
    (CHANGED, 'at="5"', ""),
    (CHANGED, "</escrow>", RECORD + "</escrow>"),
    (CHANGED, f'after-seal="{"cd" * 32}"', 'after-seal="cd"'),
]
UNSAID = [
    (GOOD, ' handle="88.1/x"', ""),
    (GOOD, ' handle="88.1/x"', ' handle="88.1/x" handle-base64="eA=="'),
    (GOOD, ' name="88.1"', ' name="88.1" name-base64="eA=="'),
    (GOOD, ' name="88.1"', ' name-base64="/w=="'),
    (CHANGED, ' after="1"', ""),
    (CHANGED, f' after-seal="{"cd" * 32}"', ""),
    (CHANGED, "<change ", '<change values="here" '),
    (head_xml("differential", "n", AT, Position(1, "cd" * 32)) + tail_xml(), "</escrow>", RECORD + "</escrow>"),
]


def test_the_documents_that_are_spoilt_are_good():
    for document in (GOOD, CHANGED):
        assert fits(document.encode())
        assert reads(document.encode())


@pytest.mark.parametrize(("document", "old", "new"), WRONG)
def test_what_does_not_fit_is_not_read(document, old, new):
    spoilt = document.replace(old, new, 1).encode()
    assert spoilt != document.encode()
    assert not fits(spoilt)
    assert not reads(spoilt)


@pytest.mark.parametrize(("document", "old", "new"), UNSAID)
def test_what_the_schema_cannot_say_is_not_read_either(document, old, new):
    spoilt = document.replace(old, new, 1).encode()
    assert spoilt != document.encode()
    assert fits(spoilt)
    assert not reads(spoilt)


def test_the_command_gives_it(tmp_path, capfdbinary):
    app(["identifiers", "escrow", "schema", str(tmp_path / "escrow.xsd")], result_action="return_value")
    assert (tmp_path / "escrow.xsd").read_bytes() == schema()
    capfdbinary.readouterr()
    app(["identifiers", "escrow", "schema"], result_action="return_value")
    assert capfdbinary.readouterr().out == schema()
