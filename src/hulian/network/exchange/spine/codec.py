"""The messages of the stream of samples as bytes, and back.

Small batches travel as packed columns, large ones as Arrow, and what a full journal dropped is declared; the beginning is the
same for all (`hulian.network.exchange.spine.header`). Every length is checked against the bytes at hand before anything is
allocated from it. `decode_many` is the way of ingest: messages of one layout are read at once, whatever their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hulian.kernel.sample import BatchHeader, Columns, SampleBatch
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.spine.arrow import read_arrow, write_arrow
from hulian.network.exchange.spine.dropped import Dropped, encode_dropped, read_dropped
from hulian.network.exchange.spine.errors import CodecError
from hulian.network.exchange.spine.header import (
    BEYOND,
    FIXED,
    MAXIMUM_BYTES,
    MAXIMUM_COUNT,
    NUMBERS,
    STORAGES,
    Form,
    Layout,
    head_of,
    layout_of,
    pack_header,
)
from hulian.network.exchange.spine.packing import pack, read_fixed, read_variable, structure

__all__ = [
    "ARROW_FROM",
    "MAXIMUM_BYTES",
    "MAXIMUM_COUNT",
    "Bulk",
    "Dropped",
    "Group",
    "decode",
    "decode_many",
    "encode",
    "encode_dropped",
    "join",
]

ARROW_FROM: Final = 4096
"""Batches of this many samples and more travel as Arrow."""


def encode(batch: SampleBatch, *, arrow_from: int = ARROW_FROM) -> bytes:
    """The bytes of ``batch``; raises `CodecError` where it is larger than the spine carries."""
    header, columns = batch.header, batch.columns
    count = len(columns)
    if count > MAXIMUM_COUNT:
        raise CodecError(f"a batch of {count} samples is longer than {MAXIMUM_COUNT}", place=header.source)
    body: list[Any]
    if count >= arrow_from:
        form, flags, body = Form.ARROW, 0, [write_arrow(columns)]
    else:
        form, (flags, body) = Form.PACKED, pack(columns)
    raw = b"".join((pack_header(form, columns.storage, flags, header, count), *body))
    if len(raw) > MAXIMUM_BYTES:
        raise CodecError(f"a batch of {len(raw)} bytes is larger than {MAXIMUM_BYTES}", place=header.source)
    return raw


class Group(NamedTuple):
    """Messages of one source and one layout, as arrays over the messages; ``places`` are theirs in the input."""

    places: npt.NDArray[np.int64]
    storage: StorageClass
    organisation: str
    source: str
    samples: int
    """In each message."""
    epoch: npt.NDArray[np.uint64]
    sequence: npt.NDArray[np.uint64]
    offset: npt.NDArray[np.uint64]
    received: npt.NDArray[np.int64]
    columns: Sequence[Columns]
    """One for the whole group where it could be read at once, else one a message."""

    def kept(self, keep: npt.NDArray[np.bool_]) -> list[Columns]:
        """The columns of the messages that ``keep`` marks."""
        if keep.all():
            return list(self.columns)
        if len(self.columns) == len(keep):
            return [columns for columns, stays in zip(self.columns, keep, strict=True) if stays]
        (whole,) = self.columns
        return [whole.take(np.repeat(keep, self.samples))]


class Bulk(NamedTuple):
    """What `decode_many` made of the messages: groups, an error for each message that cannot be read, and declarations."""

    groups: list[Group]
    errors: list[tuple[int, CodecError]]
    dropped: list[Dropped]


def decode_many(messages: Sequence[bytes]) -> Bulk:
    """Many messages to few columns. A bad message becomes an error beside its index and harms no other."""
    alike: dict[tuple[bytes, int], list[int]] = {}
    errors: list[tuple[int, CodecError]] = []
    dropped: list[Dropped] = []
    ends: dict[bytes, int] = {}
    for index, raw in enumerate(messages):
        length = len(raw)
        # Equal prefixes have equal name lengths: one slice and two look-ups a message on the usual path.
        end = ends.get(raw[:16])
        if end is None or end + NUMBERS.size > length:
            try:
                head = head_of(raw)
            except CodecError as error:
                errors.append((index, error))
                continue
            ends[raw[:16]] = len(head)
        else:
            head = raw[:end]
        if (found := alike.get((head, length))) is None:
            alike[head, length] = [index]
        else:
            found.append(index)
    groups: list[Group] = []
    for (head, length), indices in alike.items():
        _read_group(head, length, indices, messages, groups, errors, dropped)
    errors.sort(key=lambda entry: entry[0])
    return Bulk(groups, errors, dropped)


def _read_group(
    head: bytes,
    length: int,
    indices: list[int],
    messages: Sequence[bytes],
    groups: list[Group],
    errors: list[tuple[int, CodecError]],
    dropped: list[Dropped],
) -> None:
    try:
        if length > MAXIMUM_BYTES:
            raise CodecError(f"a message of {length} bytes is larger than {MAXIMUM_BYTES}")
        layout = layout_of(head, length)
    except CodecError as error:
        errors.extend((index, error) for index in indices)
        return
    if layout.form is Form.DROPPED:
        _read_declared(layout, indices, messages, errors, dropped)
        return
    raw = messages[indices[0]] if len(indices) == 1 else b"".join([messages[index] for index in indices])
    table = np.frombuffer(raw, structure(layout, length))
    numbered = (table["sequence"] > 0) & (np.maximum(table["sequence"], table["offset"]) < BEYOND) & (table["epoch"] < BEYOND)
    if not numbered.all():
        errors.extend(
            (indices[place], CodecError("epoch, sequence or offset out of range")) for place in np.flatnonzero(~numbered)
        )
        indices = [index for index, stays in zip(indices, numbered, strict=True) if stays]
        table = table[numbered]
        if not indices:
            return
    columns: list[Columns] = []
    good = np.ones(len(indices), np.bool_)
    if layout.form is Form.ARROW or layout.storage not in FIXED:
        for place, index in enumerate(indices):
            try:
                one = (
                    read_arrow(layout, messages[index]) if layout.form is Form.ARROW else read_variable(layout, messages[index])
                )
                _check_series(one.series)
                columns.append(one)
            except CodecError as error:
                good[place] = False
                errors.append((index, error))
    else:
        bad = (table["series"] == 0).any(axis=1) if layout.samples else ~good
        if bad.any():
            good = ~bad
            errors.extend((indices[place], CodecError("a sample without a series (id 0)")) for place in np.flatnonzero(bad))
            table = table[good]
        columns.append(read_fixed(layout, table))
        if not good.all():
            indices = [index for index, stays in zip(indices, good, strict=True) if stays]
            good = np.ones(len(indices), np.bool_)
    if not indices or not good.any():
        return
    if not good.all():
        indices = [index for index, stays in zip(indices, good, strict=True) if stays]
        table = table[good]
    groups.append(
        Group(
            np.array(indices, np.int64),
            layout.storage,
            layout.organisation,
            layout.source,
            layout.samples,
            table["epoch"].astype(np.uint64),
            table["sequence"].astype(np.uint64),
            table["offset"].astype(np.uint64),
            table["received"].astype(np.int64),
            columns,
        )
    )


def _read_declared(
    layout: Layout,
    indices: list[int],
    messages: Sequence[bytes],
    errors: list[tuple[int, CodecError]],
    dropped: list[Dropped],
) -> None:
    for index in indices:
        try:
            dropped.append(read_dropped(layout, messages[index], index))
        except CodecError as error:
            errors.append((index, error))


def _check_series(series: npt.NDArray[np.uint64]) -> None:
    if not series.all():
        raise CodecError("a sample without a series (id 0)")


def decode(raw: bytes) -> SampleBatch:
    """One message to its batch. Raises `CodecError` for whatever `encode` cannot have written; never anything else."""
    bulk = decode_many((raw,))
    if bulk.errors:
        raise bulk.errors[0][1]
    if bulk.dropped:
        raise CodecError("a declaration of dropped batches is no batch", place=bulk.dropped[0].source)
    (group,) = bulk.groups
    header = BatchHeader(
        group.organisation,
        group.source,
        int(group.epoch[0]),
        int(group.sequence[0]),
        int(group.offset[0]),
        int(group.received[0]),
        raw[5],
    )
    return SampleBatch(header, group.columns[0])


def join(groups: Sequence[Group], keep: Sequence[npt.NDArray[np.bool_]] | None = None) -> list[Columns]:
    """The messages of ``groups`` that ``keep`` marks (None: all), in the order in which they came: one `Columns` a storage
    class, in the order of `StorageClass`."""
    joined: list[Columns] = []
    marks = [np.ones(len(group.places), np.bool_) for group in groups] if keep is None else keep
    for storage in STORAGES:
        same = [(group, stays) for group, stays in zip(groups, marks, strict=True) if group.storage is storage and stays.any()]
        parts = [part for group, stays in same for part in group.kept(stays)]
        if not any(len(part) for part in parts):
            continue
        whole = Columns.concatenate(parts)
        if len(same) > 1:
            places = np.concatenate([group.places[stays] for group, stays in same])
            counts = np.concatenate([np.full(int(stays.sum()), group.samples) for group, stays in same])
            whole = _in_order(whole, places, counts)
        joined.append(whole)
    return joined


def _in_order(whole: Columns, places: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Columns:
    """The rows of messages that stand at ``places``, ``counts`` rows each, in the order of the places."""
    order = np.argsort(places, kind="stable")
    if bool((order[1:] > order[:-1]).all()):
        return whole
    starts = (np.cumsum(counts) - counts)[order]
    counts = counts[order]
    rows = np.arange(len(whole)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return whole.take(rows)
