"""``hulian trace``: what a thing is made of, and what it became part of, across enterprises."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import Json, read_configuration
from hulian.cli.output import emit
from hulian.cli.registering import DEFAULT_REGISTRANT, Registrant, identity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hulian.network.identifiers.metadata.trace import Step

__all__ = ["drawn", "trace"]


def trace(
    identifier: Annotated[str, Parameter(help="e.g. 88.111.1/pump-17")],
    /,
    *,
    down: Annotated[bool, Parameter(help="to what it is made of, contains, belongs to (as without --up)", negative="")] = False,
    up: Annotated[bool, Parameter(help="to what refers to it: what it became part of", negative="")] = False,
    depth: Annotated[int, Parameter(help="how many steps, 64 at most")] = 10,
    most: Annotated[int, Parameter(help="how many things, 10,000 at most")] = 1_000,
    partner: Annotated[
        list[str] | None,
        Parameter(
            help="prefix of an enterprise whose node is asked what of its own refers to each thing; with --up", negative=""
        ),
    ] = None,
    registrant: Registrant = DEFAULT_REGISTRANT,
    json: Json = False,
) -> None:
    """Trace a thing through the records of every enterprise, node by node.

    A node knows what of its own refers to a thing, and what its record was told of others; --partner asks others themselves.
    Only what everybody may read is followed, unless --as and --key prove who asks. What cannot be reached is named, and the
    rest is shown.

    Examples:

        hulian trace 88.111.1/pump-17
        hulian trace 88.111.3/steel-4711 --up --depth 3 --root root_info
        hulian trace 88.111.3/steel-4711 --up --partner 88.111.2 --partner 88.111.1
        hulian trace 88.111.1/pump-17 --as 300:88.111.2/buyer --key key.pem --root root_info
    """
    import anyio
    import msgspec

    from hulian.assembly.identifier_files import root_data, root_file
    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.metadata.trace import DEEPEST, MOST, MOST_PARTNERS, Direction
    from hulian.network.identifiers.transport.client import Client

    if up and down:
        raise CommandError("one way at a time", hint="--up or --down")
    if not 1 <= depth <= DEEPEST or not 1 <= most <= MOST:
        raise CommandError(f"a depth of 1 to {DEEPEST}, and 1 to {MOST} things")
    partners = tuple(dict.fromkeys(partner or ()))
    if partners and not up:
        raise CommandError("references are followed down as they are written: no partner is asked", hint="--up --partner …")
    if len(partners) > MOST_PARTNERS:
        raise CommandError(f"more than {MOST_PARTNERS} partners", place="--partner")
    configuration = read_configuration(registrant.config)
    follow = Follow(root_data(registrant.root or root_file(configuration)), Client())
    proved = registrant.identity or registrant.key
    identity = identity_of(registrant, configuration) if proved else None
    found = anyio.run(_traced, follow, identity, identifier, Direction.UP if up else Direction.DOWN, depth, most, partners)
    if json:
        emit(msgspec.to_builtins(found))
    else:
        print("\n".join(drawn(found)))


async def _traced(
    follow: Any, identity: Any, handle: str, direction: Any, depth: int, most: int, partners: tuple[str, ...]
) -> Step:
    from hulian.network.identifiers.chain.administer import Administer
    from hulian.network.identifiers.chain.errors import RefusedError
    from hulian.network.identifiers.metadata import trace as tracing
    from hulian.network.identifiers.transport.connection import connection
    from hulian.network.identifiers.wire.codes import ResponseCode
    from hulian.network.identifiers.wire.values import Value

    if identity is None:
        beside = {prefix: partial(follow.referrers_at, prefix) for prefix in partners}
        return await tracing.trace(follow.values_of, handle, direction, depth=depth, most=most, partners=beside)
    async with Administer(follow, connection, identity) as by:

        async def read(named: str, types: tuple[str, ...]) -> tuple[int, tuple[Value, ...]]:
            try:
                return ResponseCode.SUCCESS, await by.read(named, types=types)
            except RefusedError as error:
                return error.response_code, ()

        async def elsewhere(prefix: str, named: str, types: tuple[str, ...]) -> tuple[int, tuple[Value, ...]]:
            try:
                return ResponseCode.SUCCESS, await by.referrers(prefix, named, types)
            except RefusedError as error:
                return error.response_code, ()

        beside = {prefix: partial(elsewhere, prefix) for prefix in partners}
        return await tracing.trace(read, handle, direction, depth=depth, most=most, partners=beside)


def drawn(first: Step) -> Iterator[str]:
    """The tree, a line for each thing."""
    from hulian.network.identifiers.metadata.trace import State

    words = {State.FOLLOWED: "", State.SEEN: "see above", State.DEEPER: "not asked further"}
    waiting: list[tuple[Step, str, str]] = [(first, "", "")]
    while waiting:
        step, before, below = waiting.pop()
        said = words.get(step.state, step.state.value)
        notes = [one for one in (said, step.said, "some are left out" if step.more else "") if one]
        kind = f"{step.kind.removeprefix('HULIAN.').lower().replace('_', ' ')} " if step.kind else ""
        line = f"{kind}{step.handle}" + (f"  ({'; '.join(notes)})" if notes else "")
        # What other nodes say goes to a terminal.
        yield before + "".join([one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line])
        count = len(step.steps)
        branches = [
            (one, f"{below}{'└── ' if number == count else '├── '}", f"{below}{'    ' if number == count else '│   '}")
            for number, one in enumerate(step.steps, 1)
        ]
        waiting.extend(reversed(branches))
