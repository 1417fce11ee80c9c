"""Memory that start-up needs and running does not: given back, because a demo should not weigh more than what it shows."""

from __future__ import annotations

import ctypes
import gc
import sys

__all__ = ["forget_modules"]


def forget_modules(package: str) -> None:
    """Drop ``package`` and what is below it from memory, and return freed memory to the system where the C library can."""
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return  # another C library than glibc keeps freed memory; nothing depends on it
