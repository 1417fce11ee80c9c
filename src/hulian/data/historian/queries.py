"""From a request to its answer."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from hulian.data.historian.aggregates import aggregate
from hulian.data.historian.asking import Asking
from hulian.data.historian.contract import (
    Aggregate,
    Downsample,
    LastValues,
    RawWindow,
    Request,
)
from hulian.data.historian.errors import RequestError
from hulian.data.historian.samples import last_values, raw_window
from hulian.data.historian.trends import downsample

__all__ = ["answer"]


def answer(asking: Asking, request: Request) -> Iterator[pa.RecordBatch]:
    """The answer to ``request`` in chunks. Raises `RequestError` where it makes no sense."""
    match request:
        case LastValues():
            return last_values(asking, request)
        case RawWindow():
            return raw_window(asking, request)
        case Aggregate():
            return aggregate(asking, request)
        case Downsample():
            return downsample(asking, request)
    raise RequestError(f"{type(request).__name__} is not a request")
