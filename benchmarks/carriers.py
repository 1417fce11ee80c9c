"""Labels and tag reports: identifiers to a PDF of QR Codes beside segno's symbols alone, reports beside sllurp's decoder.

Run by ``make bench``, or ``python -m benchmarks carriers``. Everything is processor time of this process, in turns.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import segno
from sllurp.llrp import LLRPMessage

from hulian.network.identifiers.carriers.labels.layout import Sheet
from hulian.network.identifiers.carriers.labels.printing import Form, Job, Request, print_labels
from hulian.network.identifiers.carriers.llrp.codec import Frames, Message
from hulian.network.identifiers.carriers.llrp.messages import TagReport, encode_report, read_report
from hulian.network.identifiers.carriers.llrp.numbers import MessageType
from hulian.network.identifiers.carriers.symbols.symbology import Kind

LABELS = 480
SYMBOLS = 60
TAGS, REPORTS = 200, 50
ROUNDS = 5


def rate(work: Callable[[], int]) -> float:
    began = time.process_time()
    done = work()
    return done / (time.process_time() - began)


def our_labels() -> int:
    with tempfile.TemporaryDirectory() as folder:
        requests = (Request(f"88.111.1/ITEM{number}", ("Pump 7",)) for number in range(LABELS))
        job = Job(Kind.QR, sheet=Sheet(210, 297, 3, 8, 8, 2))
        return print_labels(requests, job, Path(folder, "labels.pdf"), Form.PDF).labels


def their_symbols() -> int:
    for number in range(SYMBOLS):
        segno.make(f"88.111.1/ITEM{number}", error="m", boost_error=False, micro=False)
    return SYMBOLS


REPORT = Message(
    MessageType.RO_ACCESS_REPORT,
    1,
    encode_report(
        [TagReport(bytes(10) + tag.to_bytes(2, "big"), 96, 1, -50, 10**15, 10**15, 1, 0x3000) for tag in range(TAGS)]
    ),
).encode()


def our_reports() -> int:
    frames = Frames()
    return sum(len(read_report(message.body)) for _ in range(REPORTS) for message in frames.feed(REPORT))


def their_reports() -> int:
    return sum(len(LLRPMessage(msgbytes=REPORT).msgdict["RO_ACCESS_REPORT"]["TagReportData"]) for _ in range(REPORTS))


def _row(name: str, unit: str, ours: Callable[[], int], reference: str, theirs: Callable[[], int], what: str) -> dict[str, Any]:
    ours()
    turns = [(rate(ours), rate(theirs)) for _ in range(ROUNDS)]
    value, other = (statistics.median(column) for column in zip(*turns, strict=True))
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "reference": reference,
        "reference_value": other,
        "ratio": value / other,
        "conditions": f"{what}; CPU time, median of {ROUNDS} turns",
    }


def run() -> list[dict[str, Any]]:
    return [
        _row(
            "carriers.labels_per_s",
            "labels/s",
            our_labels,
            "segno (symbols alone, no page)",
            their_symbols,
            "QR Codes of Handles with two lines of text, 24 to an A4 page, to a PDF on disk",
        ),
        _row(
            "carriers.tag_reports_per_s",
            "tags/s",
            our_reports,
            "sllurp",
            their_reports,
            f"RO_ACCESS_REPORT of {TAGS} tags with antenna, RSSI, times, count and PC, from octets to reports",
        ),
    ]
