"""Node ids as addresses: ``ns=2;s=Reactor.Pressure``, or with a namespace's URI, which survives a restart of the server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaError

from hulian.network.exchange.protocols.opcua.errors import AddressError, NodeError

__all__ = ["check", "resolve", "standard", "write"]

_FORM: Final = re.compile(r"(?:nsu=(?P<uri>[^;]+);|ns=(?P<index>\d{1,5});)?(?P<name>[isgb]=.+)\Z", re.DOTALL)


def check(address: str) -> None:
    """Raises `AddressError` where ``address`` is not a node id."""
    resolve(address, None)


def resolve(address: str, namespaces: Sequence[str] | None) -> ua.NodeId:
    """The node id that ``address`` names on a server with these namespaces; None looks only at the form.

    Raises `AddressError` for a wrong form, `NodeError` for a namespace that the server does not have.
    """
    form = _FORM.match(address)
    if not form:
        raise AddressError(f"{address[:200]!r} is not a node id", place=address[:200])
    index = int(form["index"] or 0)
    if index > 65_535:
        raise AddressError(f"{address[:200]!r} names a namespace beyond 65535", place=address[:200])
    if form["uri"] and namespaces is not None:
        uri = form["uri"].replace("%3B", ";").replace("%25", "%")
        if uri not in namespaces:
            raise NodeError(f"the server has no namespace {uri!r}", place=address[:200])
        index = list(namespaces).index(uri)
    try:
        node = ua.NodeId.from_string(f"ns={index};{form['name']}")
    except (UaError, ValueError, OverflowError) as error:
        raise AddressError(f"{address[:200]!r} is not a node id", place=address[:200]) from error
    if isinstance(node.Identifier, int) and not 0 <= node.Identifier < 2**32:
        raise AddressError(f"{address[:200]!r} has a number beyond 32 bits", place=address[:200])
    return node


def write(node: ua.NodeId, namespaces: Sequence[str]) -> str:
    """The address of ``node`` with its namespace's URI; namespace 0 needs none."""
    text = ua.NodeId(node.Identifier, ua.Int16(0), node.NodeIdType).to_string()
    index = node.NamespaceIndex
    if not index:
        return text
    if index >= len(namespaces):
        return f"ns={index};{text}"
    return f"nsu={namespaces[index].replace('%', '%25').replace(';', '%3B')};{text}"


def standard(number: int) -> ua.NodeId:
    """A node of OPC UA itself, in namespace 0."""
    return ua.NodeId(ua.Int32(number))
