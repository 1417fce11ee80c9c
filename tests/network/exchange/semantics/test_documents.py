"""What comes from outside is refused before it can cost anything, with its place."""

import contextlib
import io
import zipfile

import pytest

from hulian.network.exchange.semantics import documents
from hulian.network.exchange.semantics.documents import Container, memory_source, parse_xml, read_json, xml_events
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;"><!ENTITY z "&y;&y;&y;&y;">]><a>&z;</a>"""
OUTSIDE = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>"""
LATE = b"<?xml version='1.0'?><!--" + b"-." * 4000 + b"-->" + BOMB.split(b"?>", 1)[1]


def packed(*members, **settings):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text, **settings)
    return memory_source("plant.amlx", content.getvalue())


@pytest.mark.parametrize(
    "hostile", [BOMB, OUTSIDE, LATE, BOMB.decode().encode("utf-16")], ids=["bomb", "outside", "late", "utf16"]
)
def test_a_document_type_is_refused_and_nothing_of_it_resolved(hostile):
    with pytest.raises(HostileDocumentError, match="HL-SEM-0002"):
        parse_xml(memory_source("a.aml", hostile))
    with pytest.raises(HostileDocumentError, match="HL-SEM-0002"):
        list(xml_events(memory_source("a.aml", hostile)))


def test_what_is_nested_without_end_is_refused():
    deep = b"<a>" * 100_000
    with pytest.raises(DocumentError, match=r"a\.aml, line 1"):
        parse_xml(memory_source("a.aml", deep))
    with pytest.raises(DocumentError):
        list(xml_events(memory_source("a.aml", deep), starts=True))
    with pytest.raises(HostileDocumentError):
        read_json(memory_source("a.json", b"[" * 100_000))


def test_a_mistake_is_told_with_its_line():
    broken = b"<a>\n<b>\n</a>"
    with pytest.raises(DocumentError, match="line 3") as told:
        parse_xml(memory_source("a.aml", broken))
    assert told.value.hint
    with pytest.raises(DocumentError, match="line 3"):
        list(xml_events(memory_source("a.aml", broken)))
    with pytest.raises(DocumentError):
        read_json(memory_source("a.json", b'{"a": \x80}'))


def test_reading_is_bounded_and_told_and_can_be_ended(monkeypatch):
    told = []
    content = b"<a>" + b"<b/>" * 100_000 + b"</a>"
    list(xml_events(memory_source("a.aml", content, told.append)))
    assert told[-1] == len(content)

    def enough(read):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(xml_events(memory_source("a.aml", content, enough)))
    monkeypatch.setattr(documents, "LARGEST_XML", 1000)
    with pytest.raises(HostileDocumentError, match="larger than"):
        list(xml_events(memory_source("a.aml", content)))
    with pytest.raises(HostileDocumentError, match="larger than"):
        parse_xml(memory_source("a.aml", content), largest=1000)


def test_members_of_a_container_are_read_by_their_path():
    source = packed(("/a/b.aml", b"<a/>"), ("c\\d.txt", b"text"))
    with Container(source) as container:
        assert container.members == {"a/b.aml": 4, "c/d.txt": 4}
        assert container.read("c/d.txt") == b"text"
        assert parse_xml(container.source("a/b.aml")).tag == "a"
        with pytest.raises(DocumentError, match="no such member"):
            container.read("e")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../../b", "C:/windows", "/../b"])
def test_a_path_that_leaves_the_container_is_refused(name):
    with pytest.raises(HostileDocumentError, match="leaves the container"):
        Container(packed((name, b"x")))


def test_a_container_that_unpacks_to_more_than_is_honest_is_refused(monkeypatch):
    with pytest.raises(HostileDocumentError, match="no honest one"):
        Container(packed(("a.aml", bytes(64 << 20))))
    monkeypatch.setattr(documents, "_MEMBERS", 3)
    with pytest.raises(HostileDocumentError, match="members"):
        Container(packed(*((f"{place}", b"") for place in range(4))))
    with pytest.raises(HostileDocumentError, match="twice"):
        Container(packed(("a", b""), ("/a", b"")))
    with pytest.raises(DocumentError, match="no container"):
        Container(memory_source("a.amlx", b"PK not at all"))


def test_a_member_that_says_it_is_small_gives_no_more():
    source = packed(("a", b"x" * 5000))
    content = source.open().read()
    # The directory at the end says 10 bytes; what was packed are 5,000.
    lying = content.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with Container(memory_source("a.amlx", lying)) as container, pytest.raises(DocumentError, match="broken"):
        container.read("a")


def test_a_container_with_any_byte_changed_is_read_or_a_named_error():
    content = packed(("a.aml", b"<a>" + b"text " * 400 + b"</a>"), ("b.txt", bytes(range(256)) * 4)).open().read()
    for place in range(len(content)):
        changed = content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
        with contextlib.suppress(DocumentError), Container(memory_source("a.amlx", changed)) as container:
            for member in container.members:
                with contextlib.suppress(DocumentError):
                    container.read(member)
                with contextlib.suppress(DocumentError):
                    list(xml_events(container.source(member)))
