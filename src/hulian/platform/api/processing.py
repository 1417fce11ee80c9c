"""What the API asks of a processing before it is kept or tried: that all of it can work, and who stands for its commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hulian.kernel.configuration import convert
from hulian.kernel.point import Point
from hulian.network.exchange.protocols.contract import Binding
from hulian.platform.api.access import Visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.edge.processing.engine import Engine
from hulian.platform.edge.processing.plan import KNOWN, PROTOCOL, ProcessingSettings, known_of, names_in
from hulian.trust import Action

__all__ = ["check_processing", "engine_for"]


def engine_for(
    context: Context, settings: Mapping[str, Any], points: Sequence[Point], *, edge: str | None, commanders: Iterable[str] = ()
) -> tuple[Engine, dict[int, Point]]:
    """The engine that the edge would run, and the points that it reads by their series. ``edge`` None: wherever they are read.

    Blocks. Raises what says where the document is wrong.
    """
    if KNOWN in settings:
        raise RequestError(f"'{KNOWN}' is written by the platform itself", place="$.settings.known", hint="leave it out")
    parsed = convert(dict(settings), ProcessingSettings, place="$.settings")
    named = names_in(settings, [point.options for point in points])
    found = list(context.catalogue.points_named(sorted(named)).values())
    if edge is not None:
        here = {record.name for record in context.catalogue.connectors() if record.edge == edge and record.protocol != PROTOCOL}
        found = [point for point in found if point.connector in here]
    bindings = [
        Binding(
            series=point.series or index + 1, address=point.address or point.name, storage=point.storage, options=point.options
        )
        for index, point in enumerate(points)
    ]
    parsed = msgspec.structs.replace(parsed, known=known_of(found, commanders))
    engine = Engine(parsed, bindings, place="$")
    if engine.refused:
        raise engine.refused[0].error
    return engine, {point.series: point for point in found if point.series in engine.inputs}


def check_processing(
    context: Context,
    who: Visitor,
    edge: str,
    settings: Mapping[str, Any],
    points: Sequence[Point],
    before: Mapping[str, Any] | None = None,
) -> None:
    """Refuses what the edge would refuse. A command that is new or changed has its writer as its owner, who may send commands
    to that point now; one that stays as it was keeps its owner. Blocks. Raises `DeniedError`, audited, and `RequestError`."""
    kept = [rule.get("command") for rule in (before or {}).get("rules", ())]
    owners: set[str] = set()
    rules = settings.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        command = rule.get("command") if isinstance(rule, Mapping) else None
        if not isinstance(command, Mapping):
            continue
        owner = str(command.get("owner", ""))
        if command not in kept:
            context.trust.authority.authorise(
                who.principal, Action.COMMANDS_SEND, f"point:{command.get('point')}", source=who.source
            )
            if owner != who.name:
                place = f"$.settings.rules[{index}].command.owner"
                raise RequestError(f"the owner of a command is who writes it: '{who.name}', not '{owner}'", place=place)
        owners.add(owner)
    engine_for(context, settings, points, edge=edge, commanders=owners)
