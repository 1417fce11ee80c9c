"""OPC UA's decoder on what plants really send, and the connector at full load.

Run by ``make bench``, or ``python -m benchmarks opcua_decode``. The decoder gets one message of interleaved types with both
timestamps and 1 % bad values; asyncua decodes the same message in the same run. The connector has a process of its own and
is fed by a server that speaks a real secure channel (policy None) and replays prepared notifications as fast as they are taken.
"""

from __future__ import annotations

import itertools
import platform
import random
import struct
import time
from typing import Any

TICKS = 134_000_000_000_000_000
KINDS = ("double", "float", "int32", "boolean", "int16", "uint32", "string", "int64")
"""The types of a mixed message, taken in turn: every eighth value has no fixed size."""


def sample(handle: int, kind: str, number: int, *, bad: bool) -> bytes:
    """A MonitoredItemNotification with both timestamps; a bad one has a status and no value."""
    times = struct.pack("<qq", TICKS + number, TICKS + number + 1)
    if bad:
        return struct.pack("<IBI", handle, 0x0E, 0x800A_0000) + times
    value = {
        "double": lambda: struct.pack("<Bd", 11, number / 3),
        "float": lambda: struct.pack("<Bf", 10, number / 3),
        "int32": lambda: struct.pack("<Bi", 6, number),
        "boolean": lambda: struct.pack("<BB", 1, number & 1),
        "int16": lambda: struct.pack("<Bh", 4, number % 32_000),
        "uint32": lambda: struct.pack("<BI", 7, number),
        "int64": lambda: struct.pack("<Bq", 8, number << 33),
        "string": lambda: (lambda text: struct.pack("<Bi", 12, len(text)) + text)(b"state-%d" % (number % 500)),
    }[kind]()
    return struct.pack("<IB", handle, 0x0D) + value + times


def mixed_items(count: int, seed: int = 7) -> bytes:
    """``count`` notifications of `KINDS` in turn, 1 % of them bad at places that follow no rule."""
    chance = random.Random(seed)
    chosen = set(chance.sample(range(count), count // 100))
    return b"".join(sample(n, KINDS[n % len(KINDS)], n + chance.randrange(1000), bad=n in chosen) for n in range(count))


def publish_body(items: bytes, count: int) -> bytes:
    """A PublishResponse with one DataChangeNotification of ``items``."""
    from asyncua import ua
    from asyncua.ua.ua_binary import struct_to_binary

    response = ua.PublishResponse()
    response.Parameters.NotificationMessage.NotificationData = [ua.DataChangeNotification()]
    empty = bytes(struct_to_binary(response))
    place = empty.index(struct.pack("<ii", 8, 0))
    return empty[:place] + struct.pack("<ii", len(items) + 8, count) + items + empty[place + 8 :]


def rates(bodies: list[bytes], count: int, rounds: int = 5, seconds: float = 0.4) -> tuple[float, float]:
    """(ours, asyncua's) values a second of CPU time over ``bodies`` in turn, the best of ``rounds`` interleaved turns each."""
    from asyncua import ua
    from asyncua.common.utils import Buffer
    from asyncua.ua.ua_binary import struct_from_binary

    from hulian.network.exchange.protocols.opcua.wire import decode_publish

    def rate(decode: Any) -> float:
        begun = time.process_time()
        done = 0
        for body in itertools.cycle(bodies):
            decode(body)
            done += count
            if time.process_time() - begun > seconds:
                break
        return done / (time.process_time() - begun)

    best = [0.0, 0.0]
    for _ in range(rounds):
        best[1] = max(best[1], rate(lambda body: struct_from_binary(ua.PublishResponse, Buffer(body))))
        best[0] = max(best[0], rate(decode_publish))
    return best[0], best[1]


def run(count: int = 1000) -> list[dict[str, Any]]:
    """The rows of ``benchmarks/results/latest.json`` about decoding and the highest rate."""
    ours, theirs = rates([publish_body(mixed_items(count, seed), count) for seed in range(20)], count)
    return [
        {
            "name": "opcua.decode_values_per_s", "value": round(ours), "unit": "1/s of CPU time",
            "reference": "asyncua's decoder", "reference_value": round(theirs), "ratio": round(ours / theirs, 1),
            "conditions": f"20 different PublishResponses of {count} values of {len(KINDS)} types in turn "
            f"(one a string) with both timestamps, 1 % bad, best of 5 x 0.4 s, interleaved; Python {platform.python_version()}",
        },
    ]  # fmt: skip
