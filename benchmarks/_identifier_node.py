"""One node of identifiers in a process of its own: ``python -m benchmarks._identifier_node KIND RECORDS PATH``.

KIND is ``authoritative``, ``recursive`` (every record is in its cache when it says its port) or ``guarded``: authoritative, and
askers on this machine have the budget of strangers, from which they are exempt otherwise. PATH is how plain questions are
answered; ``python`` is without the compiled library altogether. It ends with its standard input, or when killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def name(number: int) -> str:
    return f"88.111.1/item-{number:08d}"


def packed(number: int) -> bytes:
    """Two values of about 150 bytes with the key."""
    from hulian.network.identifiers.wire.values import Value, pack_values

    return pack_values(
        [
            Value(index=1, type="URL", data=b"https://example.com/item/%d" % number, timestamp=1),
            Value(index=2, type="DESC", data=b"pump, 4 kW", timestamp=1),
        ]
    )


def question(number: int) -> bytes:
    from hulian.network.identifiers.wire.bodies import ResolveRequest
    from hulian.network.identifiers.wire.codes import OpFlag
    from hulian.network.identifiers.wire.frame import Message, encode

    body = ResolveRequest(name(number)).pack()
    return encode(Message(op_code=1, body=body, flags=OpFlag.PUBLIC_ONLY.value, expiration=2_000_000_000))


@contextmanager
def node(kind: str, records: int, path: str) -> Iterator[tuple[int, int]]:
    """The port of a node, and the bytes of one of its answers."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    if path == "python":
        environment["HULIAN_COMPILED"] = "off"
    command = [sys.executable, "-m", "benchmarks._identifier_node", kind, str(records), path]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the node did not start")
        port, size = line.split()
        yield int(port), int(size)
    finally:
        process.kill()
        process.wait()


async def _serve(kind: str, records: int, path: str, directory: Path) -> None:
    import anyio

    from hulian.network.identifiers.chain.contract import Asker
    from hulian.network.identifiers.nodes.tiers import enterprise, recursive
    from hulian.network.identifiers.statistics.tally import Meter
    from hulian.network.identifiers.store import RecordStore
    from hulian.network.identifiers.transport.budget import Budget
    from hulian.network.identifiers.transport.server import Listener
    from hulian.network.identifiers.wire.frame import decode, encode
    from hulian.registry import Registry

    store = RecordStore(Registry.open(directory / "node.db"))
    store.home("88.111.1")
    for begin in range(0, records, 100_000):
        numbers = range(begin, min(records, begin + 100_000))
        store.index.put_many([name(number).upper().encode() for number in numbers], [packed(number) for number in numbers])
    link = enterprise(store)
    if kind == "recursive":
        link = recursive(root_data(store), Nearby(link))
        for number in range(records):
            await link.answer(decode(question(number)), Asker(address="127.0.0.1"))
    size = len(encode(await link.answer(decode(question(records - 1)), Asker(address="127.0.0.1"))))
    budget = Budget() if kind == "guarded" else Budget(exempt=["127.0.0.0/8"])
    listener = Listener(link, "127.0.0.1", 0, budget=budget, fast=path, meter=Meter())  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        await group.start(listener.run)
        print(listener.port, size, flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        await anyio.sleep_forever()


def root_data(store):  # type: ignore[no-untyped-def]
    """Root data that name a node which is asked without a socket."""
    from identifier_nodes import site

    store.home("0.NA")
    store.create("0.NA/88.111.1", [site(2641)])
    return (site(2641),)


class Nearby:
    """Asks a node in this process: where the way there is not what is measured. ``asked`` counts."""

    def __init__(self, link) -> None:  # type: ignore[no-untyped-def]
        self._link = link
        self.asked = 0

    async def __call__(self, target, message):  # type: ignore[no-untyped-def]
        from hulian.network.identifiers.chain.contract import Asker

        self.asked += 1
        return await self._link.answer(message, Asker(address="127.0.0.1"))


if __name__ == "__main__":
    import logging

    import anyio
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    with tempfile.TemporaryDirectory() as made:
        anyio.run(_serve, sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(made), backend_options={"use_uvloop": True})
