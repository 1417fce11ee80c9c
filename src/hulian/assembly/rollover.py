"""The node's key gives way to a new one while everything runs; the running node takes up each step within a second."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.assembly.configuration import Configuration
from hulian.assembly.escrow import node_name
from hulian.assembly.identifier_key import (
    Rolling,
    incoming_file,
    key_file,
    load_key,
    new_key,
    own_key,
    read_rolling,
    rolling_file,
    server_keys,
    write_rolling,
)
from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.errors import FollowError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.lookup import SECONDS as BELIEVED
from hulian.network.identifiers.chain.server_keys import ServerKeys
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes.beginning import INCOMING, KEY, ROOT, key_value
from hulian.network.identifiers.nodes.configuration import Role
from hulian.network.identifiers.nodes.errors import RolloverError
from hulian.network.identifiers.nodes.rollover import added, earlier_serials, promoted, withdrawn
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire.authentication import KeyIdentity, Signer, signer_for
from hulian.network.identifiers.wire.bodies import HandleOnly, SiteAnswer, read_answer, request
from hulian.network.identifiers.wire.codes import OpCode, Transport
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.values import Value
from hulian.trust import private_files

__all__ = ["OVERLAP", "SETTLE", "begin", "finish", "watch"]

OVERLAP: Final = 90_000.0
"""Seconds that both keys are good: a day, which is what records are believed by default, and an hour."""

SETTLE: Final = BELIEVED + 5.0
"""Seconds after which no node believes the old key any more."""

_LOOK: Final = 0.5
_PATIENCE: Final = 30.0
_log = structlog.get_logger(__name__)


async def begin(configuration: Configuration, follow: Follow, *, overlap: float = OVERLAP, settle: float = SETTLE) -> Rolling:
    """A new key stands beside the old one, here and in the records of the node's prefixes. Can be taken again.

    It is proved with from here only when every node has seen it there, ``settle`` seconds later.

    Raises `RolloverError`, and `FollowError` where the node above refuses or cannot be asked.
    """
    if configuration.identifiers.mirror_as:
        raise RolloverError("the key of a mirror stands in a handle of its own", hint="give the mirror another one there")
    if configuration.identifiers.key:
        raise RolloverError("the key of this node is in a token", place="identifiers.key", hint="keys in files roll over")
    state = await anyio.to_thread.run_sync(read_rolling, configuration)
    if state is not None and state.stage in ("overlap", "finishing", "withdrawing"):
        return state
    old = await anyio.to_thread.run_sync(own_key, configuration)
    path = incoming_file(configuration)
    new = load_key(await anyio.to_thread.run_sync(lambda: private_files.create_once(path, new_key())), path)
    packed = key_value(old).data, key_value(new).data
    async with _administer(configuration, follow, KEY, signer_for(old)) as by:
        records = {handle: await by.read(handle) for handle in _handles(configuration)}
        earlier = set().union(*[earlier_serials(values, packed[0]) for values in records.values()])
        if state is None or state.stage == "done":
            before = {1 if state is None else state.serial, *earlier}
            state = Rolling(stage="prepared", serial=(max(before) + 1) & 0xFFFF, earlier=tuple(sorted(before)))
        # Checked before anything is changed.
        changes = {handle: added(handle, values, *packed, state.serial) for handle, values in records.items()}
        await anyio.to_thread.run_sync(write_rolling, configuration, state)
        await _taken_up(configuration, state.serial)
        for handle, values in changes.items():
            if values:
                await by.add(handle, values, overwrite=True)
        await _root_data(configuration, by)
    await _settled(settle)
    state = msgspec.structs.replace(state, stage="overlap", until=time.time() + overlap)
    await anyio.to_thread.run_sync(write_rolling, configuration, state)
    return state


async def finish(configuration: Configuration, follow: Follow, *, early: bool = False, settle: float = SETTLE) -> Rolling:
    """The old key is good for nothing any more. Raises `RolloverError` before its time, unless ``early``."""
    state = await anyio.to_thread.run_sync(read_rolling, configuration)
    if state is None or state.stage not in ("overlap", "finishing", "withdrawing"):
        raise RolloverError("no roll-over is under way", hint="begin one: 'hulian identifiers rollover begin'")
    left = state.until - time.time()
    if left > 0 and not early:
        raise RolloverError(f"both keys are good for another {left / 3600:.1f} h", hint="wait, or say --early")
    if state.stage != "withdrawing":
        state = await _promoted(configuration, follow, state, settle)
    # Whoever began something as the second place of the new key may end it.
    await _settled(settle)
    new = await anyio.to_thread.run_sync(own_key, configuration)
    async with _administer(configuration, follow, KEY, signer_for(new)) as by:
        for handle in _handles(configuration):
            if indexes := withdrawn(handle, await by.read(handle), key_value(new).data):
                await by.remove(handle, indexes)
        await _root_data(configuration, by)
    state = Rolling(stage="done", serial=state.serial)
    await anyio.to_thread.run_sync(write_rolling, configuration, state)
    await anyio.to_thread.run_sync(partial(incoming_file(configuration).unlink, missing_ok=True))
    return state


async def _promoted(configuration: Configuration, follow: Follow, state: Rolling, settle: float) -> Rolling:
    """The new key takes the place of the old one: in the records, and when everybody has seen that, here."""
    old, path = await anyio.to_thread.run_sync(own_key, configuration), incoming_file(configuration)
    content = await anyio.to_thread.run_sync(private_files.read, path) or b""
    new = load_key(content, path)
    state = msgspec.structs.replace(state, stage="finishing")
    await anyio.to_thread.run_sync(write_rolling, configuration, state)
    async with _administer(configuration, follow, INCOMING, signer_for(new)) as by:
        for handle in _handles(configuration):
            if values := promoted(await by.read(handle), key_value(old).data, key_value(new).data):
                await by.modify(handle, values)
    await _settled(settle)
    await anyio.to_thread.run_sync(private_files.replace, key_file(configuration), content)
    state = msgspec.structs.replace(state, stage="withdrawing")
    await anyio.to_thread.run_sync(write_rolling, configuration, state)
    return state


async def _settled(seconds: float) -> None:
    """What others remember of keys, and what they are doing with them, is over."""
    await anyio.sleep(seconds)


async def watch(configuration: Configuration, address: str, keys: ServerKeys) -> None:
    """Keeps ``keys`` of the running node as the roll-over stands. Until cancelled."""
    path, seen = rolling_file(configuration), await anyio.to_thread.run_sync(_changed, rolling_file(configuration))
    while True:
        await anyio.sleep(_LOOK)
        now = await anyio.to_thread.run_sync(_changed, path)
        if now == seen:
            continue
        try:
            found = await anyio.to_thread.run_sync(server_keys, configuration, address)
        except HulianError as error:
            _log.warning("the roll-over of the node's key is not taken up", reason=str(error))
            continue
        keys.take(found)
        seen = now
        _log.info("the node's key rolls over", serial=found.site.serial)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _handles(configuration: Configuration) -> list[str]:
    """The records that name the node's key: those of its prefixes, and the root's where it is the root."""
    settings = configuration.identifiers
    named = settings.prefixes or (() if settings.role is Role.ROOT else (configuration.node.prefix,))
    found = [f"0.NA/{prefix}" for prefix in named]
    return [*found, ROOT] if settings.role in (Role.PRIVATE, Role.ROOT) else found


def _administer(configuration: Configuration, follow: Follow, index: int, signer: Signer) -> Administer:
    return Administer(follow, connection, KeyIdentity(f"0.NA/{node_name(configuration)}", index, signer))


async def _taken_up(configuration: Configuration, serial: int) -> None:
    """Waits until the running node signs with both keys; one that does not run takes them up when it starts."""
    settings = configuration.identifiers
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    asked = request(OpCode.GET_SITE, HandleOnly(None), request_id=0, expiration=int(time.time()) + 600)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            body, _ = read_answer(await Client()(Target(host, settings.port, Transport.TCP), asked))
        except (FollowError, WireError):
            return
        if isinstance(body, SiteAnswer) and body.site.serial == serial:
            return
        await anyio.sleep(_LOOK / 5)
    raise RolloverError("the running node does not take up the new key", hint="is it run by this configuration? see its log")


async def _root_data(configuration: Configuration, by: Administer) -> None:
    """The root data that clients begin with name the new key, where this node writes them."""
    from hulian.assembly.identifiers import write_root_data

    if configuration.identifiers.role in (Role.PRIVATE, Role.ROOT):
        values: tuple[Value, ...] = await by.read(ROOT)
        await anyio.to_thread.run_sync(write_root_data, configuration, values)
