"""``hulian identifiers apply``, ``applications``, ``approve`` and the others: prefixes are applied for and given out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit, table
from hulian.cli.registering import Registrant, identity_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hulian.assembly.configuration import Configuration
    from hulian.network.identifiers.provisioning import Proposal
    from hulian.network.identifiers.transport.rest.provisioning.client import Applications
    from hulian.network.identifiers.wire.authentication.respond import Identity

__all__ = [
    "Office",
    "identifiers_amend",
    "identifiers_applications",
    "identifiers_apply",
    "identifiers_approve",
    "identifiers_ask",
    "identifiers_reject",
    "identifiers_resume",
    "identifiers_review",
    "identifiers_revoke",
    "identifiers_suspend",
    "identifiers_transfer",
    "identifiers_withdraw",
]

_LARGEST = 65_536

SAMPLE = """{
  "prefix": "88.111.7",
  "tier": "enterprise",
  "organisation": {
    "name": "Example Pumps Ltd.",
    "register": "uscc",
    "number": "91350100M000100Y43",
    "country": "CN",
    "industry": "C3441",
    "address": "1 Harbour Road, Fuzhou",
    "contact": {"name": "Li Hua", "email": "li.hua@pumps.example", "phone": "+86 10 1234 5678"}
  },
  "purpose": "identifiers of pumps and of their parts",
  "code_types": ["Handle"],
  "servers": [{"address": "192.0.2.7", "udp": 2641, "tcp": 2641}]
}
"""


@Parameter(name="*")
@dataclass(frozen=True)
class Office:
    """Which node is spoken to, and as whom. A dataclass: see `hulian.cli.local.Remote`."""

    node: Annotated[
        str, Parameter(help="address of the node's HTTP interface, e.g. https://second.example:8000; else this machine's own")
    ] = ""
    ca: Annotated[Path | None, Parameter(help="PEM file with the authority of the node's certificate")] = None
    identity: Annotated[
        str, Parameter(name="--as", help="index:handle of your key, e.g. 300:0.NA/88.111; else this node's own")
    ] = ""
    key: Annotated[Path | None, Parameter(help="your private key in PEM; else this node's own")] = None
    config: ConfigFile = None


DEFAULT_OFFICE = Office()
Identifier = Annotated[str, Parameter(help="the application's id, as 'hulian identifiers applications' shows it")]
Applicant = Annotated[
    bool, Parameter(name="--applicant", help="you are who applied: --key is the key that was applied with", negative="")
]
Why = Annotated[str, Parameter(name="--reason", help="why; it is kept in the history, and shown to the applicant")]


@Parameter(name="*")
@dataclass(frozen=True)
class Step(Office):
    """What every step of an application takes beside its reason."""

    revision: Annotated[int | None, Parameter(help="only if the application is at this revision still")] = None
    json: Json = False


DEFAULT_STEP = Step()


def identifiers_apply(
    document: Annotated[Path | None, Parameter(help="JSON file with the registration; --sample prints one")] = None,
    /,
    *,
    sample: Annotated[bool, Parameter(help="print a registration to fill in, and do nothing else", negative="")] = False,
    signed: Annotated[Path | None, Parameter(help="write the signed registration there, and send nothing")] = None,
    office: Office = DEFAULT_OFFICE,
    json: Json = False,
) -> None:
    """Apply for a prefix at the node that gives it out.

    The registration is signed with your private key, whose public half becomes the key of the prefix. Sending the same file
    again gives the same application. Nobody needs to know you beforehand.

    Examples:

        hulian identifiers apply --sample > pumps.json
        hulian identifiers apply pumps.json --node https://second.example:8000
        hulian identifiers apply pumps.json --key pumps.pem --node https://second.example:8000 --json
    """
    if sample:
        print(SAMPLE, end="")
        return
    if document is None:
        raise CommandError("no registration is given", hint="'hulian identifiers apply --sample' prints one to fill in")
    configuration = read_configuration(office.config)
    proposal = _proposal(document, _key_file(office, configuration))
    if signed is not None:
        _write(signed, proposal)
        return
    found = _asked(office, configuration, None, lambda by: by.apply(proposal))
    if json:
        emit(found)
        return
    print(f"The application for {found['prefix']} is {found['state']}: {found['id']}")
    print(f"  Look at it:   hulian identifiers applications {found['id']} --applicant" + _named(office))


def identifiers_applications(
    identifier: Annotated[str, Parameter(help="show this one, with its history")] = "",
    /,
    *,
    state: Annotated[str, Parameter(help="only those that are submitted, in-review, incomplete, approved, suspended, …")] = "",
    limit: Annotated[int, Parameter(help="how many at the most")] = 200,
    applicant: Applicant = False,
    office: Office = DEFAULT_OFFICE,
    json: Json = False,
) -> None:
    """List the applications that you may review, or show one of them with everything that was done to it.

    Examples:

        hulian identifiers applications --state submitted
        hulian identifiers applications 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31
        hulian identifiers applications 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 --applicant --key pumps.pem --node https://second.example:8000
    """
    configuration = read_configuration(office.config)
    who = _identity(office, configuration, identifier, applicant=applicant)
    if identifier:
        shown = _asked(office, configuration, who, lambda by: by.show(identifier))
        if json:
            emit(shown)
        else:
            _print(shown)
        return

    async def listed(by: Applications) -> dict[str, Any]:
        found: list[Any] = []
        after: int | None = 0
        while after is not None and len(found) < limit:
            page = await by.page(state, after, min(200, limit - len(found)))
            found += page["applications"]
            after = page["next"]
        return {"applications": found}

    found = _asked(office, configuration, who, listed)["applications"]
    if json:
        emit(found)
    else:
        table(found, ["id", "prefix", "organisation", "state", "changed"], empty="No application that you may see.")


def identifiers_review(
    identifier: Identifier,
    /,
    *,
    reason: Annotated[
        str, Parameter(name=["--comment", "--reason"], help="kept in the history, and shown to the applicant")
    ] = "",
    step: Step = DEFAULT_STEP,
) -> None:
    """Take an application up for review, or add a comment to the review.

    Example:

        hulian identifiers review 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 --comment "the register knows them"
    """
    _step("review", identifier, reason, step)


def identifiers_ask(identifier: Identifier, /, *, reason: Why, step: Step = DEFAULT_STEP) -> None:
    """Ask the applicant for more: it is their turn until they have amended the application.

    Example:

        hulian identifiers ask 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 --reason "which parts are meant?"
    """
    _step("ask", identifier, reason, step)


def identifiers_approve(identifier: Identifier, /, *, reason: Why = "", step: Step = DEFAULT_STEP) -> None:
    """Give the prefix to the applicant: its record is made, and everybody is referred to the applicant's node.

    Example:

        hulian identifiers approve 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31
    """
    _step("approve", identifier, reason, step)


def identifiers_reject(identifier: Identifier, /, *, reason: Why, step: Step = DEFAULT_STEP) -> None:
    """Refuse an application. It ends; the applicant may make another one.

    Example:

        hulian identifiers reject 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 --reason "the number is another company's"
    """
    _step("reject", identifier, reason, step)


def identifiers_suspend(identifier: Identifier, /, *, reason: Why, step: Step = DEFAULT_STEP) -> None:
    """Withdraw the delegation of a prefix for a while: nothing below it is resolved, and its record says so.

    Who has resolved it before remembers the way until the record's time to live is over, an hour at the most.

    Example:

        hulian identifiers suspend 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 --reason "the contact cannot be reached"
    """
    _step("suspend", identifier, reason, step)


def identifiers_resume(identifier: Identifier, /, *, reason: Why = "", step: Step = DEFAULT_STEP) -> None:
    """Bring a suspended prefix back, just as it was.

    Example:

        hulian identifiers resume 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31
    """
    _step("resume", identifier, reason, step)


def identifiers_revoke(identifier: Identifier, /, *, reason: Why, step: Step = DEFAULT_STEP) -> None:
    """Take a prefix away for good: its record is deleted, and others may apply for it.

    Example:

        hulian identifiers revoke 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 --reason "the enterprise is wound up"
    """
    _step("revoke", identifier, reason, step)


def identifiers_transfer(
    identifier: Identifier,
    signed: Annotated[Path, Parameter(help="the new owner's registration, as 'hulian identifiers apply --signed' writes it")],
    /,
    *,
    reason: Why,
    step: Step = DEFAULT_STEP,
) -> None:
    """Give a prefix to another owner: the record is made anew from their registration, with their key and nobody else's.

    The new owner signs a registration with their own key: that is their consent.

    Examples:

        hulian identifiers apply valves.json --key valves.pem --signed valves.signed
        hulian identifiers transfer 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 valves.signed --reason "the product line is sold"
    """
    _step("transfer", identifier, reason, step, proposal=_presigned(signed))


def identifiers_amend(
    identifier: Identifier,
    document: Annotated[Path, Parameter(help="JSON file with the registration as it should be")],
    /,
    *,
    office: Office = DEFAULT_OFFICE,
    json: Json = False,
) -> None:
    """Send better data for an application of yours, with the key that it was made with.

    Example:

        hulian identifiers amend 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 pumps.json --key pumps.pem --node https://second.example:8000
    """
    proposal = _proposal(document, _key_file(office, read_configuration(office.config)))
    _step("amend", identifier, "", Step(**vars(office), json=json), proposal=proposal, applicant=True)


def identifiers_withdraw(identifier: Identifier, /, *, office: Office = DEFAULT_OFFICE, json: Json = False) -> None:
    """Take an application of yours back, before it is decided.

    Example:

        hulian identifiers withdraw 5a63bb3b8d9d4bf3c4bd5e1e1d0e2f31 --key pumps.pem --node https://second.example:8000
    """
    _step("withdraw", identifier, "", Step(**vars(office), json=json), applicant=True)


# -- what they have in common ------------------------------------------------------------------------------------------


def _step(
    action: str, identifier: str, reason: str, step: Step, *, proposal: Proposal | None = None, applicant: bool = False
) -> None:
    configuration = read_configuration(step.config)
    who = _identity(step, configuration, identifier, applicant=applicant)

    async def act(by: Applications) -> dict[str, Any]:
        return await by.act(identifier, action, reason=reason, revision=step.revision, proposal=proposal)

    found = _asked(step, configuration, who, act)
    if step.json:
        emit(found)
    else:
        print(f"{found['prefix']} is {found['state']} (revision {found['revision']})")


def _asked(
    office: Office,
    configuration: Configuration,
    identity: Identity | None,
    ask: Callable[[Applications], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    import ssl

    import anyio
    import httpx

    from hulian.network.identifiers.transport.rest.provisioning.client import Applications

    settings = configuration.identifiers
    url = office.node
    if not url:
        if not settings.rest_port:
            raise CommandError("this machine's node has no HTTP interface", hint="identifiers.rest_port is 0; or name a --node")
        host = settings.rest_host if settings.rest_host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - its own machine
        url = f"http://[{host}]:{settings.rest_port}" if ":" in host else f"http://{host}:{settings.rest_port}"
    if not url.startswith(("http://", "https://")):
        raise CommandError(f"'{url}' is no address of an HTTP interface", hint="e.g. https://second.example:8000")
    # The authorities of the system take a while to read, and plain HTTP has no use for them: this context trusts nobody.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if url.startswith("https://"):
            context = ssl.create_default_context(cafile=str(office.ca) if office.ca else None)
    except OSError as error:
        raise CommandError(f"the authority cannot be read: {error}", place=str(office.ca)) from error

    async def run() -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=url, verify=context, timeout=30) as http:
            return await ask(Applications(http, identity))

    return anyio.run(run)


def _identity(office: Office, configuration: Configuration, identifier: str, *, applicant: bool) -> Identity:
    who = office
    if applicant:
        if not identifier:
            raise CommandError("whose application?", hint="--applicant goes with the id of an application")
        who = replace(office, identity=f"300:APPLICATION/{identifier}")
    return identity_of(Registrant(identity=who.identity, key=who.key), configuration)


def _key_file(office: Office, configuration: Configuration) -> Path:
    from hulian.assembly.identifier_files import key_file

    return office.key or key_file(configuration)


def _named(office: Office) -> str:
    return (f" --key {office.key}" if office.key else "") + (f" --node {office.node}" if office.node else "")


def _proposal(document: Path, key_file: Path) -> Proposal:
    """The registration in ``document``, with the public half of the key in it where it names none, signed."""
    import msgspec

    from hulian.kernel.unreadable import UNREADABLE
    from hulian.network.identifiers.provisioning import Proposal
    from hulian.network.identifiers.wire.authentication.keys import load_private_key

    text = _content(document, hint="a JSON file with the registration; --sample prints one")
    key, _ = load_private_key(_content(key_file, hint="the file of your private key in PEM"), str(key_file))
    try:
        found = msgspec.json.decode(text)
    except UNREADABLE as error:
        raise CommandError(
            f"no JSON: {error}", place=str(document), hint="--sample prints a registration to begin with"
        ) from error
    if not isinstance(found, dict):
        raise CommandError("no registration", place=str(document), hint="--sample prints one")
    return Proposal.of(found, key)


def _write(path: Path, proposal: Proposal) -> None:
    import base64

    import msgspec

    document = {"registration": proposal.text, "signature": base64.b64encode(proposal.signature).decode()}
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    except OSError as error:
        raise CommandError(f"cannot write the file: {error.strerror}", place=str(path)) from error
    print(f"{path} holds the signed registration")


def _presigned(path: Path) -> Proposal:
    import base64
    import binascii

    import msgspec

    from hulian.kernel.unreadable import UNREADABLE
    from hulian.network.identifiers.provisioning import Proposal

    hint = "the new owner makes it: hulian identifiers apply FILE --signed SIGNED"
    try:
        found = msgspec.json.decode(_content(path, hint=hint), type=dict[str, str])
        return Proposal(text=found["registration"], signature=base64.b64decode(found["signature"], validate=True))
    except (*UNREADABLE, KeyError, binascii.Error, ValueError) as error:
        raise CommandError("no signed registration", place=str(path), hint=hint) from error


def _content(path: Path, *, hint: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise CommandError(f"cannot read the file: {error.strerror}", place=str(path), hint=hint) from error
    if len(content) > _LARGEST:
        raise CommandError(f"more than {_LARGEST >> 10} KiB", place=str(path), hint=hint)
    return content


def _print(found: dict[str, Any]) -> None:
    made = found["registration"]
    organisation, contact = made["organisation"], made["organisation"]["contact"]
    for name, value in (
        ("prefix", f"{found['prefix']}  ({made.get('tier', 'enterprise')})"),
        ("state", f"{found['state']}, revision {found['revision']}"),
        ("for", f"{organisation['name']}, {organisation['country']}, industry {organisation['industry']}"),
        ("number", f"{organisation['register']} {organisation['number']} {organisation.get('authority', '')}".rstrip()),
        ("contact", " ".join(text for text in (contact["name"], contact["email"], contact.get("phone", "")) if text)),
        ("purpose", made["purpose"]),
        ("servers", ", ".join(server["address"] for server in made["servers"])),
        ("look at", "; ".join(found.get("remarks", []))),
        ("you can", ", ".join(found["actions"])),
    ):
        if value:
            print(f"{name:<9} {value}")
    print()
    table(found["history"], ["at", "action", "after", "by", "reason"], empty="")
