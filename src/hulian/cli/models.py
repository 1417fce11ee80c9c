"""``hulian model``: documents that describe the plant, and questions about what they say."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit, table
from hulian.cli.trail import record

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.data.catalogue.described import Applied, Preview
    from hulian.network.exchange.semantics.contract import Loss
    from hulian.network.exchange.semantics.model import Import, Model, Version
    from hulian.registry import Registry

__all__ = [
    "model_bind",
    "model_diff",
    "model_documents",
    "model_export",
    "model_find",
    "model_import",
    "model_remove",
    "model_sparql",
    "model_validate",
]

_SHOWN: Final = 12
Name = Annotated[str, Parameter(help="name of the document in the model; its file's name otherwise")]
FormatName = Annotated[str, Parameter(name="--format", help="format of the file; told by its content otherwise")]


@contextmanager
def _model(config: Path | None) -> Iterator[Model]:
    with _opened(read_configuration(config)) as (model, _):
        yield model


@contextmanager
def _opened(configuration: Configuration) -> Iterator[tuple[Model, Registry]]:
    from hulian.assembly.preparation import open_registry
    from hulian.network.exchange.semantics.together import Semantics

    Path(configuration.node.data).mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = open_registry(configuration)
    semantics = Semantics(registry)
    try:
        yield semantics.model, registry
    finally:
        semantics.close()
        registry.close()


def model_import(
    files: Annotated[list[Path], Parameter(help="documents, in the order in which they stand on each other")],
    /,
    *,
    name: Name = "",
    form: FormatName = "",
    points: Annotated[bool, Parameter(help="make connectors and points of what they describe, too", negative="")] = False,
    dry_run: Annotated[bool, Parameter(help="say what would change, and change nothing", negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Read documents into the information model: what they change, what cannot be kept, what is wrong with them.

    Files that a document refers to are read with it where they stand beside it or in a folder below.
    A document that is imported again replaces its earlier version, which is kept; what people noted on its nodes stays.
    A document with errors changes nothing. The status is 1 then.

    Examples:

        hulian model import plant.aml
        hulian model import plant.aml --dry-run
        hulian model import plant.aml --points
        hulian model import Opc.Ua.Di.NodeSet2.xml Opc.Ua.Machinery.NodeSet2.xml
    """
    if name and len(files) > 1:
        raise CommandError("--name is for one file", place=name, hint="import them one by one")
    if points and dry_run:
        raise CommandError(
            "--points needs what --dry-run does not import", hint="import it, then 'hulian model points … --dry-run'"
        )
    told, status = [], 0
    configuration = read_configuration(config)
    taken: list[tuple[Applied, Preview]] = []
    with _opened(configuration) as (model, registry):
        model.clear(older_than=time.time_ns() - 86_400 * 10**9)
        for file in files:
            found = _read(model, file, name, form, quiet=json)
            try:
                if found.errors:
                    status = 1
                elif not dry_run:
                    applied = model.apply(found.version.key)
                    record(
                        configuration, registry, "MODEL_WRITE", applied.document.name, "apply",
                        version=applied.key, nodes=applied.nodes,
                    )  # fmt: skip
            finally:
                if dry_run or found.errors:
                    model.discard(found.version.key)
            told.append(_shown(found, applied=not (dry_run or found.errors)))
            if not json:
                _tell(found, file, dry_run=dry_run)
            if points and not found.errors:
                from hulian.cli.described import take_points

                taken.append(take_points(configuration, registry, model, found.version.document.name))
                told[-1]["points"] = taken[-1][0]
    _tell_points(configuration, taken, quiet=json)
    if json:
        emit(told)
    return status


def _tell_points(configuration: Configuration, taken: list[tuple[Applied, Preview]], *, quiet: bool) -> None:
    """Tells the edge of new connectors and points, once for all documents, and the person what they are."""
    if not taken:
        return
    import anyio

    from hulian.cli.catalogue import follow
    from hulian.cli.described import tell_applied

    if any(done.connectors for done, _ in taken):
        anyio.run(follow, configuration)
    for done, found in taken:
        if not quiet:
            tell_applied(done, found)


def _read(model: Model, file: Path, name: str, form: str, *, quiet: bool) -> Import:
    from hulian.network.exchange.semantics.documents import Siblings, file_source
    from hulian.network.exchange.semantics.formats import document_name, format_named, format_of

    source = file_source(file, _meter(file, quiet=quiet))
    source.siblings = Siblings(file)
    chosen = format_named(form) if form else format_of(source)
    return model.read(chosen, source, name or document_name(file, chosen), getpass.getuser())


def _meter(file: Path, *, quiet: bool) -> Callable[[int], None]:
    if quiet or not sys.stderr.isatty():
        return lambda read: None
    size = max(file.stat().st_size, 1) if file.exists() else 1

    def shown(read: int) -> None:
        done = min(100, read * 100 // size)
        print(f"\r  {file.name}: {done:3d} %", end="" if read < size else "\r\033[K", file=sys.stderr, flush=True)

    return shown


def _shown(found: Import, *, applied: bool) -> dict[str, Any]:
    return {
        "document": found.version.document.name,
        "format": found.version.document.format,
        "version": found.version.key if applied else None,
        "nodes": found.version.nodes,
        "references": found.version.references,
        "differences": found.differences,
        "findings": found.findings,
        "losses": found.version.losses,
        "notes_left": found.orphans,
        "applied": applied,
    }


def _tell(found: Import, file: Path, *, dry_run: bool) -> None:
    version, changes = found.version, found.differences
    what = "would be imported" if dry_run else "is not imported" if found.errors else "imported"
    print(f"{file.name}: {version.document.format}, {version.nodes:,} nodes, {version.references:,} references: {what}")
    print(f"  {changes.added:,} added, {changes.changed:,} changed, {changes.removed:,} removed, {changes.same:,} as before")
    for change in changes.first[:_SHOWN]:
        fields = "; ".join(f"{name}: {was!r} → {now!r}" for name, (was, now) in change.fields.items())
        print(f"    {change.what:<8} {change.name}  {fields}".rstrip())
    _more(len(changes.first))
    for finding in found.findings[:_SHOWN]:
        print(f"  {finding.severity}: {finding.message} ({finding.node})")
    _more(len(found.findings))
    _losses([loss for loss in version.losses if loss.lost], "cannot be kept")
    _losses([loss for loss in version.losses if not loss.lost], "noticed")
    if found.orphans:
        print(f"  {found.orphans} notes are on nodes that are not there any more; they are kept")


def _losses(losses: list[Loss], title: str) -> None:
    if losses:
        print(f"  {title}:")
    for loss in losses[:_SHOWN]:
        print(f"    {loss.what}: {loss.why} ({loss.place})")
    _more(len(losses))


def _more(count: int) -> None:
    if count > _SHOWN:
        print(f"    … and {count - _SHOWN} more; --json has all that are kept")


def model_validate(
    files: Annotated[list[Path], Parameter(help="documents")],
    /,
    *,
    name: Name = "",
    form: FormatName = "",
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Check documents against the rules of their format and against the model, and change nothing; 1 where one is wrong.

    Examples:

        hulian model validate plant.aml
    """
    return model_import(files, name=name, form=form, dry_run=True, config=config, json=json)


def model_export(
    document: Annotated[str, Parameter(help="name of the document in the model")],
    file: Annotated[Path | None, Parameter(help="where to; standard output otherwise")] = None,
    /,
    *,
    form: Annotated[str, Parameter(name="--as", help="format to write; the document's own otherwise")] = "",
    config: ConfigFile = None,
) -> int:
    """Write a document of the model, in its own format or another one. What the format cannot say is listed.

    Examples:

        hulian model export plant plant.aml
        hulian model export plant plant.jsonl --as hulian
    """
    from hulian.network.exchange.semantics.formats import format_named

    with _model(config) as model:
        content = model.content(document)
        chosen = format_named(form or content.document.format)
        if file is None:
            losses = chosen.write(content, sys.stdout.buffer)
        else:
            partial = file.with_name(file.name + ".part")
            try:
                with partial.open("wb") as out:
                    losses = chosen.write(content, out)
                partial.replace(file)
            except OSError as error:
                raise CommandError(f"cannot write: {error.strerror}", place=str(file), hint="name another file") from error
            finally:
                partial.unlink(missing_ok=True)
    for loss in losses[:_SHOWN]:
        print(f"not written: {loss.what}: {loss.why} ({loss.place})", file=sys.stderr)
    if len(losses) > _SHOWN:
        print(f"… and {len(losses) - _SHOWN} more", file=sys.stderr)
    return 0


def model_documents(
    document: Annotated[str, Parameter(help="all kept versions of this one")] = "",
    /,
    *,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the documents of the model, or the versions of one.

    Examples:

        hulian model documents
        hulian model documents plant --json
    """
    with _model(config) as model:
        found = model.history(document) if document else model.documents()
    if json:
        emit(found)
        return
    rows = [_row(version) for version in found]
    table(rows, list(rows[0]) if rows else [], empty="There is no document here. Import one with 'hulian model import'.")


def _row(version: Version) -> dict[str, Any]:
    return {
        "document": version.document.name,
        "version": version.key,
        "current": "yes" if version.current else "",
        "format": version.document.version or version.document.format,
        "nodes": version.nodes,
        "by": version.who,
        "imported": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(version.made / 1e9)),
    }


def model_diff(
    document: Annotated[str, Parameter(help="name of the document")],
    old: Annotated[int | None, Parameter(help="an earlier version; the one before the current otherwise")] = None,
    new: Annotated[int | None, Parameter(help="a later version; the current otherwise")] = None,
    /,
    *,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """What differs between two versions of a document, field by field; 1 where anything does.

    Examples:

        hulian model diff plant
        hulian model diff plant 3 7 --json
    """
    with _model(config) as model:
        versions = model.history(document)
        if not versions:
            raise CommandError("no version of it is kept", place=document, hint="hulian model documents")
        keys = [version.key for version in versions]
        current = next((version.key for version in versions if version.current), keys[0])
        new = current if new is None else new
        earlier = [key for key in keys if key < new]
        old = (earlier[0] if earlier else new) if old is None else old
        for key in (old, new):
            if key not in keys:
                raise CommandError(f"there is no version {key}", place=document, hint=f"kept: {', '.join(map(str, keys))}")
        found = model.differences(old, new)
    if json:
        emit({"document": document, "old": old, "new": new, "differences": found})
    else:
        print(f"{document}, version {old} to {new}: {found.added} added, {found.changed} changed, {found.removed} removed")
        for change in found.first:
            fields = "; ".join(f"{name}: {was!r} → {now!r}" for name, (was, now) in change.fields.items())
            print(f"  {change.what:<8} {change.node}  {fields}".rstrip())
    return 0 if found.none else 1


def model_find(
    meaning: Annotated[str, Parameter(help="identifier of a concept (IRDI or URI), or words of the dictionary")] = "",
    /,
    *,
    of: Annotated[str, Parameter(help="meaning, type or name of the thing that it belongs to")] = "",
    inside: Annotated[str, Parameter(name="--in", help="name or path of what it stands under")] = "",
    unit: Annotated[str, Parameter(help="unit that is wanted; other dimensions are left out")] = "",
    name: Annotated[str, Parameter(help="name of the node")] = "",
    kind: Annotated[str, Parameter(help="object, property, operation, event, …")] = "",
    type_: Annotated[str, Parameter(name="--type", help="name or id of its type, or of one above")] = "",
    document: Annotated[str, Parameter(help="of this document only")] = "",
    limit: Annotated[int, Parameter(help="most nodes to show")] = 100,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Find nodes of the model by what they mean, whatever each device called them; 1 where there is none.

    Examples:

        hulian model find 0112/2///61987#ABA565 --of pump --in "line 2" --unit bar
        hulian model find --type Pump --in "plant/line 2"
    """
    import msgspec

    from hulian.network.exchange.semantics.model import Question

    question = Question(
        meaning=meaning, of=of, inside=inside, unit=unit, name=name, kind=kind, type=type_, document=document, limit=limit
    )
    with _model(config) as model:
        answer = model.find(question)
        others = model.find(msgspec.structs.replace(question, unit="", limit=20)) if unit and not answer.total else None
    if json:
        emit(answer)
    elif others is not None and others.total:
        found = ", ".join(sorted({node.unit or "none" for node in others.nodes}))
        print(f"{others.total} nodes are like that, but their units ({found}) are not of the dimension of {unit}.")
    else:
        rows = [
            {"path": node.path, "value": node.value or "", "unit": node.unit, "point": node.point, "document": node.document}
            for node in answer.nodes
        ]
        table(rows, ["path", "value", "unit", "point", "document"], empty="Nothing in the model is like that.")
        if answer.total > len(rows):
            print(f"{answer.total - len(rows)} more; --limit shows them")
        if meaning and not answer.total:
            print("  → 'hulian dictionary search' finds what words mean; 'hulian model documents' lists what was imported")
    return 0 if answer.total else 1


def model_sparql(
    query: Annotated[str, Parameter(help="the question; '-' reads it from standard input")],
    /,
    *,
    document: Annotated[list[str] | None, Parameter(help="of these documents only; repeatable", negative="")] = None,
    limit: Annotated[int, Parameter(help="most rows")] = 1_000,
    seconds: Annotated[float, Parameter(help="longest time")] = 10.0,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Ask the model in SPARQL. Prefixes hul, rdf, rdfs and xsd are there; see the page on the information model.

    Examples:

        hulian model sparql "SELECT ?n WHERE { ?n hul:unit 'bar' }"
    """
    text = sys.stdin.read() if query == "-" else query
    with _model(config) as model:
        answer = model.sparql(text, documents=document or (), rows=limit, seconds=seconds)
    if json:
        emit(answer)
    else:
        table([dict(zip(answer.names, row, strict=True)) for row in answer.rows], answer.names, empty="No row.")
        if answer.more:
            print("there are more; --limit shows them")
    return 0 if answer.rows else 1


def model_bind(
    node: Annotated[str, Parameter(help="id of a node")],
    value: Annotated[str, Parameter(help="what it is bound to; empty takes it back")],
    /,
    *,
    field: Annotated[str, Parameter(help="point, identifier, meaning, unit or label")] = "point",
    config: ConfigFile = None,
) -> None:
    """Note on a node which live point it is, its registered identifier, what it means, its unit, or what people call it.

    Examples:

        hulian model bind "line2/{GUID}" "99.118.8/pump-17#outlet.pressure"
        hulian model bind "line2/{GUID}" "0112/2///61987#ABA565" --field meaning
    """
    from hulian.network.exchange.semantics.model import Note

    configuration = read_configuration(config)
    with _opened(configuration) as (model, registry):
        model.note([Note(node, field, value, getpass.getuser())])
        did = "noted" if value else "taken back"
        record(configuration, registry, "MODEL_WRITE", f"node:{node}", did, field=field, value=value[:500])
        print(f"{node}: {field} is {value}" if value else f"{node}: {field} is taken back")


def model_remove(document: Annotated[str, Parameter(help="name of the document")], /, *, config: ConfigFile = None) -> None:
    """Take a document out of the model. Its versions and what people noted are kept; importing it again brings all back.

    Examples:

        hulian model remove plant
    """
    configuration = read_configuration(config)
    with _opened(configuration) as (model, registry):
        model.remove(document)
        record(configuration, registry, "MODEL_WRITE", document, "remove")
        print(f"{document} is no longer part of the model")
