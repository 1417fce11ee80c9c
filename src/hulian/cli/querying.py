"""``hulian identifiers query``: records of a node by what they say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import CommandError
from hulian.cli.local import Json, read_configuration
from hulian.cli.output import emit, table
from hulian.cli.registering import DEFAULT_REGISTRANT, Registrant, identity_of

if TYPE_CHECKING:
    from hulian.network.identifiers.transport.rest.asker import RestAsker
    from hulian.network.identifiers.wire.authentication.respond import KeyIdentity

__all__ = ["identifiers_query"]

_MOST = 100_000
_PAGE = 1_000
_LONGEST = 200


def identifiers_query(
    *where: Annotated[str, Parameter(help="comparisons: 'power>=5', maker=ACME, 'maker^=AC' (begins with)")],
    text: Annotated[str, Parameter(help="all these words, in any attribute; pum* begins a word")] = "",
    relation: Annotated[
        list[str] | None, Parameter(help="refers to a handle: made_of:88.111.1/steel, or 88.111.1/steel", negative="")
    ] = None,
    template: Annotated[str, Parameter(help="follows this template, in any version")] = "",
    type_: Annotated[list[str] | None, Parameter(name="--type", help="show only values of these types", negative="")] = None,
    most: Annotated[int, Parameter(help="records to show, 100,000 at most")] = 100,
    cursor: Annotated[str, Parameter(help="goes on where another query with the same conditions ended")] = "",
    to: Annotated[
        str, Parameter(help="address of the node's HTTP interface, https://HOST:PORT; this machine's node where none is named")
    ] = "",
    authority: Annotated[
        Path | None, Parameter(help="PEM file with the authority of its certificate; else the system's")
    ] = None,
    registrant: Registrant = DEFAULT_REGISTRANT,
    json: Json = False,
) -> None:
    """Find records of a node by what they say: by attributes, words, references. All conditions must hold.

    Only what everybody may read is searched and shown, unless --as and --key prove who asks. Quote comparisons: a shell takes
    > and < for itself. A search that is not at its end names the cursor that goes on.

    Examples:

        hulian identifiers query 'power>=5' maker=ACME
        hulian identifiers query --text "feed pum*" --template 88.111.1/types/pump --type maker --type power
        hulian identifiers query --relation made_of:88.111.3/steel-4711 --to https://partner.example:8000 --json
        hulian identifiers query 'price>1000' --as 300:88.111.2/buyer --key key.pem --to https://127.0.0.1:8000
    """
    import anyio

    from hulian.network.identifiers.statistics.errors import DeliveryError
    from hulian.network.identifiers.wire.authentication.respond import KeyIdentity

    if not 1 <= most <= _MOST:
        raise CommandError(f"{most} records cannot be asked for", place="--most", hint=f"from 1 to {_MOST}")
    asked = {
        "where": list(where),
        "text": [text] if text else [],
        "relation": relation or [],
        "template": [template] if template else [],
    }
    if not any(asked.values()):
        raise CommandError("nothing is asked for", hint="e.g. 'power>=5', --text 'feed pump', --relation 88.111.1/steel")
    asked["type"] = type_ or []
    identity = None
    if registrant.identity or registrant.key:
        found = identity_of(registrant, read_configuration(registrant.config))
        if not isinstance(found, KeyIdentity):
            raise CommandError("a query is proved with a private key", place="--key", hint="--key names a PEM file")
        identity = found
    try:
        records, more = anyio.run(_found, _asker(to, authority, registrant), identity, asked, most, cursor)
    except DeliveryError as error:
        hint = error.hint if error.status else "does the node run, and is its HTTP interface open? --to names another one"
        raise CommandError(error.message, place=error.place, hint=hint) from error
    if json:
        emit({"records": records, **({"cursor": more} if more else {})})
        return
    rows = [{"handle": _shown(record["handle"]), "values": _values(record["values"])} for record in records]
    table(rows, ["handle", "values"], empty="No record that you may read fulfils that.")
    if more:
        print(f"\nThere may be more: go on with --cursor {more}")


def _asker(to: str, authority: Path | None, registrant: Registrant) -> RestAsker:
    from hulian.network.identifiers.transport.rest.asker import RestAsker

    if to:
        return RestAsker(to, authority or "")
    from hulian.assembly.identifiers import local_rest

    asker = local_rest(read_configuration(registrant.config))
    if asker is None:
        hint = "--to names another one, or set identifiers.port and identifiers.rest_port"
        raise CommandError("this machine's node has no HTTP interface", hint=hint)
    return asker


async def _found(
    asker: RestAsker, identity: KeyIdentity | None, asked: dict[str, list[str]], most: int, cursor: str
) -> tuple[list[dict[str, Any]], str]:
    """Up to ``most`` records, page by page, and the cursor of what is behind them."""
    from urllib.parse import urlencode

    records: list[dict[str, Any]] = []
    while True:
        page = {**asked, "limit": [str(min(_PAGE, most - len(records)))], "cursor": [cursor] if cursor else []}
        answer = await asker.get(f"/api/query?{urlencode(page, doseq=True)}", identity)
        records += answer.get("records", [])
        cursor = answer.get("cursor", "")
        if not cursor or len(records) >= most:
            return records, cursor


def _values(values: list[dict[str, Any]]) -> str:
    return _shown("  ".join(f"{value['type']}={value['data']['value']}" for value in values))


def _shown(text: str) -> str:
    """What another node says goes to a terminal."""
    told = "".join([one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:_LONGEST]])
    return f"{told}…" if len(text) > _LONGEST else told
