"""``hulian dictionary``: what words mean, and what a raw tag may mean."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit, table
from hulian.cli.trail import record

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.network.exchange.semantics.dictionary import Dictionaries, Found
    from hulian.registry import Registry

__all__ = [
    "dictionary_confirm",
    "dictionary_diff",
    "dictionary_import",
    "dictionary_list",
    "dictionary_remove",
    "dictionary_search",
    "dictionary_show",
    "dictionary_suggest",
    "dictionary_units",
]

Language = Annotated[str, Parameter(help="language of names, e.g. en, zh, de")]


@contextmanager
def _dictionaries(config: Path | None) -> Iterator[tuple[Registry, Dictionaries]]:
    with _opened(read_configuration(config)) as opened:
        yield opened


@contextmanager
def _opened(configuration: Configuration) -> Iterator[tuple[Registry, Dictionaries]]:
    from hulian.assembly.preparation import open_registry
    from hulian.network.exchange.semantics.together import Semantics

    Path(configuration.node.data).mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = open_registry(configuration)
    try:
        yield registry, Semantics(registry).dictionaries
    finally:
        registry.close()


def dictionary_import(
    file: Annotated[
        Path, Parameter(help="ECLASS XML, a parcel of IEC CDD (.csv, .xlsx), your own (.json, .csv), or a .zip of them")
    ],
    /,
    *,
    name: Annotated[str, Parameter(help="short name of the dictionary; the file's name otherwise")] = "",
    label: Annotated[str, Parameter(help="what this release is called, e.g. 14.0")] = "",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Take a dictionary, or a new release of one: what is new, changed and gone is told, and nothing else is written.

    Examples:

        hulian dictionary import eclass.xml --name eclass --label 14.0
        hulian dictionary import plant.csv
    """
    from hulian.network.exchange.semantics.contract import Loss
    from hulian.network.exchange.semantics.dictionary import Header
    from hulian.network.exchange.semantics.dictionary.reading import read_dictionary
    from hulian.network.exchange.semantics.documents import file_source

    losses: list[Loss] = []
    header = Header(name=name or file.name.split(".")[0].lower(), label=label)
    source = file_source(file)
    configuration = read_configuration(config)
    with _opened(configuration) as (registry, dictionaries):
        taken = dictionaries.take(header, read_dictionary(source, header, losses), by=getpass.getuser())
        details = {"file": file.name, "label": label, "release": taken.release}
        record(configuration, registry, "MODEL_WRITE", f"dictionary:{header.name}", "dictionary import", **details)
    if json:
        emit({"dictionary": header.name, "taken": taken, "losses": losses})
        return
    print(f"{header.name}, release {taken.release}: {taken.added} new, {taken.changed} changed, {taken.removed} gone, ", end="")
    print(f"{taken.unchanged} as before")
    for identifier in taken.repeated:
        print(f"  more than once in the document, the first counts: {identifier}")
    for loss in losses[:12]:
        print(f"  not taken: {loss.what}: {loss.why} ({loss.place})")
    if len(losses) > 12:
        print(f"  … and {len(losses) - 12} more; --json has all")


def dictionary_list(
    name: Annotated[str, Parameter(help="the releases of this one")] = "", /, *, config: ConfigFile = None, json: Json = False
) -> None:
    """List the dictionaries that are here, or the releases of one.

    Examples:

        hulian dictionary list
        hulian dictionary list eclass --json
    """
    with _dictionaries(config) as (_, dictionaries):
        found: list[Any] = list(dictionaries.releases(name) if name else dictionaries.shelf())
    if json:
        emit(found)
        return
    rows = [
        {
            "release": item.release,
            "label": item.label,
            "concepts": item.total,
            "taken": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(item.taken / 1e9)),
            "by": item.by,
        }
        if name
        else {
            "dictionary": item.name,
            "title": item.title,
            "release": item.release,
            "concepts": item.total,
            "licence": item.licence,
        }
        for item in found
    ]
    table(rows, list(rows[0]) if rows else [], empty="There is no dictionary here. Take one with 'hulian dictionary import'.")


def _rows(found: list[Found], language: str) -> list[dict[str, Any]]:
    return [
        {
            "concept": item.entry.identifier,
            "kind": item.entry.kind.name.lower().replace("_", "-"),
            "name": item.entry.name(language),
            "unit": item.entry.unit,
            "dictionary": item.dictionary,
        }
        for item in found
    ]


def dictionary_search(
    words: Annotated[str, Parameter(help="words, in any language")],
    /,
    *,
    name: Annotated[str, Parameter(help="in this dictionary only")] = "",
    language: Language = "",
    limit: Annotated[int, Parameter(help="most concepts to show")] = 20,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Find concepts by words; 1 where there is none.

    Examples:

        hulian dictionary search "outlet pressure"
        hulian dictionary search 压力 --language zh
    """
    with _dictionaries(config) as (_, dictionaries):
        found = dictionaries.find(words, name=name, limit=limit)
    if json:
        emit(found)
    else:
        table(
            _rows(found, language), ["concept", "kind", "name", "unit", "dictionary"], empty="No concept has all these words."
        )
    return 0 if found else 1


def dictionary_show(
    concept: Annotated[str, Parameter(help="identifier, in any spelling")],
    /,
    *,
    language: Language = "",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show a concept: its definition, and the properties or values that it has.

    Examples:

        hulian dictionary show hulian:pressure
        hulian dictionary show 0173-1#02-AAO677#002 --language de
    """
    from hulian.network.exchange.semantics.dictionary import Kind

    with _dictionaries(config) as (_, dictionaries):
        found = dictionaries.get(concept)
        entry = found.entry
        below = dictionaries.properties_of(entry.identifier) if entry.kind is Kind.CLASS else []
        values = dictionaries.values_of(entry.identifier) if entry.value_list or entry.values else []
    if json:
        emit({"concept": found, "properties": below, "values": values})
        return
    print(f"{entry.name(language)}  {entry.identifier}  ({entry.kind.name.lower()}, {found.dictionary})")
    for said in (entry.text(entry.definitions, language), entry.datatype, entry.unit):
        if said:
            print(f"  {said}")
    if entry.deprecated:
        print(f"  no longer to be used{f'; instead: {entry.replaced_by}' if entry.replaced_by else ''}")
    for title, items in (("properties", below), ("values", values)):
        if items:
            print(f"  {title}:")
        for item in items:
            print(f"    {item.entry.value or item.entry.identifier}  {item.entry.name(language)}")


def dictionary_suggest(
    tags: Annotated[list[str] | None, Parameter(help="raw tags, e.g. PT_101.PV; the live points where none is named")] = None,
    /,
    *,
    connector: Annotated[str, Parameter(help="the live points of this connection")] = "",
    thing: Annotated[str, Parameter(help="the live points of this thing, e.g. 99.118.8/pump")] = "",
    every: Annotated[bool, Parameter(name="--all", help="also points that have a meaning", negative="")] = False,
    limit: Annotated[int, Parameter(help="most live points to show")] = 50,
    unit: Annotated[str, Parameter(help="unit of the tags")] = "",
    path: Annotated[str, Parameter(help="place of the tags in the plant, e.g. line 2/boiler")] = "",
    language: Language = "",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """What raw tags or live points may mean, the best first, with reasons. 'hulian dictionary confirm' says which it is.

    Examples:

        hulian dictionary suggest PT_101.PV TIC205.SP
        hulian dictionary suggest FL_07 --unit m3/h --path "line 2/cooling"
        hulian dictionary suggest --connector boiler
    """
    from hulian.cli.matching import shown, suggest_live
    from hulian.network.exchange.semantics.dictionary.suggesting import Suggester
    from hulian.network.exchange.semantics.dictionary.tags import RawTag

    if not tags:
        suggest_live(config, connector=connector, thing=thing, every=every, language=language, limit=max(1, limit), json=json)
        return
    if connector or thing:
        raise CommandError("tags and live points cannot be asked for together", place=tags[0], hint="leave one of them out")
    raws = [RawTag(tag=tag, unit=unit, path=path) for tag in tags]
    with _dictionaries(config) as (registry, dictionaries):
        found = Suggester(registry, dictionaries).suggest_all(raws, language=language)
    if json:
        emit([{"tag": tag, "suggestions": suggestions} for tag, suggestions in zip(tags, found, strict=True)])
        return
    for tag, suggestions in zip(tags, found, strict=True):
        print(tag if suggestions else f"{tag}: nothing is known of it")
        for one in suggestions:
            print(shown(one))


def dictionary_confirm(
    tag: Annotated[str, Parameter(help="the raw tag, or the name of a live point: 99.118.8/pump#pressure")] = "",
    concept: Annotated[str, Parameter(help="identifier of what it means; empty takes the confirmation back")] = "",
    /,
    *,
    none: Annotated[bool, Parameter(help="the live point means nothing that is known", negative="")] = False,
    above: Annotated[
        float | None, Parameter(help="confirm the best suggestion of every live point with at least this score, e.g. 0.8")
    ] = None,
    connector: Annotated[str, Parameter(help="with --above: of this connection only")] = "",
    thing: Annotated[str, Parameter(help="with --above: of this thing only")] = "",
    dry_run: Annotated[bool, Parameter(help="with --above: say what would be confirmed", negative="")] = False,
    aspect: Annotated[Literal["quantity", "role", "property"], Parameter(help="what of a tag is confirmed")] = "quantity",
    unit: Annotated[str, Parameter(help="unit of the tag")] = "",
    path: Annotated[str, Parameter(help="place of the tag in the plant")] = "",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Say what a tag or a live point means. Suggestions for others like it are ranked by what was confirmed.

    What is said of a live point is also noted in the information model: 'hulian model find' finds it by its meaning.

    Examples:

        hulian dictionary confirm PT_101.PV hulian:pressure
        hulian dictionary confirm PT_101.PV hulian:measured-value --aspect role
        hulian dictionary confirm 99.118.8/pump#pressure hulian:pressure
        hulian dictionary confirm --above 0.8 --connector boiler --dry-run
    """
    from hulian.cli.matching import confirm_point, confirm_sure
    from hulian.network.exchange.semantics.dictionary.suggesting import Suggester
    from hulian.network.exchange.semantics.dictionary.tags import RawTag

    if bool(tag) == (above is not None):
        raise CommandError("neither a tag nor a score is named, or both", place="confirm", hint="name a tag, or --above 0.8")
    if above is not None:
        confirm_sure(config, connector=connector, thing=thing, score=above, dry_run=dry_run, json=json)
        return
    if "/" in tag and "#" in tag:
        confirm_point(config, tag, concept, none=none)
        return
    configuration = read_configuration(config)
    with _opened(configuration) as (registry, dictionaries):
        suggester = Suggester(registry, dictionaries)
        told = partial(record, configuration, registry, "MODEL_WRITE", f"tag:{tag}")
        if concept:
            suggester.confirm(RawTag(tag=tag, unit=unit, path=path), concept, aspect, by=getpass.getuser())
            told("confirmed", concept=concept, aspect=aspect)
            print(f"{tag}: its {aspect} is {concept}")
        elif suggester.retract(tag, aspect):
            told("taken back", aspect=aspect)
            print(f"{tag}: what was confirmed of its {aspect} is taken back")
        else:
            raise CommandError(
                "nothing was confirmed of it", place=tag, hint="name the tag as it was confirmed, and the aspect"
            )


def dictionary_diff(
    name: Annotated[str, Parameter(help="name of the dictionary")],
    older: Annotated[int, Parameter(help="number of a release")],
    newer: Annotated[int | None, Parameter(help="a later one; the newest otherwise")] = None,
    /,
    *,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """What differs between two releases of a dictionary; 1 where anything does.

    Examples:

        hulian dictionary diff plant 1
    """
    with _dictionaries(config) as (_, dictionaries):
        found = dictionaries.difference(name, older, newer)
    if json:
        emit(found)
    else:
        for what, entries in (("added", found.added), ("removed", found.removed)):
            for entry in entries:
                print(f"{what:<8} {entry.identifier}  {entry.name()}")
        for change in found.changed:
            fields = "; ".join(f"{field}: {was!r} → {now!r}" for field, (was, now) in change.fields.items())
            print(f"changed  {change.newer.identifier}  {fields}")
    return 1 if found.added or found.removed or found.changed else 0


def dictionary_remove(name: Annotated[str, Parameter(help="name of the dictionary")], /, *, config: ConfigFile = None) -> None:
    """Remove a dictionary with all its releases. What was confirmed stays.

    Examples:

        hulian dictionary remove plant
    """
    configuration = read_configuration(config)
    with _opened(configuration) as (registry, dictionaries):
        dictionaries.remove(name)
        record(configuration, registry, "MODEL_WRITE", f"dictionary:{name}", "dictionary remove")
        print(f"{name} is removed")


def dictionary_units(
    unit: Annotated[str, Parameter(help="a unit in any spelling: UNECE, UCUM, IRDI, QUDT, symbol")],
    to: Annotated[str, Parameter(help="another unit")] = "",
    value: Annotated[float, Parameter(help="number to convert")] = 1.0,
    /,
    *,
    json: Json = False,
) -> None:
    """Every name of a unit, or a number in another unit.

    Examples:

        hulian dictionary units bar
        hulian dictionary units degC K 21.5
    """
    import msgspec

    from hulian.network.exchange.semantics.units import convert, find

    if not to:
        found = find(unit)
        if json:
            emit(found)
            return
        for field, said in msgspec.to_builtins(found).items():
            text = ", ".join(str(one) for one in said if one) if isinstance(said, (list, tuple)) else str(said)
            if text:
                print(f"{field:<12} {text}")
        return
    result = convert(value, unit, to)
    if json:
        emit({"value": result, "unit": to})
    else:
        print(f"{value:g} {unit} = {result:.12g} {to}")
