"""The escrow document: XML that any reader of XML can read in twenty years, and back, byte for byte.

    <escrow xmlns="urn:hulian:escrow" version="1" kind="full" node="88.111.1" number="17" seal="…">
      <prefix since="…" name="88.111.1"/>
      <record handle="88.111.1/pump-17" changed="…" digest="…">
        <value index="1" timestamp="…" ttl="86400" ttl-type="0" permissions="14" type="URL">
          <text>https://example.com</text> or <base64>…</base64>, and any <reference index="300" handle="…"/>
        </value>
      </record>
    </escrow>

A differential holds ``change`` in the place of prefixes and records: one row of the log each, with the values after it where
they are known. A name that XML cannot carry is in Base64, as ``handle-base64`` in the place of ``handle``, and so with
``type``, ``by``, ``name`` and ``node``. Times are UTC nanoseconds. ``digest`` is SHA-256 over the counted values in the form
of the protocol, which is the ``content`` of the log.

`schema` is the same in the language of XML Schema.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from hulian.network.identifiers.escrow.errors import ExportError
from hulian.network.identifiers.escrow.manifest import Position
from hulian.network.identifiers.store import Change, Kept, What
from hulian.network.identifiers.store.changes import digest_of_values
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.values import Value, pack_values, unpack_values

__all__ = ["NAMESPACE", "change_xml", "head_xml", "joined", "prefix_xml", "record_xml", "schema", "tail_xml"]

NAMESPACE: Final = "urn:hulian:escrow"
_UNABLE: Final = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document can hold, in whatever way they are written."""

_IN_TEXT: Final = {"\r": "&#13;"}
_IN_ATTRIBUTE: Final = {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
"""What a reader would turn into something else, by the rules of XML."""


def schema() -> bytes:
    """The XML Schema (XSD 1.0) of the document: what it describes is what the reader takes, but for what it cannot say."""
    return Path(__file__).with_name("escrow.xsd").read_bytes()


def head_xml(kind: str, node: str, at: Position, after: Position | None) -> str:
    """What the document begins with."""
    more = "" if after is None else f' after="{after.number}" after-seal="{after.seal}"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<escrow xmlns="{NAMESPACE}" version="1" kind="{kind}" {_named("node", node)} '
        f'number="{at.number}" seal="{at.seal}"{more}>\n'
    )


def tail_xml() -> str:
    """What it ends with."""
    return "</escrow>\n"


def prefix_xml(prefix: str, since: int) -> str:
    """A prefix that the node answers for."""
    return f'<prefix since="{since}" {_named("name", prefix)}/>\n'


def record_xml(one: Kept) -> str:
    """A record. Raises `ExportError` where its values cannot be read."""
    head = f'<record {_named("handle", one.handle)} changed="{one.changed}" digest="{digest_of_values(one.packed).hex()}">'
    return "".join([head, *_values_xml(one.handle, one.packed), "</record>\n"])


def change_xml(one: Change, packed: bytes | None) -> str:
    """A row of the log, with the values after it where they are known."""
    head = (
        f'<change number="{one.number}" at="{one.at}" what="{one.what.name.lower()}" {_named("handle", one.handle)} '
        f'{_named("by", one.by)} content="{one.content.hex()}" seal="{one.seal.hex()}"'
    )
    if packed is None:
        later = ' values="later"' if one.what in (What.CREATE, What.UPDATE) else ""
        return f"{head}{later}/>\n"
    return "".join([head, ' values="here">', *_values_xml(one.handle, packed), "</change>\n"])


def _values_xml(handle: str, packed: bytes) -> Iterator[str]:
    try:
        values = unpack_values(packed)
        same = pack_values(values) == packed
    except WireError as error:
        raise ExportError(f"the record of {handle} cannot be read: {error.message}", hint=_HINT) from error
    if not same:
        raise ExportError(f"the record of {handle} is not in the protocol's own form", hint=_HINT)
    return map(_value_xml, values)


_HINT: Final = "somebody has changed the database by other means: write the record anew"


def _value_xml(value: Value) -> str:
    return (
        f'<value index="{value.index}" timestamp="{value.timestamp}" ttl="{value.ttl}" ttl-type="{value.ttl_type}" '
        f'permissions="{value.permissions}" {_named("type", value.type)}>{_data_xml(value.data)}'
        f"{''.join(_reference_xml(one.index, one.handle) for one in value.references)}</value>"
    )


def _data_xml(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if _UNABLE.search(text):
        return f"<base64>{_base64(data)}</base64>"
    return f"<text>{escape(text, _IN_TEXT)}</text>"


def _reference_xml(index: int, handle: str) -> str:
    return f'<reference index="{index}" {_named("handle", handle)}/>'


def _named(name: str, text: str) -> str:
    if _UNABLE.search(text):
        return f'{name}-base64="{_base64(text.encode())}"'
    return f'{name}="{escape(text, _IN_ATTRIBUTE)}"'


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def joined(parts: Iterable[str], size: int = 65_536) -> Iterator[bytes]:
    """The parts as UTF-8, in pieces of about ``size`` characters."""
    waiting: list[str] = []
    count = 0
    for part in parts:
        waiting.append(part)
        count += len(part)
        if count >= size:
            yield "".join(waiting).encode()
            waiting, count = [], 0
    if waiting:
        yield "".join(waiting).encode()
