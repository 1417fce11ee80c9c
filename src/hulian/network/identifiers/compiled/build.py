"""Makes the compiled library out of the C sources beside this file. Needs a C compiler and Python's standard library alone.

``hatch_build.py`` calls it when a wheel or an editable installation is made; running this file makes it anew by hand. Where it
cannot be made, everything works without it, slower.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["HERE", "LIBRARY", "CompileError", "build", "compiler", "sources", "stamp"]

HERE = Path(__file__).resolve().parent
LIBRARY = HERE / "identifiers.so"
_FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-pthread", "-Wall", "-Wextra", "-Werror=implicit-function-declaration")
_HARDENED = ("-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wl,-Bsymbolic", "-Wl,-z,relro,-z,now")


class CompileError(Exception):
    """The library cannot be made; the text says why."""


def sources() -> list[Path]:
    """The C files, in the order in which they are compiled."""
    return sorted(HERE.glob("*.c"))


def stamp() -> str:
    """What the sources are: a library that was made of others is not loaded."""
    digest = hashlib.sha256()
    for path in sorted([*HERE.glob("*.c"), *HERE.glob("*.h")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def compiler() -> list[str] | None:
    """The command of ``$CC``, or of the first C compiler there is."""
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        return named if shutil.which(named[0]) else None
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def build(library: Path = LIBRARY) -> Path:
    """Makes ``library``; it is replaced in one step, so that whoever has loaded it keeps what he has. Raises `CompileError`."""
    command = compiler()
    if command is None:
        raise CompileError("there is no C compiler (cc, gcc or clang)")
    if sys.platform != "linux":
        raise CompileError(f"the sockets of {sys.platform} have no calls for many datagrams")
    try:
        with tempfile.TemporaryDirectory(dir=library.parent, prefix=".build-") as directory:
            made = Path(directory) / library.name
            flags = [*_FLAGS, *_HARDENED, f'-DHULIAN_STAMP="{stamp()}"']
            done = subprocess.run([*command, *flags, "-o", str(made), *map(str, sources())], capture_output=True, text=True)
            if done.returncode:
                raise CompileError(f"{command[0]} says: {done.stderr.strip()[-2000:]}")
            made.replace(library)
    except OSError as error:
        raise CompileError(str(error)) from error
    return library


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build()}\n")
    except CompileError as error:
        sys.exit(f"the library is not made: {error}")
