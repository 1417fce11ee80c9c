"""What is compiled of the identifier nodes: the index of packed answers, and the loops that answer plain questions from it.

A plain C library without the interpreter's headers, called by ctypes, which gives up the interpreter's lock meanwhile. It is
made with the wheel (`build`). Everything that it does is also there in Python: `library` is None where it cannot be loaded,
and `reason` says why.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_char_p, c_double, c_int, c_int64, c_uint32, c_uint64, c_void_p
from typing import Final

from hulian.network.identifiers.compiled.build import LIBRARY, stamp

__all__ = ["ENVIRONMENT", "library", "reason"]

ENVIRONMENT: Final = "HULIAN_COMPILED"
"""Set to ``off``, everything is done in Python."""

_SIZES = c_void_p  # of an array of 32-bit numbers
_SIGNATURES: Final[dict[str, tuple[object, list[object]]]] = {
    "hulian_stamp": (c_char_p, []),
    "hulian_index_new": (c_void_p, []),
    "hulian_index_free": (None, [c_void_p]),
    "hulian_index_put": (c_int, [c_void_p, c_char_p, c_uint32, c_char_p, c_uint32]),
    "hulian_index_put_many": (c_uint64, [c_void_p, c_char_p, _SIZES, c_char_p, _SIZES, c_uint64]),
    "hulian_index_get": (c_int64, [c_void_p, c_char_p, c_uint32, c_void_p, c_uint64]),
    "hulian_index_known": (None, [c_void_p, c_char_p, _SIZES, c_uint64, c_void_p]),
    "hulian_index_delete": (c_int, [c_void_p, c_char_p, c_uint32]),
    "hulian_index_exchange": (c_int, [c_void_p, c_char_p, c_uint32, c_uint32, ctypes.c_uint8]),
    "hulian_index_count": (c_uint64, [c_void_p]),
    "hulian_index_bytes": (c_uint64, [c_void_p]),
    "hulian_index_version": (c_uint64, [c_void_p]),
    "hulian_index_items": (c_int64, [c_void_p, POINTER(c_uint64), c_uint64, c_void_p, c_uint64]),
    "hulian_plain_answer": (c_int64, [c_int, c_void_p, c_void_p, c_char_p, c_uint64, c_void_p, c_uint64]),
    "hulian_budget_new": (c_void_p, [c_double, c_char_p, c_uint32]),
    "hulian_budget_free": (None, [c_void_p]),
    "hulian_budget_allows": (c_int, [c_void_p, c_char_p, c_double, c_double]),
    "hulian_tally_new": (c_void_p, [c_int, c_int]),
    "hulian_tally_free": (None, [c_void_p]),
    "hulian_tally_take": (c_uint64, [c_void_p, c_void_p, c_uint64]),
    "hulian_tally_add": (None, [c_void_p, c_char_p, c_uint32, c_uint64, c_uint64, c_uint64]),
    "hulian_server_new": (
        c_void_p,
        [c_int, c_void_p, c_void_p, c_void_p, c_int, c_int, c_uint64, c_uint32, c_uint32],
    ),
    "hulian_server_tally": (None, [c_void_p, c_void_p, c_void_p]),
    "hulian_server_free": (None, [c_void_p]),
    "hulian_server_wake": (c_int, [c_void_p]),
    "hulian_serve_datagrams": (c_int, [c_void_p]),
    "hulian_serve_connections": (c_int, [c_void_p]),
    "hulian_server_stop": (None, [c_void_p]),
    "hulian_server_counters": (None, [c_void_p, c_void_p]),
    "hulian_server_take": (c_uint64, [c_void_p, c_void_p, c_uint64]),
    "hulian_server_closed": (None, [c_void_p]),
}


def _load() -> tuple[ctypes.CDLL | None, str]:
    if os.environ.get(ENVIRONMENT) == "off":
        return None, f"{ENVIRONMENT}=off"
    if not LIBRARY.is_file():
        return None, "no compiled library"
    try:
        found = ctypes.CDLL(str(LIBRARY))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(found, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        return None, f"the compiled library cannot be loaded: {error}"
    if found.hulian_stamp().decode() != stamp():
        return None, "the compiled library was made of other sources: run compiled/build.py"
    return found, ""


library, reason = _load()
