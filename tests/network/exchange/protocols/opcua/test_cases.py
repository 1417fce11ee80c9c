"""Cases as data: a message as a server sent it, the points, and what must come of it.

A case is a folder in ``tests/cases/opcua``: ``case.json`` with ``storages`` (of points 1, 2, …), ``received`` (ns), ``message``
(hexadecimal, a PublishResponse) and ``expected``: ``samples`` [point, time, value, status], ``mismatched``, ``overflowed``;
or ``error``, a part of the message of the error. To report a decoding bug, add a folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.opcua.errors import WireError
from hulian.network.exchange.protocols.opcua.table import Table
from hulian.network.exchange.protocols.opcua.wire import decode_publish

CASES = sorted((Path(__file__).parents[4] / "cases" / "opcua").glob("*/case.json"))


@pytest.mark.parametrize("path", CASES, ids=[path.parent.name for path in CASES])
def test_case(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    message, expected = bytes.fromhex(case["message"]), case["expected"]
    if "error" in expected:
        with pytest.raises(WireError, match=expected["error"]):
            decode_publish(message)
        return
    table = Table(
        [
            Binding(series=number, address=f"i={number}", storage=StorageClass(storage))
            for number, storage in enumerate(case["storages"], 1)
        ]
    )
    taken = table.take(decode_publish(message).notification.blocks, case["received"])
    rows: list[list[Any]] = []
    for columns in taken.columns:
        for series, time, value, status in zip(
            columns.series.tolist(), columns.time.tolist(), columns.value.to_pylist(), columns.status.tolist(), strict=True
        ):
            rows.append([series, time, value.hex() if isinstance(value, bytes) else value, status])
    assert sorted(rows, key=lambda row: row[:2]) == expected["samples"]
    assert sorted(place + 1 for place, _ in taken.mismatched) == expected.get("mismatched", [])
    assert [place + 1 for place in taken.overflowed] == expected.get("overflowed", [])


def test_there_are_cases() -> None:
    assert len(CASES) >= 5
