"""The identifier node of an installation: its key, its first records, and the names of the plant as records."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.assembly.active import attend, served
from hulian.assembly.configuration import Configuration
from hulian.assembly.escrow import daily_escrow
from hulian.assembly.identifier_files import root_data, root_file
from hulian.assembly.identifier_key import Proving, copying_key, current, own_key, own_keys, server_keys
from hulian.assembly.local import api_url
from hulian.assembly.preparation import open_authority
from hulian.assembly.rollover import watch
from hulian.data.catalogue import Catalogue
from hulian.kernel.errors import ConfigurationError, HulianError
from hulian.kernel.identifier import escape
from hulian.network.identifiers.active.record import CARRIER_TYPE
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.escrow.restore import check_finished
from hulian.network.identifiers.nodes.beginning import INCOMING, admin_value, begin_root, key_value, node_key
from hulian.network.identifiers.nodes.configuration import Publish, Role
from hulian.network.identifiers.nodes.mirror import Mirror
from hulian.network.identifiers.nodes.reporting import Reporter
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.nodes.takeover import TakeOver
from hulian.network.identifiers.statistics.kept import Kept
from hulian.network.identifiers.statistics.votes import Poll
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.root_info import pack_root_info
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Reference, Value, pack_values, scan
from hulian.registry import Registry
from hulian.trust import machine_names, private_files

if TYPE_CHECKING:
    from hulian.data.catalogue import PointRecord
    from hulian.network.identifiers.transport.rest.asker import RestAsker

__all__ = ["identifier_node", "local_rest"]

SECONDS: Final = 2.0
"""How long after a change of the catalogue its points can be resolved."""

_DATA, _DESCRIPTION, _ADMIN = 1, 2, 100
_DATA_TYPE: Final = b"HULIAN.DATA"
_NOTHING: Final = bytes(4)
_PUBLISHER: Final = "catalogue"
_PAGE: Final = 1_000
_MOST_NAMED: Final = 100
"""Points that the record of a thing names; its address lists them all."""
_TTL: Final = 3_600
_log = structlog.get_logger(__name__)


def local_rest(configuration: Configuration) -> RestAsker | None:
    """What asks the HTTP face of this machine's own node; None where it has none."""
    from hulian.network.identifiers.transport.rest.asker import RestAsker

    settings = configuration.identifiers
    if not settings.port or not settings.rest_port:
        return None
    if settings.rest_host in ("127.0.0.1", "::1", "localhost"):
        host = "[::1]" if settings.rest_host == "::1" else settings.rest_host
        return RestAsker(f"http://{host}:{settings.rest_port}")
    host = "127.0.0.1" if settings.rest_host in ("0.0.0.0", "::") else settings.rest_host  # noqa: S104
    return RestAsker(f"https://{host}:{settings.rest_port}", open_authority(configuration).root_file())


def write_root_data(configuration: Configuration, values: Iterable[Value]) -> None:
    """The root data of a node that is the root itself: the public ones among the ``values`` of its record."""
    public = [value for value in values if value.type.startswith("HS_") and value.public_read]
    private_files.replace(root_file(configuration), pack_root_info(public), mode=0o644)


def identifier_node(configuration: Configuration, registry: Registry | None) -> NodeService:
    """The node that the configuration describes, ready to run."""
    settings = configuration.identifiers
    if registry is None or settings.role is Role.RECURSIVE:
        return _recursive(configuration, registry)
    store = RecordStore(registry)
    check_finished(store)
    key = current(configuration).public
    address = settings.address or (settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1")  # noqa: S104
    prefixes = settings.prefixes or (() if settings.role is Role.ROOT else (configuration.node.prefix,))
    if settings.role in (Role.PRIVATE, Role.ROOT) and not settings.mirror_as:
        root = begin_root(store, prefixes[0] if prefixes else "", key, address, settings.port)
        write_root_data(configuration, root)
        named = prefixes[0] if prefixes else "0.NA"
    else:
        root = root_data(root_file(configuration)) if settings.root else ()
        named = prefixes[0] if prefixes else "0.NA"
    dns = msgspec.structs.replace(settings.dns, prefix=settings.dns.prefix or (prefixes[0] if prefixes else ""))
    settings = msgspec.structs.replace(settings, dns=dns)
    beside: list[Callable[[], Coroutine[Any, Any, None]]] = []
    if settings.mirror_as:
        if not root:
            raise ConfigurationError("a mirror finds its primary site from root data", hint="name the file: identifiers.root")
        follow, who = Follow(root, Client()), Reference.parse(settings.mirror_as)
        copying = partial(copying_key, configuration)
        copying()  # where it cannot be had, the node does not start
        beside.append(Mirror(store, follow, named, who, copying, seconds=settings.mirror_s).run)
    else:
        for prefix in prefixes:
            store.home(prefix)
    own = node_key(named)
    administrators = [Reference.parse(text) for text in settings.administrators] or [own]
    if own in administrators:
        administrators.append(Reference(own.handle, INCOMING))  # while the key rolls over, it has two places
    publishes = settings.role in (Role.PRIVATE, Role.ENTERPRISE) and not settings.mirror_as
    if publishes and settings.publish is not Publish.NOTHING:
        beside.append(Publisher(configuration, registry, store, administrators[0]).run)
    if settings.escrow.directory:
        beside.append(daily_escrow(configuration, registry).run)
    keys = server_keys(configuration, address)
    beside.append(partial(watch, configuration, address, keys))
    takeover = None
    if settings.takeover and not settings.mirror_as:
        takeover = _takeover(configuration, store, root, named, lambda: keys.site, beside)
    attended = None
    if served(configuration) and not settings.mirror_as:
        attended = attend(configuration, registry, own_key(configuration), administrators[0], root)
    certificate, reporter = _certificate(configuration), _reporter(configuration, store, named)
    return NodeService(settings, store, root, administrators, keys, keys, beside, certificate, takeover, reporter, attended)


def _recursive(configuration: Configuration, registry: Registry | None) -> NodeService:
    """A node that keeps no records: what it counts is in ``registry``, and those who run it prove their keys over HTTP."""
    settings = configuration.identifiers
    named = node_key(settings.prefixes[0] if settings.prefixes else configuration.node.prefix)
    key, incoming = own_keys(configuration)
    values = [key_value(key.public), *([key_value(incoming.public, index=INCOMING)] if incoming else [])]
    administrators = [Reference.parse(text) for text in settings.administrators] or [named, Reference(named.handle, INCOMING)]
    return NodeService(
        settings,
        None,
        root_data(root_file(configuration)),
        administrators,
        certificate=_certificate(configuration),
        registry=registry,
        own={named.handle: values},
    )


def _reporter(configuration: Configuration, store: RecordStore, named: str) -> Callable[[Kept], Reporter] | None:
    """What reports to the node above; None where nothing is reported. The primary site does it for all of them."""
    settings = configuration.identifiers
    if not settings.report_to or settings.mirror_as:
        return None
    if settings.role is Role.PRIVATE:
        hint = "leave identifiers.report_to empty, or register the prefix and choose the role enterprise"
        raise ConfigurationError("a private node reports to nobody", place="identifiers.report_to", hint=hint)

    askers: list[RestAsker] = []

    async def send(sealed: bytes) -> None:
        if not askers:
            from hulian.network.identifiers.transport.rest.asker import RestAsker

            askers.append(RestAsker(settings.report_to, settings.report_authority))
        await askers[0].post("/api/reports", sealed)

    identity = Proving(configuration, node_key(named).handle)
    return lambda kept: Reporter(store, kept, named, identity, send, settings.report_data)


def _takeover(
    configuration: Configuration,
    store: RecordStore,
    root: Sequence[Value],
    named: str,
    site: Callable[[], Site],
    beside: list[Callable[[], Coroutine[Any, Any, None]]],
) -> TakeOver:
    """What answers for nodes below while they are down; ``beside`` keeps its copies of their records up to date."""
    settings = configuration.identifiers
    if not root:
        raise ConfigurationError("nodes below are found from root data", hint="name the file: identifiers.root")
    follow, copies = Follow(root, Client()), {}
    copying = partial(copying_key, configuration)
    copying()  # where it cannot be had, the node does not start
    directory = Path(configuration.node.data) / "identifiers" / "copies"
    private_files.private_directory(directory)
    for prefix in settings.takeover:
        copies[prefix] = RecordStore(Registry.open(directory / f"{escape(prefix)}.db"))
        who = node_key(named)
        beside.append(Mirror(copies[prefix], follow, prefix, who, copying, seconds=settings.mirror_s).run)
    poll = Poll(map(Reference.parse, settings.probes), settings.takeover, fresh=settings.probe_fresh_s)
    return TakeOver(store, copies, site, poll, follow, hold=settings.takeover_hold_s)


def _certificate(configuration: Configuration) -> Callable[[], tuple[Path, Path]]:
    """Makes the certificate that the node shows over HTTPS, where it was given none."""
    address = configuration.identifiers.address
    names = machine_names(configuration.identifiers.rest_host, also=[address] if address else [])

    def made() -> tuple[Path, Path]:
        found = open_authority(configuration).server_certificate(names, "identifiers")
        return found.certificate, found.key

    return made


class Publisher:
    """Keeps a record for each point and thing of the catalogue: what it is, and where its data are. It never holds a value.

    Records that somebody else has made under the same name are left alone; who they are of is told by their HS_ADMIN.
    """

    def __init__(self, configuration: Configuration, registry: Registry, store: RecordStore, administrator: Reference) -> None:
        self._catalogue = Catalogue(registry, configuration.node.organisation)
        self._store = store
        self._url = api_url(configuration)
        self._open = configuration.identifiers.publish is Publish.DESCRIPTIONS
        self._admin = admin_value(administrator, index=_ADMIN)
        self._prefix = configuration.node.prefix
        self._seen = -1

    async def run(self) -> None:
        """Until cancelled. What fails is tried again, later each time."""
        pause = SECONDS
        while True:
            try:
                await anyio.to_thread.run_sync(self.publish)
                pause = SECONDS
            except HulianError as error:
                pause = min(pause * 2, 60.0)
                _log.warning("the plant's names are not published", reason=str(error), again_in=pause)
            await anyio.sleep(pause)

    def publish(self) -> int:
        """Brings the records to what the catalogue says; how many were changed."""
        revision = self._catalogue.revision()
        if revision == self._seen:
            return 0
        wanted: dict[bytes, tuple[str, tuple[Value, ...]]] = {}
        alike = []
        for handle, values in self._wanted():
            there, _ = wanted.setdefault(key_of(handle), (handle, values))
            if there != handle:
                alike.append((there, handle))
        if alike:
            # For the protocol they are one name, and it stands for one thing.
            _log.warning(
                "names that differ only in the case of letters: the first is published", names=alike[:10], of=len(alike)
            )
        published = set(self._published())
        new = []
        for key, (handle, values) in wanted.items():
            packed = self._store.packed(key)
            if packed is None or (key in published and packed != pack_values(values)):
                new.append((handle, values))
        for begin in range(0, len(new), _PAGE):
            self._store.create_many(new[begin : begin + _PAGE], overwrite=True, by=_PUBLISHER)
        gone = published - wanted.keys()
        for key in gone:
            self._store.delete(key.decode(), by=_PUBLISHER)
        self._seen = revision
        return len(new) + len(gone)

    def _published(self) -> Iterator[bytes]:
        """The keys of the records that this publisher has made: those with the address of their data, but for carriers'."""
        above = key_of(f"{self._prefix}/")
        last = b""
        while found := self._store.below(above, last, _PAGE):
            for handle in found:
                key = key_of(handle)
                kinds = {value.type for value in scan(self._store.packed(key) or _NOTHING)}
                if _DATA_TYPE in kinds and CARRIER_TYPE.encode() not in kinds:
                    yield key
            last = key_of(found[-1])

    def _wanted(self) -> Iterator[tuple[str, tuple[Value, ...]]]:
        """The points, page by page, and the things that they belong to."""
        things: dict[str, list[PointRecord]] = {}
        cursor = None
        while True:
            page = self._catalogue.search(limit=_PAGE, cursor=cursor)
            for record in page.items:
                name = record.point.name
                yield name, self._record(name, record.changed, _described(record), f"/points/{escape(name)}")
                things.setdefault(record.point.thing, []).append(record)
            if (cursor := page.next) is None:
                break
        for thing, records in things.items():
            points = [record.point.name for record in records[:_MOST_NAMED]]
            newest = max(record.changed for record in records)
            told = {"kind": "thing", "points": len(records), "names": points}
            yield thing, self._record(thing, newest, told, f"/points?thing={quote(thing, safe='')}")

    def _record(self, name: str, changed: int, described: dict[str, Any], path: str) -> tuple[Value, ...]:
        stamp = changed // 1_000_000_000

        def value(index: int, kind: str, data: bytes) -> Value:
            return Value(index=index, type=kind, data=data, timestamp=stamp, ttl=_TTL)

        values = [value(_DATA, _DATA_TYPE.decode(), f"{self._url}/api/v1{path}".encode())]
        if self._open:
            values.append(value(_DESCRIPTION, "HULIAN.DESCRIPTION", msgspec.json.encode(described)))
        return (*values, msgspec.structs.replace(self._admin, timestamp=stamp))


def _described(record: PointRecord) -> dict[str, Any]:
    """What a point is, without where it is read: addresses of devices are nobody's business."""
    point = record.point
    told = {"tag": point.tag, "unit": point.unit, "path": point.path, "low": point.low, "high": point.high}
    more = {key: value for key, value in told.items() if value not in ("", None)}
    return {"kind": "point", "thing": point.thing, "storage": point.storage.value, **more, "texts": point.texts}
