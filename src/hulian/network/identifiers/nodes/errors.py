"""Errors of nodes. HL-ID-105x.

NodeError                       HL-ID-1050
├── RolloverError               HL-ID-1051   a key that cannot give way to another one
└── TokenError                  HL-ID-1052   a token that does not give what is asked of it
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = ["NodeError", "RolloverError", "TokenError"]


class NodeError(HulianError):
    """The root of what can go wrong with a node as a whole."""

    code = "HL-ID-1050"


class RolloverError(NodeError):
    """The key of a node cannot give way to another one as things are."""

    code = "HL-ID-1051"
    default_hint = "compare the record of the prefix with the node's key: 'hulian resolve', 'hulian identifiers status'"


class TokenError(NodeError):
    """The key in a PKCS#11 token is named wrongly, or cannot be used."""

    code = "HL-ID-1052"
    default_hint = "pkcs11:token=LABEL;object=LABEL?module-path=/path/of/library.so; 'pkcs11-tool --list-objects' shows them"
