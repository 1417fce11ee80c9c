"""Large documents are read in a process of their own: it gives what reading them here gives, and it harms nothing."""

import json
import signal
import zipfile

import msgspec
import psutil
import pytest
import sqlalchemy as sa
from aas_documents import everything
from nodeset_documents import PUMP, whole
from plain_models import a_model, source

from hulian.network.exchange.semantics.apart import process
from hulian.network.exchange.semantics.apart.pieces import END, Ending, pieces
from hulian.network.exchange.semantics.apart.process import read_pieces
from hulian.network.exchange.semantics.contract import Attachment, Kind, Node, Reference
from hulian.network.exchange.semantics.documents import file_source, memory_source
from hulian.network.exchange.semantics.errors import (
    DocumentError,
    HostileDocumentError,
    ReaderEndedError,
    ReaderMemoryError,
    ReaderTimeError,
)
from hulian.network.exchange.semantics.formats import format_named
from hulian.network.exchange.semantics.model import tables

_AML = (
    '<CAEXFile xmlns="http://www.dke.de/CAEX" SchemaVersion="3.0" FileName="a.aml"><InstanceHierarchy Name="Plant">'
    "{}</InstanceHierarchy></CAEXFile>"
)
_PUMP = (
    '<InternalElement Name="Pump {0}" ID="{0:032x}"><Attribute Name="p" Unit="bar"><Value>{0}</Value></Attribute>'
    "</InternalElement>"
)


def aml(pumps, bad=""):
    return _AML.format("".join(_PUMP.format(number) for number in range(1, pumps + 1)) + bad).encode()


DOCUMENTS = {
    "aml": ("a.aml", aml(3, "<Nonsense/>")),
    "nodeset": ("a.NodeSet2.xml", whole(PUMP)),
    "aas": ("a.json", json.dumps(everything()).encode()),
    "hulian": (
        "a.json",
        source(
            [Node(id=f"n{number}", kind=Kind.OBJECT, name=f"N {number}") for number in range(3_000)],
            [Reference("n0", "link", "n1", {"x": {"y": [1]}}), Reference("n1", "link", "n2")],
            [Attachment("a.png", "image/png", b"\x89PNG")],
        ).open().read(),
    ),
}  # fmt: skip


@pytest.fixture
def every_document_apart(monkeypatch):
    monkeypatch.setattr(process, "_SMALL", 0)
    monkeypatch.setattr(process, "_SMALL_PACKED", 0)


def own_processes():
    """Readers that this process has; what has ended and was not waited for counts too."""
    return [one for one in psutil.Process().children() if "apart.worker" in " ".join(_command(one))]


def _command(one):
    try:
        return one.cmdline() or ["apart.worker"]  # about to end
    except psutil.ZombieProcess:
        return ["apart.worker"]
    except psutil.Error:
        return []


def taken(stream):
    return [(kind, msgspec.msgpack.decode(content) if kind not in (b"D", b"A") else content) for kind, content in stream]


@pytest.mark.parametrize("form", DOCUMENTS)
@pytest.mark.parametrize("where", ["file", "memory"])
def test_what_another_process_reads_is_what_this_one_reads(form, where, tmp_path, every_document_apart):
    name, content = DOCUMENTS[form]
    path = tmp_path / name
    path.write_bytes(content)
    document = file_source(path) if where == "file" else memory_source(name, content)
    stream = read_pieces(format_named(form), document, "d")
    first = next(stream)
    assert own_processes()
    apart = taken([first, *stream])
    assert apart == taken(pieces(format_named(form), document, "d"))
    assert {kind for kind, _ in apart} >= {b"D", b"N", b"Z"}
    assert not own_processes()


def test_small_documents_of_other_formats_and_with_files_beside_them_are_read_here(tmp_path, monkeypatch):
    monkeypatch.setattr(process.subprocess, "Popen", None)
    name, content = DOCUMENTS["aml"]
    small = memory_source(name, content)
    assert [kind for kind, _ in read_pieces(format_named("aml"), small, "d")][-1] == END
    large = msgspec.structs.replace(small, size=1 << 30)
    beside = msgspec.structs.replace(large, siblings={"b.aml": small})
    assert [kind for kind, _ in read_pieces(format_named("aml"), beside, "d")][-1] == END

    class Foreign:
        name = "aml"
        read = format_named("aml").read

    assert [kind for kind, _ in read_pieces(Foreign(), large, "d")][-1] == END
    with pytest.raises(TypeError):
        next(read_pieces(format_named("aml"), large, "d"))


def test_containers_are_large_long_before_their_files_are(tmp_path, monkeypatch):
    path = tmp_path / "a.amlx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.aml", aml(100))
        archive.writestr("noise.bin", bytes(range(256)) * 600, zipfile.ZIP_STORED)
    assert process._SMALL_PACKED <= path.stat().st_size < process._SMALL
    stream = read_pieces(format_named("aml"), file_source(path), "d")
    next(stream)
    assert own_processes()
    stream.close()
    assert not own_processes()


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (aml(2_000)[:-30], DocumentError, "line 1"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + aml(2), HostileDocumentError, "document type"),
        (b"<html/>", DocumentError, "CAEXFile"),
    ],
)
def test_an_error_is_the_same_one_and_nothing_stays(content, kind, words, registry, every_document_apart):
    model = a_model(registry)
    document = memory_source("bad.aml", content)
    with pytest.raises(DocumentError) as here:
        list(pieces(format_named("aml"), document, "d"))
    with pytest.raises(DocumentError, match=words) as apart:
        model.read(format_named("aml"), document, "d", "ann")
    assert type(apart.value) is type(here.value) is kind
    assert apart.value.as_dict() == here.value.as_dict()
    assert nothing_of(registry)
    assert not own_processes()


def nothing_of(registry):
    with registry.read() as connection:
        return not any(
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
            for table in (tables.version, tables.node)
        )


def test_progress_is_told_and_what_it_raises_ends_the_reader(registry, every_document_apart):
    model, told = a_model(registry), []
    content = aml(2_000)
    model.discard(model.read(format_named("aml"), memory_source("a.aml", content, told.append), "d", "ann").version.key)
    assert told == sorted(told)
    assert told[-1] == len(content)

    class Cancelled(Exception):
        pass

    def cancel(read):
        raise Cancelled

    with pytest.raises(Cancelled):
        model.read(format_named("aml"), memory_source("a.aml", content, cancel), "d", "ann")
    assert nothing_of(registry)
    assert not own_processes()


def test_a_reader_that_is_killed_is_told_and_nothing_stays(registry, every_document_apart):
    def kill(read):
        for one in own_processes():
            one.send_signal(signal.SIGKILL)

    # Far more than the pipe holds: the reader cannot have written all of it before it is killed.
    document = memory_source("a.aml", aml(60_000), kill)
    with pytest.raises(ReaderEndedError, match=r"HL-SEM-0041.*signal 9.*a\.aml"):
        a_model(registry).read(format_named("aml"), document, "d", "ann")
    assert nothing_of(registry)


def test_a_reader_has_so_much_memory_and_so_much_time(monkeypatch, every_document_apart):
    document = memory_source("a.json", b'{"submodels":[' + b"[[]]," * 5_000_000 + b"[]]}")
    monkeypatch.setattr(process, "_MEMORY", 256 << 20)
    with pytest.raises(ReaderMemoryError, match=r"HL-SEM-0042.*256 MiB"):
        list(read_pieces(format_named("aas"), document, "d"))
    monkeypatch.setattr(process, "_SECONDS", 1)
    monkeypatch.setattr(process, "_SECONDS_PER_MEGABYTE", 0)
    with pytest.raises(ReaderTimeError, match=r"HL-SEM-0043.*1 s"):
        list(read_pieces(format_named("aml"), memory_source("a.aml", aml(300_000)), "d"))
    assert not own_processes()


def test_losses_come_with_the_end_and_are_counted_beyond_their_bound(every_document_apart):
    document = memory_source("a.aml", aml(1, "".join(f"<Nonsense{number}/>" for number in range(10_005))))
    *_, (kind, content) = read_pieces(format_named("aml"), document, "d")
    assert kind == END
    losses = msgspec.msgpack.decode(content, type=Ending).losses
    assert len(losses) == 10_001
    assert losses[-1].what.endswith(" more")
