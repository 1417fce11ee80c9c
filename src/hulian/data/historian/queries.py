"""From a request to its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa

from hulian.data.historian.aggregates import aggregate
from hulian.data.historian.asking import Asking
from hulian.data.historian.contract import (
    Aggregate,
    Aligned,
    Annotations,
    Downsample,
    Events,
    Instants,
    LastValues,
    RawWindow,
    Request,
    TimeInState,
    Versions,
)
from hulian.data.historian.errors import RequestError
from hulian.data.historian.records import find_annotations, find_events, find_versions
from hulian.data.historian.samples import last_values, raw_window
from hulian.data.historian.states import at_instants, time_in_state
from hulian.data.historian.trends import aligned, downsample

__all__ = ["answer"]

_ANSWERS: Final[dict[type[Any], Callable[[Asking, Any], Iterator[pa.RecordBatch]]]] = {
    LastValues: last_values,
    RawWindow: raw_window,
    Aggregate: aggregate,
    TimeInState: time_in_state,
    Instants: at_instants,
    Downsample: downsample,
    Aligned: aligned,
    Events: find_events,
    Annotations: find_annotations,
    Versions: find_versions,
}


def answer(asking: Asking, request: Request) -> Iterator[pa.RecordBatch]:
    """The answer to ``request`` in chunks. Raises `RequestError` where it makes no sense."""
    answering = _ANSWERS.get(type(request))
    if answering is None:
        raise RequestError(f"{type(request).__name__} is not a request")
    return answering(asking, request)
