"""``hulian model points``: what a document of the model describes becomes connectors and points."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio
from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit
from hulian.cli.trail import record

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.data.catalogue.described import Applied, Described, FieldChange, Preview, Wish
    from hulian.network.exchange.semantics.model import Model
    from hulian.registry import Registry

__all__ = ["described_in", "model_points", "take_points", "tell_applied"]

_SHOWN: Final = 12
Given = list[str] | None


def model_points(
    document: Annotated[str, Parameter(help="name of a document of the model")],
    /,
    *,
    dry_run: Annotated[bool, Parameter(help="say what would change, and change nothing", negative="")] = False,
    only: Annotated[Given, Parameter(help="these points only, by name or id of their node; repeatable", negative="")] = None,
    overwrite: Annotated[
        Given, Parameter(help="points (or '*') for which the description counts more than what a person set", negative="")
    ] = None,
    use: Annotated[Given, Parameter(help="CONNECTOR=NAME: use or make the connector NAME instead", negative="")] = None,
    url: Annotated[Given, Parameter(help="CONNECTOR=URL: where the device is", negative="")] = None,
    set_: Annotated[Given, Parameter(name="--set", help="CONNECTOR.KEY=VALUE: a setting of a connector", negative="")] = None,
    user: Annotated[Given, Parameter(help="CONNECTOR=USER", negative="")] = None,
    password: Annotated[Given, Parameter(help="CONNECTOR=REFERENCE: secret:NAME, env:NAME or file:PATH", negative="")] = None,
    leave: Annotated[Given, Parameter(help="CONNECTOR: neither it nor its points; repeatable", negative="")] = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Make connectors and points of what a document describes: addresses, units, ranges, texts, what their values mean.

    Doing it again after a new version of the document takes over what the description changed. What a person has set since
    stays, and is told. Each property of the document is bound to its point. A running platform follows at once.

    Examples:

        hulian model points tennessee-eastman --dry-run
        hulian model points line2 --url pump-17=opc.tcp://10.0.0.8:4840 --user pump-17=reader --password pump-17=secret:pump
        hulian model points line2 --overwrite '99.118.8/pump-17#outlet.pressure'
    """
    configuration = read_configuration(config)
    wish = _wish(only, overwrite, use, url, set_, user, password, leave)
    with _opened(configuration) as (described, registry):
        found = described.preview(document, wish)
        if dry_run:
            emit(found) if json else _show(found)
            return
        done = described.apply(document, getpass.getuser(), wish, digest=found.digest)
        _record(configuration, registry, done)
    _after(configuration, done, found, json=json)


def take_points(configuration: Configuration, registry: Registry, model: Model, document: str) -> tuple[Applied, Preview]:
    """The same for a document that was just imported, with nothing chosen. The edge is not told yet."""
    described = described_in(configuration, registry, model)
    found = described.preview(document)
    done = described.apply(document, getpass.getuser(), digest=found.digest)
    _record(configuration, registry, done)
    return done, found


def _record(configuration: Configuration, registry: Registry, done: Applied) -> None:
    """The document, and each connector that is another one now: as the platform's own interface records them."""
    details = {"version": done.version, "bound": done.bound}
    record(configuration, registry, "MODEL_WRITE", done.document, "points of a document", **details)
    for did, names in (("added", done.connectors_added), ("changed", done.connectors_changed)):
        for name in names:
            record(configuration, registry, "CONNECTORS_WRITE", f"connector:{name}", did, document=done.document)


def described_in(configuration: Configuration, registry: Registry, model: Model) -> Described:
    """What the documents of ``model`` mean for the catalogue of this node."""
    from hulian.data.catalogue import Catalogue
    from hulian.data.catalogue.described import Described
    from hulian.platform.edge.protocols import check_connection, check_options

    return Described(
        Catalogue(registry, configuration.node.organisation),
        model,
        prefix=configuration.node.prefix,
        check_connector=check_connection,
        check_options=check_options,
    )


@contextmanager
def _opened(configuration: Configuration) -> Iterator[tuple[Described, Registry]]:
    from hulian.assembly.preparation import open_registry
    from hulian.network.exchange.semantics.together import Semantics

    Path(configuration.node.data).mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = open_registry(configuration)
    semantics = Semantics(registry)
    try:
        yield described_in(configuration, registry, semantics.model), registry
    finally:
        semantics.close()
        registry.close()


def _after(configuration: Configuration, done: Applied, found: Preview, *, json: bool) -> None:
    from hulian.cli.catalogue import follow

    if done.connectors:
        anyio.run(follow, configuration)
    if json:
        emit(done)
    else:
        tell_applied(done, found)


# -- what a person chose -----------------------------------------------------------------------------------------------


def _wish(
    only: Given, overwrite: Given, use: Given, url: Given, settings: Given, user: Given, password: Given, leave: Given
) -> Wish:
    from hulian.data.catalogue.described import Choice, Wish

    chosen: dict[str, dict[str, Any]] = {}
    for field, given in (("name", use), ("url", url)):
        for connector, value in _pairs(given):
            chosen.setdefault(connector, {})[field] = value
    for field, given in (("user", user), ("password", password)):
        for connector, value in _pairs(given):
            chosen.setdefault(connector, {}).setdefault("credentials", {})[field] = value
    for place, value in _pairs(settings):
        connector, dot, key = place.rpartition(".")
        if not dot:
            raise CommandError(f"{place!r} names no setting of a connector", hint="write it as --set CONNECTOR.KEY=VALUE")
        chosen.setdefault(connector, {}).setdefault("settings", {})[key] = _value(value)
    for connector in leave or ():
        chosen.setdefault(connector, {})["leave"] = True
    return Wish(
        connectors={name: Choice(**fields) for name, fields in chosen.items()},
        points=None if only is None else frozenset(only),
        overwrite=frozenset(overwrite or ()),
    )


def _pairs(given: Given) -> Iterator[tuple[str, str]]:
    for item in given or ():
        name, mark, value = item.partition("=")
        if not mark or not name:
            raise CommandError(f"{item!r} is no choice", hint="write it as CONNECTOR=VALUE")
        yield name, value


def _value(text: str) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


# -- what a person sees ------------------------------------------------------------------------------------------------


def _show(found: Preview) -> None:
    print(f"{found.document}: {found.added} points would be added, {found.changed} changed, {found.same} are as described")
    for connector in found.connectors:
        print(f"  {connector.change:<8} connector {connector.name}: {connector.points} points from {connector.url or '?'}")
        _fields(connector.fields, connector.kept)
        for text in connector.missing:
            print(f"             missing: {text}")
    shown = [point for point in found.points if point.change != "same" or point.kept]
    for point in shown[:_SHOWN]:
        print(f"  {point.change:<8} {point.name}  {point.address}")
        _fields(() if point.change == "added" else point.fields, point.kept)
        for text in point.missing:
            print(f"             {text}")
    if len(shown) > _SHOWN:
        print(f"  … and {len(shown) - _SHOWN} more; --json has all")
    _rest(found)


def tell_applied(done: Applied, found: Preview) -> None:
    """What was done, and what a person still has to say or may want to know."""
    counts = done.points
    print(
        f"{done.document}: {counts.added} points added, {counts.changed} changed, {counts.unchanged + found.same} as described"
    )
    for name in done.connectors_added:
        print(f"  added    connector {name}")
    for name in done.connectors_changed:
        print(f"  changed  connector {name}")
    for point in [one for one in found.points if one.kept][:_SHOWN]:
        print(f"  kept     {point.name}")
        _fields((), point.kept)
    for left in [one for one in found.points if one.change == "left"][:_SHOWN]:
        print(f"  left     {left.name}: {left.missing[0] if left.missing else ''}")
    for connector in found.connectors:
        for text in connector.missing:
            print(f"  missing  {connector.name}: {text}")
    _rest(found)


def _rest(found: Preview) -> None:
    if found.gone:
        print(f"  no longer described, and still there: {', '.join(found.gone[:_SHOWN])}")
    for gap in found.missing[:_SHOWN]:
        print(f"  noticed  {gap.what} ({gap.place})")


def _fields(changed: Sequence[FieldChange], kept: Sequence[FieldChange]) -> None:
    for change in changed:
        print(f"             {change.field}: {_short(change.old)} → {_short(change.new)}")
    for change in kept:
        print(f"             {change.field}: {_short(change.old)} stays, a person set it; described is {_short(change.new)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
