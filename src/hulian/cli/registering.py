"""``hulian register``, ``unregister``, ``allocate``: identifiers are given to things, changed and taken back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hulian.assembly.configuration import Configuration
    from hulian.network.identifiers.chain.administer import Administer
    from hulian.network.identifiers.schemes.allocation import Policy
    from hulian.network.identifiers.wire.authentication.respond import Identity
    from hulian.network.identifiers.wire.values import Value

__all__ = ["Registrant", "allocate", "identity_of", "register", "unregister"]

_LARGEST = 256 << 10


@Parameter(name="*")
@dataclass(frozen=True)
class Registrant:
    """Who registers, and where the walk begins. A dataclass: see `hulian.cli.local.Remote`."""

    identity: Annotated[
        str,
        Parameter(name="--as", help="index:handle of your key, e.g. 300:0.NA/88.111.1; else this node's own"),
    ] = ""
    key: Annotated[Path | None, Parameter(help="private key in PEM (RSA, DSA, EC or SM2), or a file with a secret key")] = None
    root: Annotated[Path | None, Parameter(help="root data; this node's own where none are named", env_var="HULIAN_ROOT")] = (
        None
    )
    config: ConfigFile = None


DEFAULT_REGISTRANT = Registrant()


def register(
    identifier: Annotated[str, Parameter(help="e.g. 88.111.1/pump-17; with --mint the beginning of it")],
    /,
    *values: Annotated[str, Parameter(help="TYPE=DATA or INDEX:TYPE=DATA; DATA of @FILE is what the file holds")],
    document: Annotated[
        Path | None, Parameter(name="--values", help="JSON file with values as the REST interface has them")
    ] = None,
    admin: Annotated[list[str] | None, Parameter(help="index:handle of who may administer the record", negative="")] = None,
    ttl: Annotated[int, Parameter(help="seconds that the values may be remembered")] = 86_400,
    private: Annotated[bool, Parameter(help="only administrators may read the values", negative="")] = False,
    overwrite: Annotated[bool, Parameter(help="in the place of a record that there may be", negative="")] = False,
    update: Annotated[bool, Parameter(help="add to a record, or replace its values of these indexes", negative="")] = False,
    mint: Annotated[bool, Parameter(help="let the node complete the suffix", negative="")] = False,
    registrant: Registrant = DEFAULT_REGISTRANT,
    json: Json = False,
) -> None:
    """Register an identifier, or change its record, at the node that is responsible for it.

    Whoever may do so proves it with the private key of an administrator of the prefix, or of the record. On the machine of a
    node its own key and root data are taken.

    Examples:

        hulian register 99.118.8/pump-17 URL=https://example.com/pump-17
        hulian register 99.118.8/pump-17 2:DESC=@description.txt --update
        hulian register 99.118.8/PUMP- URL=https://example.com --mint
        hulian register 88.111.1/pump-17 --values pump.json --as 300:0.NA/88.111.1 --key key.pem --root root_info
    """
    if update and (overwrite or mint):
        raise CommandError("--update changes a record that is there", hint="leave out --overwrite and --mint")
    found = _values(values, document, admin or [], ttl, private=private)
    if not found:
        raise CommandError("no value is given", hint="e.g. URL=https://example.com/pump-17")

    async def change(by: Administer) -> str:
        if update:
            await by.add(identifier, found, overwrite=True)
            return identifier
        return await by.create(identifier, found, overwrite=overwrite, mint=mint)

    named = _administered(registrant, change)
    if json:
        emit({"handle": named})
    else:
        print(f"{named} is {'changed' if update else 'registered'}")


def unregister(
    identifier: Annotated[str, Parameter(help="e.g. 88.111.1/pump-17")],
    /,
    *,
    index: Annotated[list[int] | None, Parameter(help="remove only the values with these indexes", negative="")] = None,
    registrant: Registrant = DEFAULT_REGISTRANT,
    json: Json = False,
) -> None:
    """Take an identifier out of the register, or some of its values. Its change stays in the node's log.

    Examples:

        hulian unregister 99.118.8/pump-17
        hulian unregister 99.118.8/pump-17 --index 2
    """

    async def change(by: Administer) -> str:
        if index:
            await by.remove(identifier, index)
        else:
            await by.delete(identifier)
        return identifier

    named = _administered(registrant, change)
    if json:
        emit({"handle": named})
    else:
        print(f"{named} has fewer values" if index else f"{named} is no longer registered")


def allocate(
    prefix: Annotated[str, Parameter(help="prefix of the identifiers, e.g. 99.118.8")],
    template: Annotated[str, Parameter(help="how suffixes are made, e.g. 'PUMP-{serial:6}{check}'")],
    /,
    *,
    count: Annotated[int, Parameter(help="how many")] = 1,
    first: Annotated[int, Parameter(help="first serial number")] = 0,
    last: Annotated[int | None, Parameter(help="last serial number")] = None,
    value: Annotated[list[str] | None, Parameter(help="NAME=TEXT for a {name} of the template", negative="")] = None,
    restart: Annotated[bool, Parameter(help="begin anew with each new date in the template", negative="")] = False,
    config: ConfigFile = None,
) -> None:
    """Give out identifiers, one a line, and never one twice: what was given is remembered before the first line is printed.

    Templates hold {serial}, {serial:6}, {random:8}, {date:%y%m%d}, {check} and {names} of your own. They are not registered by
    this: 'hulian register' does that.

    Examples:

        hulian allocate 99.118.8 "PUMP-{serial:6}{check}" --count 3
        hulian allocate 99.118.8 "{class}-{random:8}" --value class=VALVE --count 1000000 > valves.txt
    """
    import sys
    from datetime import UTC, datetime

    from hulian.network.identifiers.schemes.allocation import Policy

    given = dict(text.partition("=")[::2] for text in value or [])
    policy = Policy.of(template, first=first, last=last, values=given, restart="date" if restart else "never")
    batches = _reserved(read_configuration(config), prefix, policy, count, datetime.now(UTC).date())
    for batch in batches:
        sys.stdout.write("".join([f"{prefix}/{suffix}\n" for suffix in batch]))


def _reserved(configuration: Configuration, prefix: str, policy: Policy, count: int, day: Any) -> Any:
    """The suffixes, whose cursor is on disk already."""
    import hashlib
    import secrets

    from hulian.network.identifiers.schemes.allocation import Cursor
    from hulian.network.identifiers.schemes.allocation import allocate as next_of
    from hulian.trust import private_files

    directory = private_files.private_directory(Path(configuration.node.data) / "identifiers" / "allocated")
    name = hashlib.sha256(f"{prefix}\0{policy.digest}".encode()).hexdigest()[:32]
    with private_files.locked(directory):
        kept = private_files.read(directory / name)
        key = private_files.create_once(directory / "key", secrets.token_bytes(32)) if policy.is_random else b""
        cursor = Cursor.parse(kept.decode("ascii")) if kept else None
        given = next_of(policy, cursor, count, day=day if policy.has_date else None, key=key)
        private_files.replace(directory / name, given.after.text.encode("ascii"))
    return given.batches()


# -- who, and what ---------------------------------------------------------------------------------------------------


def _administered(registrant: Registrant, change: Callable[[Administer], Awaitable[str]]) -> str:
    import anyio

    from hulian.assembly.identifier_files import root_data, root_file
    from hulian.network.identifiers.chain.administer import Administer
    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.transport.client import Client
    from hulian.network.identifiers.transport.connection import connection

    configuration = read_configuration(registrant.config)
    identity = identity_of(registrant, configuration)
    follow = Follow(root_data(registrant.root or root_file(configuration)), Client())

    async def run() -> str:
        async with Administer(follow, connection, identity) as by:
            return await change(by)

    return anyio.run(run)


def identity_of(registrant: Registrant, configuration: Configuration) -> Identity:
    """Whose key proves it: a PEM file is a private key, every other file a secret key."""
    from hulian.assembly.identifier_files import key_file, rolling_file
    from hulian.network.identifiers.nodes.beginning import node_key
    from hulian.network.identifiers.wire.authentication.keys import load_private_key
    from hulian.network.identifiers.wire.authentication.respond import KeyIdentity, SecretIdentity
    from hulian.network.identifiers.wire.authentication.signers import signer_for
    from hulian.network.identifiers.wire.typed.secret import SecretKey
    from hulian.network.identifiers.wire.values import Reference

    prefixes = configuration.identifiers.prefixes or (configuration.node.prefix,)
    who = Reference.parse(registrant.identity) if registrant.identity else node_key(prefixes[0])
    elsewhere = configuration.identifiers.key or rolling_file(configuration).exists()
    if registrant.key is None and not registrant.identity and elsewhere:
        from hulian.assembly.identifier_key import proving

        index, own = proving(configuration)  # in a token; or, while the key rolls over, the new one
        return KeyIdentity(who.handle, index, own.signer)
    path = registrant.key or key_file(configuration)
    content = _content(path, hint="--key names the file of your private key")
    if b"-----BEGIN" not in content[:64]:
        return SecretIdentity(who.handle, who.index, SecretKey(content.rstrip(b"\r\n")))
    key, is_dsa = load_private_key(content, str(path))
    return KeyIdentity(who.handle, who.index, signer_for(key), is_dsa)


def _values(
    texts: Sequence[str], document: Path | None, administrators: Sequence[str], ttl: int, *, private: bool
) -> list[Value]:
    import msgspec

    from hulian.kernel.unreadable import UNREADABLE
    from hulian.network.identifiers.nodes.beginning import ADMIN, admin_value
    from hulian.network.identifiers.wire.codes import Permission
    from hulian.network.identifiers.wire.json_form.values import value_from_json
    from hulian.network.identifiers.wire.values import Reference, Value

    permissions = (Permission.ADMIN_READ | Permission.ADMIN_WRITE).value if private else 0x0E
    found: list[Value] = []
    if document is not None:
        try:
            listed = msgspec.json.decode(_content(document, hint="a JSON file with a list of values"))
        except UNREADABLE as error:
            raise CommandError(f"no JSON: {error}", place=str(document)) from error
        listed = listed.get("values") if isinstance(listed, dict) else listed
        if not isinstance(listed, list):
            raise CommandError("no list of values", place=str(document), hint="as 'hulian resolve --json' prints it")
        found += [value_from_json(one, f"$[{place}]") for place, one in enumerate(listed)]
    taken = {value.index for value in found}
    for text in texts:
        index, kind, data = _parsed(text)
        if not index:
            index = next(number for number in range(1, 1 << 20) if number not in taken)
        taken.add(index)
        found.append(Value(index=index, type=kind, data=data, ttl=ttl, permissions=permissions))
    for place, text in enumerate(administrators):
        found.append(admin_value(Reference.parse(text), index=ADMIN + place))
    return found


def _parsed(text: str) -> tuple[int, str, bytes]:
    """Index (0 where none is given), type and data of ``TYPE=DATA`` or ``INDEX:TYPE=DATA``."""
    head, equals, data = text.partition("=")
    number, colon, kind = head.partition(":")
    if not colon or not (number.isascii() and number.isdigit()):
        number, kind = "0", head
    if not equals or not kind or len(number) > 9:
        raise CommandError(f"'{text[:60]}' is no value", hint="TYPE=DATA or INDEX:TYPE=DATA, e.g. URL=https://example.com")
    if data.startswith("@"):
        return int(number), kind, _content(Path(data[1:]), hint="DATA that begins with @ names a file")
    return int(number), kind, data.encode()


def _content(path: Path, *, hint: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise CommandError(f"cannot read the file: {error.strerror}", place=str(path), hint=hint) from error
    if len(content) > _LARGEST:
        raise CommandError(f"more than {_LARGEST >> 10} KiB", place=str(path), hint=hint)
    return content
