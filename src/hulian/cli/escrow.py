"""``hulian identifiers escrow``: a node's records leave it signed and encrypted, are judged, and come back."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hulian.assembly.configuration import Configuration
    from hulian.network.identifiers.escrow import Custodian, Manifest
    from hulian.network.identifiers.wire.typed.keys import UsableKey

__all__ = ["escrow_export", "escrow_restore", "escrow_schema", "escrow_verify"]

SignedBy = Annotated[
    str,
    Parameter(
        name="--signed-by",
        help="public key of the node: a PEM file, or index:handle to look up from the root data; this machine's own node else",
    ),
]
PrivateKeys = Annotated[
    list[Path] | None, Parameter(name="--key", help="private key that it is sealed to, PEM (RSA or SM2)", negative="")
]
Root = Annotated[Path | None, Parameter(help="root data; this node's own where none are named", env_var="HULIAN_ROOT")]


def escrow_export(
    directory: Annotated[
        Path | None, Parameter(help="where the export's folder is made; else identifiers.escrow.directory")
    ] = None,
    /,
    *,
    since: Annotated[Path | None, Parameter(help="folder of an earlier export: only what came after it")] = None,
    to: Annotated[
        list[Path] | None,
        Parameter(help="PEM file with a public key or certificate that opens it; repeatable", negative=""),
    ] = None,
    volume: Annotated[int | None, Parameter(help="KiB of a volume")] = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Write all records of this machine's node, as of one moment, into a folder of signed and encrypted volumes.

    The node may run meanwhile. Only the holders of the private keys of --to can open it.

    Examples:

        hulian identifiers escrow export /media/escrow --to agent.pem
        hulian identifiers escrow export /media/escrow --to agent.pem --since /media/escrow/FOLDER
    """
    from hulian.assembly.escrow import node_name, recipients_of, signing_key
    from hulian.assembly.preparation import open_registry
    from hulian.network.identifiers.escrow import Order, export
    from hulian.network.identifiers.escrow.manifest import MANIFEST, peek_manifest

    configuration = read_configuration(config)
    settings = configuration.identifiers.escrow
    target = directory or (Path(settings.directory) if settings.directory else None)
    if target is None:
        raise CommandError("no directory is named", hint="name one, or set identifiers.escrow.directory")
    recipients = recipients_of(to or settings.recipients)
    if not recipients:
        raise CommandError("nobody could open it", hint="--to names the public key of who keeps it")
    key = signing_key(configuration)
    after = peek_manifest(since / MANIFEST).at if since else None
    size = volume << 10 if volume else settings.volume_bytes
    if size < 1_024:
        raise CommandError("a volume has at least 1 KiB", hint="--volume counts KiB")
    order = Order(node=node_name(configuration), recipients=recipients, after=after, volume_bytes=size)
    meter = _meter(quiet=json)
    registry = open_registry(configuration)
    try:
        folder, manifest = export(registry, target, order, key, lambda done, total: meter("writing records", done, total))
    finally:
        registry.close()
    if json:
        emit(_told(manifest) | {"folder": str(folder)})
    else:
        sizes = sum(one.bytes for one in manifest.volumes)
        told = "records" if manifest.kind == "full" else "changes"
        print(f"{folder}: {manifest.content.items} {told}, {len(manifest.volumes)} volume(s), {sizes / 2**20:,.1f} MiB")
        print(f"  up to change {manifest.at.number}, seal {manifest.at.seal}")


def escrow_verify(
    *folders: Annotated[Path, Parameter(help="a full export, and differentials made after it")],
    signed_by: SignedBy = "",
    key: PrivateKeys = None,
    root: Root = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Tell whether exports are whole, genuine, and follow on each other; with --key also whether every record can be read.

    Examples:

        hulian identifiers escrow verify /media/escrow/FOLDER --signed-by node.pem
        hulian identifiers escrow verify /media/escrow/* --signed-by 300:0.NA/88.111.1 --root root_info --key agent.key
    """
    from hulian.network.identifiers.escrow import verify

    found = verify(_named(folders), _custodian(read_configuration(config), signed_by, key or [], root), _meter(quiet=json))
    if json:
        emit([_told(export.manifest) | {"folder": str(export.directory), "opened": bool(key)} for export in found])
        return
    for export in found:
        manifest = export.manifest
        print(f"{export.directory}: {manifest.kind}, {manifest.node}, {manifest.taken}, up to change {manifest.at.number}")
    print("  every volume is whole" + (", and every record can be read" if key else "; --key judges what is in them"))


def escrow_restore(
    *folders: Annotated[Path, Parameter(help="a full export, and differentials made after it")],
    signed_by: SignedBy = "",
    key: PrivateKeys = None,
    root: Root = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Put exports back into this machine's node, which must have no records and must not run.

    Everything is verified before the first record is written. What was cut short goes on when it is run again.

    Examples:

        hulian identifiers escrow restore /media/escrow/FOLDER --signed-by node.pem --key agent.key
    """
    from hulian.assembly.preparation import open_registry
    from hulian.network.identifiers.escrow import restore
    from hulian.network.identifiers.store import RecordStore

    configuration = read_configuration(config)
    if not key:
        raise CommandError("without a private key nothing can be opened", hint="--key names the key that it is sealed to")
    custodian = _custodian(configuration, signed_by, key, root)
    Path(configuration.node.data).mkdir(parents=True, exist_ok=True, mode=0o700)
    registry = open_registry(configuration)
    try:
        found = restore(RecordStore(registry), _named(folders), custodian, _meter(quiet=json))
    finally:
        registry.close()
    if json:
        emit(found)
    else:
        print(f"{found.node}: {found.records} records and {found.prefixes} prefix(es), as they were on {found.taken}")
        print(f"  up to change {found.at.number}, seal {found.at.seal}")


def escrow_schema(
    target: Annotated[Path | None, Parameter(help="file to write; it is printed where none is named")] = None, /
) -> None:
    """Give the XML Schema of the document in an export, for whoever reads it by other means.

    Examples:

        hulian identifiers escrow schema
        hulian identifiers escrow schema escrow.xsd
    """
    from hulian.network.identifiers.escrow.document import schema

    if target is None:
        sys.stdout.buffer.write(schema())
        sys.stdout.flush()
        return
    try:
        target.write_bytes(schema())
    except OSError as error:
        raise CommandError(f"cannot write the schema: {error.strerror}", place=str(target)) from error
    print(f"The schema is in {target}")


def _told(manifest: Manifest) -> dict[str, Any]:
    return {
        "kind": manifest.kind,
        "node": manifest.node,
        "taken": manifest.taken,
        "at": manifest.at,
        "after": manifest.after,
        "items": manifest.content.items,
        "cipher": manifest.encryption.cipher,
        "volumes": manifest.volumes,
        "signature": manifest.signature,
    }


def _named(folders: Sequence[Path]) -> Sequence[Path]:
    if not folders:
        raise CommandError("no export is named", hint="name the folder of a full export, and those of differentials")
    return folders


def _custodian(configuration: Configuration, signed_by: str, keys: Sequence[Path], root: Path | None) -> Custodian:
    from cryptography.hazmat.primitives.asymmetric import rsa

    from hulian.assembly.escrow import read_pem
    from hulian.network.identifiers.escrow import Custodian
    from hulian.network.identifiers.wire import sm2
    from hulian.network.identifiers.wire.authentication.keys import load_private_key

    found: list[rsa.RSAPrivateKey | sm2.PrivateKey] = []
    for path in keys:
        key, _ = load_private_key(read_pem(path), str(path))
        if not isinstance(key, rsa.RSAPrivateKey | sm2.PrivateKey):
            raise CommandError("exports are sealed to RSA and SM2 keys", place=str(path), hint="name the recipient's key")
        found.append(key)
    return Custodian(_signer(configuration, signed_by, root), found)


def _signer(configuration: Configuration, named: str, root: Path | None) -> UsableKey:
    """The public key of the node that signed: from a file, from its record, or this machine's own."""
    from hulian.assembly.escrow import read_pem, signing_key
    from hulian.assembly.identifier_key import key_file
    from hulian.network.identifiers.wire.typed.keys import PublicKey

    if not named:
        if not configuration.identifiers.key and not key_file(configuration).exists():
            raise CommandError("this machine has no node of its own", hint="--signed-by names the public key of the node")
        return signing_key(configuration).public
    if Path(named).exists() or ":" not in named:
        return PublicKey("X509", (read_pem(Path(named)),)).usable()
    return _looked_up(configuration, named, root)


def _looked_up(configuration: Configuration, named: str, root: Path | None) -> UsableKey:
    import anyio

    from hulian.assembly.identifier_files import root_data, root_file
    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.transport.client import Client
    from hulian.network.identifiers.wire.bodies import ResolveRequest
    from hulian.network.identifiers.wire.typed.keys import PublicKey
    from hulian.network.identifiers.wire.values import Reference

    who = Reference.parse(named)
    follow = Follow(root_data(root or root_file(configuration)), Client())
    found = anyio.run(follow.resolve, ResolveRequest(who.handle, (who.index,)))
    for value in found.values:
        if value.type == "HS_PUBKEY" and value.index == who.index:
            return PublicKey.unpack(value.data).usable()
    raise CommandError(f"there is no public key {named}", hint="name a PEM file instead")


def _meter(*, quiet: bool) -> Callable[[str, int, int], None]:
    """Progress on a terminal, at most four times a second."""
    due = 0.0

    def progress(name: str, done: int, total: int) -> None:
        nonlocal due
        if quiet or not sys.stderr.isatty():
            return
        now = time.monotonic()
        if now >= due or done == total:
            due = now + 0.25
            print(f"\r{name}: {done:,} of {total:,}\x1b[K", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return progress
