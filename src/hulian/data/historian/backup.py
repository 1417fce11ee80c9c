"""A copy of the embedded store while it runs, and back.

Parts are immutable files: freezing a table gives each a second name, which takes moments even where the store is large. All
tables are frozen while inserts wait; copying happens afterwards, beside inserts and queries. The copy is a directory of
parts with a manifest of what each file holds; `restore` checks it before it makes a store of it.
"""

# ruff: noqa: S608 - names of tables are ours, names of parts are checked

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from hulian.data.historian import schema
from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.historian.contract import Limits
from hulian.data.historian.embedded_engine import DATABASE, EmbeddedEngine
from hulian.data.historian.errors import BackupError
from hulian.data.historian.migration import prepare

__all__ = ["Frozen", "Manifest", "copy", "freeze", "restore"]

_MANIFEST: Final = "historian.json"
_PART: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_LIMITS: Final = Limits(memory=2**28, seconds=600)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: the version of its tables, and of each table its parts; of each file its size and hash."""

    version: int
    created: int
    parts: dict[str, list[str]]
    files: dict[str, tuple[int, str]]


class Frozen(msgspec.Struct, frozen=True):
    """A moment of the store, held by second names of its parts until `copy` lets them go."""

    name: str
    tables: dict[str, Path]


def freeze(engine: EmbeddedEngine) -> Frozen:
    """Holds the present moment of every table. Inserts wait meanwhile: the caller has the right to write."""
    name = f"backup_{time.time_ns()}"
    store = engine.directory / "store"
    found = engine.table(f"SELECT name, toString(uuid) FROM system.tables WHERE database = '{DATABASE}'", _LIMITS)
    identities = dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))
    for table in schema.tables():
        engine.execute(f"ALTER TABLE {DATABASE}.{table} FREEZE WITH NAME '{name}'")
    shadow = store / "shadow" / name / "store"
    return Frozen(name, {table: shadow / identities[table][:3] / identities[table] for table in schema.tables()})


def copy(engine: EmbeddedEngine, frozen: Frozen, directory: Path) -> Mapping[str, Any]:
    """Copies a frozen moment into ``directory``, which is empty or does not exist, and lets it go."""
    shadow = engine.directory / "store" / "shadow" / frozen.name
    try:
        if directory.exists() and any(directory.iterdir()):
            raise BackupError("the directory of the backup is not empty", place=str(directory))
        parts: dict[str, list[str]] = {}
        files: dict[str, tuple[int, str]] = {}
        for table, source in frozen.tables.items():
            parts[table] = sorted(path.name for path in source.iterdir() if path.is_dir()) if source.exists() else []
            for part in parts[table]:
                for path in sorted((source / part).rglob("*")):
                    if path.is_file():
                        name = f"{table}/{part}/{path.relative_to(source / part)}"
                        files[name] = _copy_file(path, directory / name)
        manifest = Manifest(version=schema.SCHEMA_VERSION, created=time.time_ns(), parts=parts, files=files)
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = directory / f"{_MANIFEST}.new"
        with unfinished.open("wb") as file:
            file.write(msgspec.json.encode(manifest))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(directory / _MANIFEST)
        size = sum(size for size, _ in files.values())
        return {"files": len(files), "bytes": size, "tables": {table: len(names) for table, names in parts.items()}}
    except OSError as error:
        raise BackupError(f"the backup cannot be written: {error.strerror}", place=str(directory)) from error
    finally:
        shutil.rmtree(shadow, ignore_errors=True)


def _copy_file(source: Path, target: Path) -> tuple[int, str]:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    with source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(1 << 20):
            digest.update(chunk)
            written.write(chunk)
            size += len(chunk)
        written.flush()
        os.fsync(written.fileno())
    return size, digest.hexdigest()


def restore(
    backup: str | Path, directory: str | Path, configuration: HistorianConfiguration | None = None
) -> Mapping[str, Any]:
    """Makes a store in ``directory``, which holds none yet, from what `copy` wrote. Every file is checked before.

    Raises `BackupError`; then ``directory`` is as it was.
    """
    source, target = Path(backup), Path(directory).absolute()
    manifest = _read(source)
    if (target / "store").exists():
        raise BackupError("there is a store already", place=str(target), hint="restore into an empty directory")
    for name, (size, digest) in manifest.files.items():
        _check(source, name, size, digest)
    fresh = target.with_name(f".{target.name}.restoring")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _build(source, manifest, fresh, configuration or HistorianConfiguration())
        target.mkdir(parents=True, exist_ok=True)
        (fresh / "store").rename(target / "store")
    except OSError as error:
        raise BackupError(f"the backup cannot be restored: {error.strerror}", place=str(target)) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return {"files": len(manifest.files), "bytes": sum(size for size, _ in manifest.files.values())}


def _build(source: Path, manifest: Manifest, fresh: Path, configuration: HistorianConfiguration) -> None:
    engine = EmbeddedEngine(fresh, configuration)
    try:
        prepare(engine, configuration.durability)
        for table, parts in manifest.parts.items():
            if table == "schema_versions":
                continue
            place = fresh / "store" / "data" / DATABASE / table / "detached"
            for part in parts:
                shutil.copytree(source / table / part, place / part)
                engine.execute(f"ALTER TABLE {DATABASE}.{table} ATTACH PART '{part}'")
    finally:
        engine.close()


def _read(source: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode((source / _MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise BackupError("there is no finished backup here", place=str(source)) from error
    except msgspec.MsgspecError as error:
        raise BackupError(f"the backup's list cannot be read: {error}", place=str(source / _MANIFEST)) from error
    if manifest.version > schema.SCHEMA_VERSION:
        raise BackupError(
            f"the backup has version {manifest.version}, this Hulian knows {schema.SCHEMA_VERSION}",
            place=str(source),
            hint="upgrade Hulian",
        )
    names = {*manifest.parts}
    if not names <= set(schema.tables()) or not all(_PART.match(part) for parts in manifest.parts.values() for part in parts):
        raise BackupError("the backup's list names what is no table or part", place=str(source / _MANIFEST))
    return manifest


def _check(source: Path, name: str, size: int, digest: str) -> None:
    path = source / name
    if ".." in Path(name).parts or not path.is_file() or path.stat().st_size != size:
        raise BackupError("a file of the backup is missing or has another size", place=str(path))
    found = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    if found.hexdigest() != digest:
        raise BackupError("a file of the backup was changed", place=str(path))
