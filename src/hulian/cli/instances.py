"""``hulian model match``: instances of the model's types on a live OPC UA server."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit
from hulian.cli.trail import record

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.network.exchange.semantics.model import Model
    from hulian.network.exchange.semantics.nodeset.declared import Types
    from hulian.network.exchange.semantics.nodeset.matching import Match, Report
    from hulian.registry import Registry

__all__ = ["model_match"]

_SHOWN = 20


def model_match(
    type_: Annotated[str, Parameter(name="TYPE", help="id or name of a type that a NodeSet of the model defines")],
    connector: Annotated[str, Parameter(help="connector of the server; its login and its certificates are used")],
    /,
    *,
    name: Annotated[str, Parameter(name="--as", help="document that is made; CONNECTOR-TYPE otherwise")] = "",
    under: Annotated[str, Parameter(help="address where the search begins; the Objects folder otherwise")] = "i=85",
    most: Annotated[int, Parameter(help="most nodes of the server to visit")] = 100_000,
    dry_run: Annotated[bool, Parameter(help="say what is there, and change nothing", negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Find instances of a companion type on a live server, by browse path, and take them into the model.

    Every member that the type declares becomes a node that means what the type says; one that a point of the connector reads
    is that live point. What an instance lacks is told. The status is 1 where there is no instance.

    Examples:

        hulian model import Opc.Ua.Di.NodeSet2.xml Opc.Ua.Machinery.NodeSet2.xml
        hulian model match MachineIdentificationType press
        hulian model match "nsu=http://opcfoundation.org/UA/Machinery/;i=1012" press --dry-run --json
    """
    from hulian.assembly.preparation import open_registry
    from hulian.network.exchange.semantics.together import Semantics

    configuration = read_configuration(config)
    registry = open_registry(configuration)
    semantics = Semantics(registry)
    try:
        types = _types(semantics.model)
        wanted = _wanted(types, type_)
        report = _search(configuration, registry, connector, types, wanted, under, most)
        document = name or f"{connector}-{types.name(wanted)}"
        if report.matches and not dry_run:
            _take(configuration, registry, semantics.model, document, connector, report)
        points = _bound(configuration, registry, connector)
    finally:
        semantics.close()
        registry.close()
    if json:
        emit(_shown(document, wanted, report, points, applied=bool(report.matches) and not dry_run))
    else:
        _tell(document, types, wanted, report, points, dry_run=dry_run)
    return 0 if report.matches else 1


def _types(model: Model) -> Types:
    from hulian.network.exchange.semantics.nodeset import FORMAT
    from hulian.network.exchange.semantics.nodeset.declared import Types

    return Types(
        model.content(version.document.name) for version in model.documents() if version.document.format == FORMAT.name
    )


def _wanted(types: Types, text: str) -> str:
    if text in types:
        return text
    found = types.named(text)
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(f"{len(found)} types are called so", place=text, hint=f"name one by its id: {', '.join(found[:5])}")
    raise CommandError("no type of the model is called so", place=text, hint="import its NodeSet first: hulian model import")


def _search(
    configuration: Configuration, registry: Registry, connector: str, types: Types, wanted: str, under: str, most: int
) -> Report:
    from hulian.assembly.plant import CataloguePlant
    from hulian.assembly.preparation import open_trust
    from hulian.data.catalogue import Catalogue
    from hulian.kernel.configuration import convert
    from hulian.network.exchange.protocols.contract import Environment
    from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
    from hulian.network.exchange.protocols.opcua.typed import typed
    from hulian.network.exchange.semantics.nodeset.matching import find_instances

    organisation = configuration.node.organisation
    catalogue, trust = Catalogue(registry, organisation), open_trust(configuration, registry)
    record = catalogue.connector(connector)
    if record.protocol != "opcua":
        raise CommandError(
            f"it speaks {record.protocol}", place=connector, hint="only OPC UA servers say of which types their nodes are"
        )
    settings = convert(record.settings, OpcuaConfiguration, place="settings")
    credentials = CataloguePlant(catalogue, trust).credentials(record.credentials)
    environment = Environment(organisation=organisation, connector=connector, credentials=credentials, trust=trust.peers)

    async def search() -> Report:
        async with typed(record.url, settings, environment) as browser:
            return await find_instances(types, wanted, browser, start=under, most=most)

    return anyio.run(search)


def _bound(configuration: Configuration, registry: Registry, connector: str) -> dict[str, Any]:
    from hulian.data.catalogue import Catalogue
    from hulian.network.exchange.semantics.instances import Bound

    catalogue = Catalogue(registry, configuration.node.organisation)
    series = {binding.series: binding.address for binding in catalogue.bindings(connector)}
    points = catalogue.points_of_series(series)
    return {series[key]: Bound(point.name, point.unit) for key, point in points.items()}


def _take(
    configuration: Configuration, registry: Registry, model: Model, document: str, connector: str, report: Report
) -> None:
    from hulian.network.exchange.semantics.formats import format_named
    from hulian.network.exchange.semantics.instances import instances_document

    points = _bound(configuration, registry, connector)
    source = instances_document(document, connector, report, lambda identity: _node(model, identity), points)
    found = model.read(format_named("hulian"), source, document, getpass.getuser())
    if found.errors:
        model.discard(found.version.key)
        first = found.errors[0]
        raise CommandError(f"the model does not take it: {first.message}", place=first.node, hint="--as names another document")
    applied = model.apply(found.version.key)
    details = {"version": applied.key, "nodes": applied.nodes, "connector": connector}
    record(configuration, registry, "MODEL_WRITE", document, "apply", **details)


def _node(model: Model, identity: str) -> Any:
    from hulian.network.exchange.semantics.errors import SemanticsError

    try:
        return model.node(identity)[0]
    except SemanticsError:
        return None


def _shown(document: str, wanted: str, report: Report, points: dict[str, Any], *, applied: bool) -> dict[str, Any]:
    from hulian.network.exchange.semantics.nodeset.matching import path_text

    def one(match: Match) -> dict[str, Any]:
        return {
            "id": match.id,
            "path": path_text(match.path),
            "type": match.type,
            "complete": match.complete,
            "members": {path_text(path): node for path, node in match.nodes.items()},
            "points": {path: points[node].point for path, node in match.properties.items() if node in points},
            "missing": {path_text(each.path): each.required for each in match.missing},
            "extra": {path_text(path): node for path, node in match.extra},
        }

    return {
        "document": document,
        "type": wanted,
        "instances": [one(match) for match in report.matches],
        "visited": report.visited,
        "whole": report.whole,
        "applied": applied,
    }


def _tell(document: str, types: Types, wanted: str, report: Report, points: dict[str, Any], *, dry_run: bool) -> None:
    from hulian.network.exchange.semantics.nodeset.matching import path_text

    name = types.name(wanted)
    print(
        f"{len(report.matches)} of {name} among {report.visited:,} nodes" + ("" if report.whole else " (there are more nodes)")
    )
    for match in report.matches[:_SHOWN]:
        live = sum(node in points for node in match.properties.values())
        print(f"  {path_text(match.path) or match.id}: {len(match.nodes)} members, {live} of {len(match.properties)} live")
        for missing in match.missing:
            if missing.required:
                print(f"    lacks {path_text(missing.path)}, which the type requires")
    if len(report.matches) > _SHOWN:
        print(f"  … and {len(report.matches) - _SHOWN} more; --json has all")
    if report.matches and not dry_run:
        print(f"they are in the model as '{document}'")
