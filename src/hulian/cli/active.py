"""``hulian active``: carriers that enrol, authenticate and report by themselves."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit, table
from hulian.cli.trail import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hulian.network.identifiers.active.carriers import Carrier, Carriers

__all__ = ["active_list", "active_provision", "active_revoke", "active_show", "active_simulate", "active_update"]

Named = Annotated[str, Parameter(help="serial number or full identifier, e.g. 99.118.8/ACT-0001")]
Passphrase = Annotated[
    str, Parameter(name="--passphrase", help="reference to what hides the carriers' files: env:NAME or file:PATH")
]
_PAGE = 1_000


def active_provision(
    file: Annotated[Path, Parameter(help="CSV: serial, reservation; terminal, owner, purpose, imei, licence, brand, model")],
    /,
    *,
    out: Annotated[Path, Parameter(help="folder that gets one folder a carrier, for its device")] = Path("carriers"),
    reservation: Annotated[
        str, Parameter(help="beginning of the identifiers, where the file has none: e.g. 99.118.8/ACT-")
    ] = "",
    node: Annotated[str, Parameter(help="host:port at which the carriers reach this node")] = "",
    passphrase: Passphrase = "",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Make carriers before their first power-up: key, certificate and reservation of each, and the authority they believe.

    The full identifier will be the reservation with the serial number behind it. After a cut the same command goes on.

    Examples:

        hulian active provision carriers.csv --reservation 99.118.8/ACT- --node plant.example:2643
        hulian active provision carriers.csv --out made --passphrase env:CARRIER_PASSPHRASE
    """
    from hulian.assembly.active import factory
    from hulian.assembly.identifier_key import own_key
    from hulian.assembly.preparation import open_registry
    from hulian.network.identifiers.active.device.errors import CarrierError
    from hulian.network.identifiers.active.provision import read_list

    try:
        with file.open("rb") as opened:
            content = opened.read((16 << 20) + 1)
    except OSError as error:
        raise CommandError(
            f"cannot read the list: {error.strerror}",
            place=str(file),
            hint="the first argument is a CSV file with one carrier a line",
        ) from error
    wanted = read_list(content, reservation)
    configuration = read_configuration(config)
    Path(configuration.node.data).mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = open_registry(configuration)
    try:
        makes = factory(configuration, registry, own_key(configuration), node or _address(configuration))
        made = makes.make(wanted, out, _secret(passphrase))
        told = {"carriers": len(made), "first": wanted[0].serial if wanted else ""}
        record(configuration, registry, "IDENTIFIERS_WRITE", f"file:{file.name}", "carriers provisioned", **told)
    except CarrierError as error:
        raise CommandError(str(error), place=str(out)) from error
    finally:
        registry.close()
    if json:
        emit([{"serial": one.serial, "folder": str(path)} for one, path in zip(wanted, made, strict=True)])
    else:
        print(f"{len(made)} carriers are provisioned; their folders are in {out}")


def active_list(
    *,
    state: Annotated[str, Parameter(help="only those: reserved, enrolling, enrolled, revoked")] = "",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the carriers of this node.

    Examples:

        hulian active list
        hulian active list --state revoked --json
    """
    with _carriers(config) as (carriers, _):
        found: list[Carrier] = []
        while page := carriers.page(found[-1].serial if found else "", _PAGE, state):
            found += page
    rows = [_told(one) for one in found]
    if json:
        emit(rows)
        return
    empty = "There are no such carriers. 'hulian active provision' makes them."
    table(rows, ["serial", "identifier", "state", "contents", "installed", "reports", "missing", "seen"], empty=empty)


def active_show(
    carrier: Named,
    /,
    *,
    reports: Annotated[bool, Parameter(help="its reports that wait for delivery, or were refused", negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show one carrier: how it stands, what it is, what its contents are.

    Examples:

        hulian active show 99.118.8/ACT-0001
        hulian active show 0001 --reports --json
    """
    from hulian.network.identifiers.active.messages import Report

    with _carriers(config) as (carriers, _):
        one = carriers.named(carrier)
        told = {**_told(one), "about": one.about, "settings": one.settings, "address": one.address}
        if reports:
            kept = [*carriers.waiting(100, one.serial), *carriers.waiting(100, one.serial, failed=True)]
            told["waiting"] = [
                {"sequence": kept_one.sequence, "error": kept_one.error, "items": Report.unpack(kept_one.body).items}
                for kept_one in kept
            ]
    if json:
        emit(told)
        return
    for name, value in told.items():
        print(f"{name:<12} {value}")


def active_revoke(carrier: Named, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Revoke a carrier: nothing of it is taken any more, and its record says so. It cannot be undone.

    Example:

        hulian active revoke 99.118.8/ACT-0001
    """
    from hulian.assembly.active import authority

    issuer = authority(read_configuration(config))
    with _carriers(config) as (carriers, told):
        found = carriers.named(carrier)
        one = carriers.revoke(found.serial, issuer.number(found.certificate.encode()))
        told(one, "carrier revoked")
    if json:
        emit(_told(one))
    else:
        print(f"{one.identifier} is revoked")


def active_revoked(
    target: Annotated[
        Path | None, Parameter(help="file to write the list to (X.509 CRL in PEM); it is shown where none is named")
    ] = None,
    /,
    *,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show which certificates of carriers are good no more, or write them as a CRL for whoever verifies such certificates.

    Those of revoked carriers stand in it, and those that others have taken the place of. The node keeps the same list in
    pki/carriers.crl of its data directory, within a second of every change.

    Examples:

        hulian active revoked
        hulian active revoked carriers.crl
    """
    from hulian.assembly.active import authority

    with _carriers(config) as (carriers, _):
        found = carriers.revoked()
    if target is not None:
        try:
            target.write_bytes(authority(read_configuration(config)).revocation_list(found))
        except OSError as error:
            raise CommandError(f"cannot write the list: {error.strerror}", place=str(target)) from error
    rows = [
        {"certificate": one.number, "serial": one.serial, "since": _moment(one.revoked), "reason": one.reason} for one in found
    ]
    if json:
        emit(rows)
    elif target is None:
        table(rows, ["certificate", "serial", "since", "reason"], empty="Every certificate is good.")
    else:
        print(f"{len(rows)} certificates stand in {target}")


def active_update(
    carrier: Named,
    settings: Annotated[Path, Parameter(help="JSON file with an object: the carrier's settings from now on")],
    /,
    *,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Give a carrier new settings. The node signs them, and the carrier takes them with its next question.

    Example:

        hulian active update 99.118.8/ACT-0001 settings.json
    """
    import msgspec

    from hulian.kernel.unreadable import UNREADABLE

    try:
        with settings.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
        found = msgspec.json.decode(content, type=dict[str, Any])
    except OSError as error:
        raise CommandError(f"cannot read the settings: {error.strerror}", place=str(settings)) from error
    except UNREADABLE as error:
        raise CommandError(f"no JSON object: {error}", place=str(settings)) from error
    if len(content) > _LARGEST:
        raise CommandError(f"more than {_LARGEST} bytes of settings", place=str(settings))
    with _carriers(config) as (carriers, told):
        one = carriers.settle(carriers.named(carrier).serial, found)
        told(one, "carrier settings", version=one.version)
    if json:
        emit(_told(one))
    else:
        print(f"{one.identifier}: contents {one.version} wait for it")


_LARGEST = 16 << 10


def active_simulate(
    folder: Annotated[Path, Parameter(help="folder of one carrier, as 'hulian active provision' made it")],
    /,
    *,
    node: Annotated[str, Parameter(help="host:port of the node; where the factory said, if none is named")] = "",
    reports: Annotated[int, Parameter(help="how many reports to send")] = 1,
    key: Annotated[str, Parameter(help="kind of its own key, made at the first start: EC, SM2 or RSA")] = "EC",
    passphrase: Passphrase = "",
    json: Json = False,
) -> None:
    """Be a carrier: enrol at the first start, take new contents, send reports. It uses the devices' own library.

    Examples:

        hulian active simulate carriers/0001
        hulian active simulate carriers/0001 --node 127.0.0.1:2643 --reports 10 --key SM2
    """
    import math
    import time

    from hulian.network.identifiers.active.device import Carrier, CarrierError, Store, TcpLink
    from hulian.network.identifiers.active.device.bodies import Item

    try:
        store = Store(folder, _secret(passphrase))
        state = store.load()
        host, _, port = (node or str(state.get("node", ""))).rpartition(":")
        if not host or not port.isdecimal():
            raise CommandError("no node is named", hint="--node HOST:PORT; the port is identifiers.active.port of the node")
        carrier = Carrier(store, TcpLink(host.strip("[]"), int(port), str(state["ca"])))
        identifier = carrier.enrol(key)
        for number in range(reports):
            value = 20 + 5 * math.sin(number / 5)
            carrier.report([Item("temperature", value, time.time_ns()), Item("count", number)])
        receipts = carrier.deliver()
        updated = carrier.outdated and carrier.update()
    except CarrierError as error:
        raise CommandError(f"{error.code}: {error}", place=str(folder)) from error
    version = carrier.contents.version if carrier.contents else 0
    if json:
        emit({"identifier": identifier, "reports": [one.sequence for one in receipts], "contents": version})
        return
    print(f"{identifier}: {len(receipts)} reports are delivered; contents {version}{' (new)' if updated else ''}")


# -- what they share -----------------------------------------------------------------------------------------------------


@contextmanager
def _carriers(config: Path | None) -> Iterator[tuple[Carriers, Callable[..., None]]]:
    """The carriers of this node, and what keeps in the trail what was done to one."""
    from hulian.assembly.preparation import open_registry
    from hulian.network.identifiers.active.carriers import Carriers

    configuration = read_configuration(config)
    if not configuration.node.database and not Path(configuration.node.data).exists():
        raise CommandError("there is no node here", place=configuration.node.data, hint="start it with 'hulian up'")
    registry = open_registry(configuration)

    def told(one: Carrier, did: str, **details: Any) -> None:
        record(configuration, registry, "IDENTIFIERS_WRITE", f"identifier:{one.identifier}", did, **details)

    try:
        yield Carriers(registry), told
    finally:
        registry.close()


def _told(one: Carrier) -> dict[str, Any]:
    return {
        "serial": one.serial,
        "identifier": one.identifier,
        "state": one.state,
        "contents": one.version,
        "installed": one.installed,
        "reports": one.sequence,
        "missing": one.missing,
        "seen": _moment(one.seen),
        "enrolled": _moment(one.enrolled),
    }


def _moment(time: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time // 1_000_000_000, UTC).isoformat() if time else ""


def _secret(reference: str) -> bytes:
    from hulian.kernel.configuration import resolve_secret

    return resolve_secret(reference).encode() if reference else b""


def _address(configuration: Any) -> str:
    settings = configuration.identifiers
    host = settings.address or settings.active.host
    return f"{host}:{settings.active.port}" if settings.active.port else ""
