"""Documents that travel through the model and back: what is otherwise afterwards, and what of it the losses explain.

A document is read into a registry, applied, written from it again, and compared with what it was by the canonical form of its
language, which is made from the files themselves and not from what our readers make of them. What was written travels a
second time: the model must find no difference, and the file must be the same, byte for byte.
"""

from __future__ import annotations

import difflib
import io
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from semantic_content import Collected

from hulian.network.exchange.semantics.contract import Content, Format, Loss, Source
from hulian.network.exchange.semantics.documents import Container, file_source, memory_source
from hulian.network.exchange.semantics.errors import TranslationError, UnknownFormatError
from hulian.network.exchange.semantics.formats import document_name, format_named, format_of
from hulian.network.exchange.semantics.model import Model
from hulian.network.exchange.semantics.translation import PAIRS

TESTS: Final = Path(__file__).parents[1]
ROOT: Final = TESTS.parent
SAMPLES: Final = Path(os.environ.get("HULIAN_SAMPLES") or ROOT.parent / "shared" / "samples")
_PEERS: Final = TESTS / "peers"
_WRITTEN_ANEW: Final = (".rels", "[Content_Types].xml", "aasx-origin")
"""Parts of containers that are compared by what they say: relationships are; the origin of a package has no content by its
standard (IDTA 01005), and what tools put into it differs."""


def documents() -> Iterator[tuple[str, Path]]:
    """Every document of a format that is known: samples, the project's own, and those that the peers of tests bring along."""
    places = (
        ("samples", SAMPLES, ("automationml", "nodesets", "aas", "wot")),
        ("cases", TESTS / "cases", ("wot", "instrumentml", "instrument")),
        ("demo", ROOT / "src" / "hulian", ("network/exchange/protocols/instrument", "cli")),
        ("node-opcua", _PEERS / "node-opcua" / "node_modules" / "node-opcua-nodesets", ("nodesets",)),
        ("node-wot", _PEERS / "node-wot" / "node_modules" / "@thingweb" / "thing-model" / "test", ("thing-model/tmodels",)),
    )
    for place, root, folders in places:
        for folder in folders:
            for path in sorted((root / folder).rglob("*")):
                if path.is_file() and known(path) is not None:
                    yield f"{place}/{path.relative_to(root).as_posix()}", path


def known(path: Path) -> Format | None:
    """The format of a file, by its suffix and its begin; None for schemas, tables and what else lies beside documents."""
    if not path.name.lower().endswith((".aml", ".amlx", ".xml", ".aasx", ".json", ".jsonld", ".iml")):
        return None
    try:
        return format_of(file_source(path))
    except UnknownFormatError:
        return None


@dataclass
class Trip:
    """What became of one document."""

    name: str
    form: str
    nodes: int = 0
    differences: list[str] = field(default_factory=list)
    """Of its canonical form, one line each."""
    unexplained: list[str] = field(default_factory=list)
    """Of them, those that no loss explains."""
    losses: list[Loss] = field(default_factory=list)
    """Of reading and of writing: what cannot be kept."""
    second: list[str] = field(default_factory=list)
    """What is otherwise after the second time."""
    errors: list[str] = field(default_factory=list)
    """What kept it out of the model."""


def trip(model: Model, name: str, path: Path) -> Trip:
    """Reads, applies, writes and compares a document; the model is without it afterwards."""
    form = known(path)
    assert form is not None
    source = file_source(path)
    called = document_name(path, form)
    first = model.read(form, source, called, "round trip")
    done = Trip(name, form.name, first.version.nodes, losses=[loss for loss in first.version.losses if loss.lost])
    if first.errors:
        done.errors = [f"{error.node}: {error.message}" for error in first.errors]
        model.discard(first.version.key)
        return done
    model.apply(first.version.key)
    try:
        written, losses = exported(model.content(called), form)
        done.losses += losses
        done.differences = different(form.name, source, memory_source(path.name, written))
        done.unexplained = unexplained(done.differences, done.losses)
        _second(model, form, path.name, called, written, done)
    finally:
        model.remove(called)
        for version in model.history(called):
            model.discard(version.key)
    return done


def _second(model: Model, form: Format, file: str, called: str, written: bytes, done: Trip) -> None:
    second = model.read(form, memory_source(file, written), called, "round trip")
    # A change without a field is one in the order of what has none (attributes of XML, keys of an object).
    changes = [one for one in second.differences.first if one.what != "changed" or one.fields]
    done.second = [f"{one.what} {one.node} {sorted(one.fields)}" for one in changes]
    if not second.errors:
        model.apply(second.version.key)
        again, _ = exported(model.content(called), form)
        if again != written:
            done.second += different(form.name, memory_source(file, written), memory_source(file, again))
    # What the first writing could not say is not there the second time.
    done.second = unexplained(done.second, done.losses)


def exported(content: Content, form: Format) -> tuple[bytes, list[Loss]]:
    """A document as a file, and what it cannot say."""
    out = io.BytesIO()
    losses = form.write(content, out)
    return out.getvalue(), [loss for loss in losses if loss.lost]


def unexplained(differences: list[str], losses: list[Loss]) -> list[str]:
    """Differences that no loss names: a loss explains what begins with its place, one difference each."""
    left, rest = list(losses), []
    for line in differences:
        found = next((loss for loss in left if loss.place and loss.place in line), None)
        if found is None:
            rest.append(line)
        else:
            left.remove(found)
    return rest


# ------------------------------------------------------------ comparing


def different(form: str, first: Source, second: Source) -> list[str]:
    """What the second document says otherwise than the first."""
    return _COMPARED[form](first, second)


def _lines(canonical: Callable[[Source], str]) -> Callable[[Source, Source], list[str]]:
    def compared(first: Source, second: Source) -> list[str]:
        pair = canonical(first).splitlines(), canonical(second).splitlines()
        found = difflib.unified_diff(*pair, lineterm="", n=0) if pair[0] != pair[1] else ()
        return [line for line in found if not line.startswith(("---", "+++", "@@"))]

    return compared


def _aml(source: Source) -> str:
    from hulian.network.exchange.semantics.automationml.canonical import canonical

    with source.open() as opened:
        packed = opened.read(2) == b"PK"
    if not packed:
        return canonical(source)
    with Container(source) as container:
        inside = sorted(container.members)
        return "\n".join(
            f"{member}\n{canonical(container.source(member))}"
            if member.lower().endswith(".aml")
            else f"{member} {len(container.read(member))}"
            for member in inside
            if not member.endswith(_WRITTEN_ANEW)
        )


def _nodeset(first: Source, second: Source) -> list[str]:
    from hulian.network.exchange.semantics.nodeset.canonical import canonical, differences

    return differences(canonical(first), canonical(second))


def _td(source: Source) -> str:
    from hulian.network.exchange.semantics.wot.canonical import canonical

    return msgspec.json.format(canonical(source), indent=1).decode()


def _iml(source: Source) -> str:
    from hulian.network.exchange.semantics.instrumentml.canonical import canonical

    return canonical(source).decode()


def _aas(first: Source, second: Source) -> list[str]:
    """What aas-core reads in both, and every other part of a package with its bytes and relationships."""
    from hulian.network.exchange.semantics.aas.verification import jsonable

    def told(source: Source) -> str:
        return "\n".join(msgspec.json.format(msgspec.json.encode(one), indent=1).decode() for one in jsonable(source))

    found = _lines(told)(first, second)
    parts = _parts(first), _parts(second)
    return found + [f"{key}: {parts[0].get(key)!r}, {parts[1].get(key)!r}" for key in _unequal(*parts)]


def _parts(source: Source) -> dict[str, Any]:
    """Files of a package by path, and who refers to whom how."""
    from hulian.network.exchange.semantics.aas.bends import Bends
    from hulian.network.exchange.semantics.aas.package import read_package

    with source.open() as opened:
        if opened.read(2) != b"PK":
            return {}
        opened.seek(0)
        with zipfile.ZipFile(opened) as archive, Container(source) as container:
            package = read_package(container, Bends([]))
            written = {one.lstrip("/") for one in package.specs}
            files: dict[str, Any] = {
                name: hash(archive.read(name))
                for name in archive.namelist()
                if not name.endswith((*_WRITTEN_ANEW, "/")) and name.lstrip("/") not in written
            }
            said = msgspec.to_builtins(package)["relationships"]
            files["relationships"] = sorted((one["source"], one["type"], one["target"]) for one in said)
            return files


def _unequal(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return sorted(key for key in {*first, *second} if first.get(key) != second.get(key))


_COMPARED: Final[dict[str, Callable[[Source, Source], list[str]]]] = {
    "aml": _lines(_aml),
    "nodeset": _nodeset,
    "aas": _aas,
    "td": _lines(_td),
    "iml": _lines(_iml),
}


# ------------------------------------------------------------ languages in other languages

LANGUAGES: Final = {
    "aml": "AutomationML",
    "nodeset": "OPC UA NodeSet2",
    "aas": "AAS",
    "td": "WoT TD",
    "iml": "InstrumentML",
}
_SHOWN: Final = 4


def pairs() -> str:
    """The table of all pairs of languages: by which rule, and what is lost of the samples and the cases; as Markdown."""
    lines = ["| from | to | by | documents | what they lose |", "|---|---|---|---:|---|"]
    found: dict[tuple[str, str], tuple[int, int, Counter[str]]] = {}
    for name, path in documents():
        form = known(path)
        if form is None or not name.startswith(("samples/", "cases/instrumentml/")):
            continue
        content = Collected(*form.read(file_source(path), "doc", []))
        for target in LANGUAGES:
            if target != form.name:
                count, refused, whys = found.setdefault((form.name, target), (0, 0, Counter()))
                try:
                    _, losses = exported(content, format_named("aasx" if target == "aas" else target))
                    whys.update(loss.why.partition(": ")[0].partition("; ")[0] for loss in losses)
                except TranslationError:
                    refused += 1
                found[form.name, target] = count + 1, refused, whys
    for source in LANGUAGES:
        for target in LANGUAGES:
            if source != target:
                count, refused, whys = found.get((source, target), (0, 0, Counter()))
                pair = PAIRS.get((_ROOMS[source], _ROOMS[target]))
                kinds = [f"{why} ({number})" for why, number in whys.most_common(_SHOWN)]
                more = len(whys) - len(kinds)
                told = "; ".join(kinds) + (f"; {more} more kinds" if more > 0 else "") or "nothing"
                files = f"{count}" + (f", {refused} refused" if refused else "")
                rule = pair.standard if pair is not None else "the general mapping"
                lines.append(f"| {LANGUAGES[source]} | {LANGUAGES[target]} | {rule} | {files} | {told} |")
    return "\n".join(lines) + "\n"


_ROOMS: Final = {"aml": "automationml", "nodeset": "nodeset", "aas": "aas", "td": "wot", "iml": "instrumentml"}
