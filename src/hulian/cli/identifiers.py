"""``hulian identifiers``: nodes of every tier, tried out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.registering import DEFAULT_REGISTRANT, Registrant

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.assembly.identifier_demo import Country

__all__ = ["identifiers_demo", "identifiers_probe", "identifiers_status"]

_PRODUCTS = 12


def identifiers_demo(
    *,
    directory: Annotated[Path, Parameter(help="where the nodes keep what is theirs; used again where it is there")] = Path(
        "identifiers-demo"
    ),
    port: Annotated[int, Parameter(help="port of the root; the next eleven are those of the others")] = 26_410,
    once: Annotated[bool, Parameter(help="end when everything was shown", negative="")] = False,
) -> int:
    """Start a private hierarchy: a root, five national nodes, two second-level nodes, three enterprises, a recursive node.

    Each is a process with its own store and key. Products are registered by the enterprises, and found by a client that knows
    the root data alone; the path is shown. It goes on until Ctrl-C, so that you can try 'hulian resolve' and 'hulian register'.

    Examples:

        hulian identifiers demo
        hulian identifiers demo --once
        hulian resolve 88.111.1/PUMP-000001 --root identifiers-demo/international/data/identifiers/root_info --trace
    """
    from hulian.assembly.identifier_demo import NODES, Country
    from hulian.assembly.logging import configure_logging
    from hulian.cli.node import run_supervised
    from hulian.cli.preloading import fork_server
    from hulian.platform.infrastructure.supervisor import check_port

    configure_logging("supervisor")
    for place, node in enumerate(NODES):
        check_port("127.0.0.1", port + place, what=f"the node '{node.name}'", key="--port")
    country = Country(directory, port)
    country.prepare()
    with fork_server() as forks:
        return run_supervised(directory, country.stages(), [], afterwards=partial(_show, country, once=once), forks=forks)


def _show(country: Country, *, once: bool) -> None:
    """What happens once all nodes run: products get identifiers, and are found."""
    import os
    import signal

    import anyio

    from hulian.cli.errors import CommandError
    from hulian.kernel.errors import HulianError

    try:
        anyio.run(_story, country)
    except HulianError as error:
        raise CommandError(
            f"the demonstration stopped: {error}", hint="the logs are in the folder 'log' beside the nodes"
        ) from error
    root = country.root
    print(f"\n  Root data:    {root}")
    print(f"  Try:          hulian resolve 88.111.1/PUMP-000003 --root {root} --trace\n")
    if once:
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        print("  Ctrl-C ends everything.\n", flush=True)


async def _story(country: Country) -> None:
    from hulian.cli.output import table
    from hulian.cli.resolving import hop_row
    from hulian.network.identifiers.schemes.allocation import Policy, allocate
    from hulian.network.identifiers.wire.bodies import ResolveRequest
    from hulian.network.identifiers.wire.values import Value

    policy = Policy.of("{kind}-{serial:6}", first=1, values={"kind": "PUMP"})
    suffixes = list(allocate(policy, None, _PRODUCTS))
    async with country.administer("pumps") as enterprise:
        for suffix in suffixes:
            page = Value(index=1, type="URL", data=f"https://pumps.example/{suffix}".encode())
            made = Value(index=2, type="DESC", data=f"pump {suffix}, made today".encode())
            await enterprise.create(f"88.111.1/{suffix}", [page, made], overwrite=True)
    print(f"\n  {len(suffixes)} products of the enterprise 88.111.1 are registered: 88.111.1/{suffixes[0]} …\n")
    scanned = _labelled(country.directory, [f"88.111.1/{suffix}" for suffix in suffixes])
    follow = country.follow()
    cold = await follow.resolve(ResolveRequest(scanned))
    again = await follow.resolve(ResolveRequest(f"88.111.1/{suffixes[1]}"))
    print(f"  A client that knows the root data alone resolves {cold.handle}:\n")
    table([hop_row(hop) for hop in cold.path], ["asked", "of", "answer", "ms"], empty="Nobody was asked.")
    print(f"\n  and {again.handle}, now that the way is known:\n")
    table([hop_row(hop) for hop in again.path], ["asked", "of", "answer", "ms"], empty="Nobody was asked.")
    await _by_the_recursive_node(country, cold.handle)


def _labelled(directory: Path, identifiers: list[str]) -> str:
    """Labels for all, one of them scanned again: what the camera of a phone would see."""
    from hulian.network.identifiers.carriers.labels.layout import Sheet, page_size
    from hulian.network.identifiers.carriers.labels.printing import Form, Job, Request, print_labels
    from hulian.network.identifiers.carriers.symbols.read import read_image
    from hulian.network.identifiers.carriers.symbols.symbology import Kind

    job = Job(kind=Kind.QR)
    sheet = Job(kind=Kind.QR, sheet=Sheet(*page_size("a4"), 3, 8, 8, 2))
    print_labels([Request(identifier) for identifier in identifiers], sheet, directory / "labels.pdf", Form.PDF)
    picture = directory / "label.png"
    print_labels([Request(identifiers[0])], job, picture, Form.PNG)
    (found,) = read_image(picture.read_bytes())
    print(f"  Their labels:   {directory / 'labels.pdf'}")
    print(f"  One is scanned: {picture} holds {found.text}\n")
    return found.text


async def _by_the_recursive_node(country: Country, handle: str) -> None:
    import time

    from hulian.network.identifiers.chain.sites import Target
    from hulian.network.identifiers.transport.client import Client
    from hulian.network.identifiers.wire.bodies import ResolveRequest, request
    from hulian.network.identifiers.wire.codes import OpCode, OpFlag, Transport, response_text

    client, target = Client(), Target("127.0.0.1", country.port("recursive"), Transport.UDP)
    print(f"\n  The recursive node, asked about {handle}:")
    for told in ("first  ", "again  "):
        body, flags = ResolveRequest(handle), OpFlag.PUBLIC_ONLY.value
        asked = request(OpCode.RESOLVE, body, request_id=0, expiration=int(time.time()) + 60, flags=flags)
        began = time.perf_counter()
        answer = await client(target, asked)
        print(f"    {told} {response_text(answer.response_code)}, {(time.perf_counter() - began) * 1000:.2f} ms")


def identifiers_probe(
    handle: Annotated[str, Parameter(help="what is resolved again and again, e.g. 88.111.1/pump-17")],
    /,
    *,
    to: Annotated[str, Parameter(help="address of the HTTP interface of the node that takes the votes, https://HOST:PORT")],
    authority: Annotated[
        Path | None, Parameter(help="PEM file with the authority of its certificate; else the system's")
    ] = None,
    every: Annotated[float, Parameter(help="seconds between two looks")] = 10.0,
    once: Annotated[bool, Parameter(help="look once, print what was seen, and end", negative="")] = False,
    registrant: Registrant = DEFAULT_REGISTRANT,
    json: Json = False,
) -> None:
    """Watch the node that a handle belongs to, from here: whether it resolves and registers, and how quickly.

    Each look is told to the node above by a signed vote. The node takes over where most of at least three probes that it knows
    (identifiers.probes) see the other one down, and holds a copy of it (identifiers.takeover).

    Examples:

        hulian identifiers probe 88.111.1/pump-17 --to https://second.example:8000 --as 300:88.111/PROBE1 --key probe.pem
        hulian identifiers probe 88.111.1/pump-17 --to https://127.0.0.1:8000 --authority root.crt --once --json
    """
    import anyio

    from hulian.assembly.identifier_files import root_data, root_file
    from hulian.cli.errors import CommandError
    from hulian.cli.output import emit
    from hulian.cli.registering import identity_of
    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.nodes.probe import Probe
    from hulian.network.identifiers.transport.client import Client
    from hulian.network.identifiers.transport.rest.asker import RestAsker
    from hulian.network.identifiers.wire.authentication.respond import KeyIdentity

    if not 0.1 <= every <= 3600:
        raise CommandError(f"every {every:g} seconds is no interval", hint="from 0.1 to 3600")
    configuration = read_configuration(registrant.config)
    identity = identity_of(registrant, configuration)
    if not isinstance(identity, KeyIdentity):
        raise CommandError("a vote is signed with a private key", hint="--key names a PEM file")
    follow = Follow(root_data(registrant.root or root_file(configuration)), Client())
    asker = RestAsker(to, authority or "")
    probe = Probe(follow, handle, identity, lambda vote: asker.post("/api/votes", vote), seconds=every)
    if not once:
        anyio.run(probe.run)
        return
    seen = anyio.run(probe.once)
    if seen is not None:
        if json:
            emit(seen)
        else:
            latency = "" if seen.latency_ms is None else f", {seen.latency_ms:g} ms"
            print(f"{seen.prefix} is {'up' if seen.up else 'down'}{latency}{': ' + seen.reason if seen.reason else ''}")
    if probe.trouble:
        raise CommandError(f"the vote was not taken: {probe.trouble}", place=to)


def identifiers_status(
    node: Annotated[str, Parameter(help="HOST:PORT of the node; this machine's own where none is named")] = "",
    /,
    *,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show what a node says of itself, over UDP and TCP; of this machine's own node also what it answers for and has counted.

    Examples:

        hulian identifiers status
        hulian identifiers status 127.0.0.1:26411 --json
    """
    import anyio

    from hulian.cli.errors import CommandError
    from hulian.cli.output import emit, table

    configuration = read_configuration(config)
    if node:
        host, _, port = node.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise CommandError(f"'{node}' is no address of a node", hint="HOST:PORT, e.g. 127.0.0.1:2641")
        found = anyio.run(_status, host.strip("[]"), int(port))
    else:
        settings = configuration.identifiers
        if not settings.port:
            raise CommandError("this machine has no node", hint="identifiers.port in hulian.toml is 0")
        found = anyio.run(_status, settings.host, settings.port)
        found["prefixes"] = anyio.run(_homed, configuration)
        found["statistics"] = anyio.run(_statistics, configuration)
    if json:
        emit(found)
    else:
        table(found["asked"], ["over", "answer", "ms"], empty="")
        for name in ("site", "key", "version", "prefixes"):
            if found.get(name):
                print(f"{name:<9} {', '.join(found[name]) if isinstance(found[name], list) else found[name]}")
        _counted(found.get("statistics") or {})
    if all(row["ms"] is None for row in found["asked"]):
        raise CommandError("the node does not answer", place=found["node"], hint="does it run? is the port right, and open?")


async def _status(host: str, port: int) -> dict[str, Any]:
    """What the node at ``host`` says over each transport."""
    import hashlib
    import time

    from hulian.network.identifiers.chain.errors import FollowError
    from hulian.network.identifiers.chain.sites import Target
    from hulian.network.identifiers.transport.client import Client
    from hulian.network.identifiers.wire.bodies import HandleOnly, SiteAnswer, read_answer, request
    from hulian.network.identifiers.wire.codes import OpCode, Transport, response_text
    from hulian.network.identifiers.wire.errors import WireError

    rows: list[dict[str, Any]] = []
    found: dict[str, Any] = {"node": f"{host}:{port}", "asked": rows}
    for transport in (Transport.UDP, Transport.TCP):
        asked = request(OpCode.GET_SITE, HandleOnly(None), request_id=0, expiration=int(time.time()) + 60)
        client, began = Client(fall_back=False), time.perf_counter()
        row: dict[str, Any] = {"over": transport.name.lower(), "ms": None}
        rows.append(row)
        try:
            answer = await client(Target(host, port, transport), asked)
            body, _ = read_answer(answer)
        except (FollowError, WireError) as error:
            row["answer"] = error.message
            continue
        row |= {"answer": response_text(answer.response_code), "ms": round((time.perf_counter() - began) * 1000, 2)}
        if isinstance(body, SiteAnswer):
            site = body.site
            kind = "primary" if site.primary else "mirror"
            found["site"] = f"{kind}, serial {site.serial}, {len(site.servers)} server(s)"
            found["version"] = ".".join(map(str, site.version))
            if site.servers[0].public_key:
                found["key"] = "SHA-256 " + hashlib.sha256(site.servers[0].public_key).hexdigest()
    return found


async def _homed(configuration: Configuration) -> list[str]:
    """The prefixes that this machine's own node answers for; none where it cannot be asked."""
    from hulian.assembly.identifier_files import root_data, root_file
    from hulian.cli.registering import Registrant, identity_of
    from hulian.kernel.errors import HulianError
    from hulian.network.identifiers.chain.administer import Administer
    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.chain.sites import Target
    from hulian.network.identifiers.transport.client import Client
    from hulian.network.identifiers.transport.connection import connection
    from hulian.network.identifiers.wire.codes import Transport

    settings = configuration.identifiers
    try:
        follow = Follow(root_data(root_file(configuration)), Client())
        async with Administer(follow, connection, identity_of(Registrant(), configuration)) as by:
            homed = await by.homed(Target(settings.host, settings.port, Transport.TCP))
    except HulianError:
        return []
    return [handle.removeprefix("0.NA/") for handle in homed]


async def _statistics(configuration: Configuration) -> dict[str, Any] | None:
    """What this machine's own node has counted, asked over HTTP with its own key; None where it cannot be asked."""
    from hulian.assembly.identifiers import local_rest
    from hulian.cli.registering import Registrant, identity_of
    from hulian.kernel.errors import HulianError
    from hulian.network.identifiers.wire.authentication.respond import KeyIdentity

    try:
        identity, asker = identity_of(Registrant(), configuration), local_rest(configuration)
        if asker is None or not isinstance(identity, KeyIdentity):
            return None
        return await asker.get("/api/statistics?days=2&sources=10&faults=10", identity)
    except HulianError:
        return None


def _counted(statistics: dict[str, Any]) -> None:
    from hulian.cli.output import table

    if not statistics:
        return
    rows = [
        {
            "day": day["begin"][:10],
            "requests": day["requests"],
            "successes": day["successes"],
            "dropped": day["dropped"],
            "peak/s": day.get("peak", {}).get("per_second", 0),
            "mean ms": day["latency"].get("resolve", {}).get("mean_ms"),
            "max ms": day["latency"].get("resolve", {}).get("max_ms"),
            "new": day["registrations"]["created"],
            "records": day["registrations"].get("total"),
        }
        for day in statistics.get("days", [])
    ]
    print()
    table(rows, list(rows[0]) if rows else ["day"], empty="Nothing was counted yet.")
    faults = [{"at": one["at"], "code": one["code"], "what": one["message"]} for one in statistics.get("faults", [])]
    print()
    table(faults, ["at", "code", "what"], empty="No fault is known.")
