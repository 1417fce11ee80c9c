"""InfluxDB line protocol to columns. Bytes in, columns out: no socket, no clock.

    measurement[,tag=value …] field=value[,field=value …] [timestamp]

Lines without quotes, escapes and comments, which is what machines send, are taken apart by Arrow as a whole; the others one by
one. Syntax: docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from hulian.network.exchange.protocols.http.address import series_key
from hulian.network.exchange.protocols.moments import LATEST

__all__ = ["PRECISIONS", "Points", "decode"]

PRECISIONS: Final = {
    "": 1, "n": 1, "ns": 1, "u": 1_000, "us": 1_000, "µ": 1_000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9,
}  # fmt: skip
"""ns of one unit of the ``precision`` of a request; a request that names none means ns."""
_MOST_TOLD: Final = 20
_PIECE: Final = 2**20
_SPECIAL = re.compile(rb'["\\#\r\t\0]')
_KEY = re.compile(rb"((?:[^, \\]|\\.)+(?:,(?:[^,= \\]|\\.)+=(?:[^,= \\]|\\.)+)*) +")
_FIELD = re.compile(rb'((?:[^,= \\]|\\.)+)=("(?:[^"\\]|\\.)*"|[^", ]*)(,|\s+|\Z)', re.DOTALL)
_NUMBER = re.compile(rb"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?\Z")
_DIGITS = re.compile(rb"[-+]?\d+\Z")
_WORDS: Final = {b"t": True, b"T": True, b"true": True, b"True": True, b"TRUE": True,
                 b"f": False, b"F": False, b"false": False, b"False": False, b"FALSE": False}  # fmt: skip
_KINDS: Final = {
    "double": pa.float64(),
    "integer": pa.int64(),
    "unsigned": pa.uint64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
}


class Points(msgspec.Struct):
    """What a body holds: for each kind of value (double, integer, unsigned, boolean, text) the number of its name, its time
    (UTC ns) and its value. ``names`` are series key and field; ``bad`` lines (from 1) with what is wrong."""

    names: list[tuple[str, str]] = []
    parts: list[tuple[str, npt.NDArray[np.int64], npt.NDArray[np.int64], pa.Array]] = []
    lines: int = 0
    bad_lines: int = 0
    bad: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return sum(len(times) for _, _, times, _ in self.parts)


def decode(body: bytes, received: int, precision: str = "ns") -> Points:
    """The points of ``body``; a line without a time gets ``received``. A line that is none harms no other.

    >>> points = decode(b'cpu,host=a usage=0.5,n=3i 17\\n', 0)
    >>> points.names, [(kind, values.to_pylist()) for kind, _, _, values in points.parts]
    ([('cpu,host=a', 'n'), ('cpu,host=a', 'usage')], [('double', [0.5]), ('integer', [3])])
    """
    factor = PRECISIONS[precision]
    gathered = Points()
    names: dict[tuple[str, str], int] = {}
    if b'"' in body:
        lines = _lines(body)
        plain = [line for line in lines if line.count(b" ") == 2 and not _SPECIAL.search(line)]
        others = [line if line.count(b" ") != 2 or _SPECIAL.search(line) else b"" for line in lines]
        found = _quickly(b"\n".join(plain), factor)
        if found is None:
            found, others = Points(), lines
        _add(gathered, names, found)
        _add(gathered, names, _one_by_one(others, received, factor, 0))
        return gathered
    at, line = 0, 0
    while at < len(body):
        end = body.find(b"\n", at + _PIECE) + 1 or len(body)
        piece = body[at:end]
        found = None if _SPECIAL.search(piece) else _quickly(piece, factor)
        if found is None:
            found = _one_by_one(piece.split(b"\n"), received, factor, line)
        _add(gathered, names, found)
        at = end
        line += piece.count(b"\n")
    return gathered


def _add(whole: Points, names: dict[tuple[str, str], int], more: Points) -> None:
    """``more`` behind ``whole``, under its numbers of names."""
    numbers = np.array([names.setdefault(name, len(names)) for name in more.names], np.int64)
    whole.names = list(names)
    whole.parts += [(kind, numbers[codes], times, values) for kind, codes, times, values in more.parts]
    whole.lines += more.lines
    whole.bad_lines += more.bad_lines
    whole.bad = (whole.bad + more.bad)[:_MOST_TOLD]


def _quickly(body: bytes, factor: int) -> Points | None:
    try:
        return _together(body, factor)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None


def _together(body: bytes, factor: int) -> Points | None:
    """All lines at once; None where one of them is not as simple as that."""
    if not body.strip(b" \n"):
        return Points()
    table = _table(body, " ", {"key": _CODED, "fields": pa.string(), "time": pa.int64()})
    keys, times = table.column("key").combine_chunks(), table.column("time").combine_chunks()
    if table.column("fields").null_count or times.null_count or keys.null_count:
        return None
    stamps = np.asarray(times)
    if len(stamps) and (int(stamps.min()) < 0 or int(stamps.max()) > LATEST // factor):
        return None
    fields = pc.split_pattern(table.column("fields").combine_chunks(), ",")
    counts = np.asarray(pc.list_value_length(fields))
    flat = fields.flatten()
    pairs = _table(_joined(flat), "=", {"field": _CODED, "value": pa.string()})
    if pairs.num_rows != len(flat):
        return None
    named, values = pairs.column("field").combine_chunks(), pairs.column("value").combine_chunks()
    rows = np.repeat(np.arange(len(stamps)), counts)
    width = len(named.dictionary)
    codes = np.asarray(keys.indices).astype(np.int64)[rows] * width + np.asarray(named.indices)
    different, places = np.unique(codes, return_inverse=True)
    key_texts, field_texts = keys.dictionary.to_pylist(), named.dictionary.to_pylist()
    if not all(_is_key(text) for text in key_texts) or not all(field_texts):
        return None
    canonical = [series_key(text) for text in key_texts]
    points = Points(
        names=[(canonical[code // width], field_texts[code % width]) for code in different.tolist()], lines=len(stamps)
    )
    return points if _typed(points, places, stamps[rows] * factor, values) else None


_CODED: Final = pa.dictionary(pa.int32(), pa.string())


def _joined(flat: pa.Array) -> bytes:
    """Texts with a line end behind each: the bytes of the column, with one more place for each."""
    whole = pc.binary_join_element_wise(flat, "", "\n")
    if whole.offset:
        whole = pa.concat_arrays([whole])
    _, offsets, data = whole.buffers()
    last = int(np.frombuffer(offsets, np.int32)[len(whole)])
    found: bytes = data.slice(0, last).to_pybytes()
    return found


def _table(data: bytes, delimiter: str, types: dict[str, pa.DataType]) -> pa.Table:
    return arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(use_threads=False, column_names=list(types), block_size=max(len(data) + 1, 4096)),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False),
        convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )


def _is_key(text: str) -> bool:
    """Measurement and complete tags."""
    measurement, *tags = text.split(",")
    return bool(measurement) and all(name and equals and value for name, equals, value in (tag.partition("=") for tag in tags))


def _typed(points: Points, places: Any, times: Any, values: pa.Array) -> bool:
    """Values by their last character; False where one has no type."""
    if values.null_count:
        return False
    last = pc.utf8_slice_codeunits(values, -1)
    whole, unsigned = np.asarray(pc.equal(last, "i")), np.asarray(pc.equal(last, "u"))
    words = np.asarray(pc.is_in(values, pa.array([word.decode() for word in _WORDS])))
    rest = ~(whole | unsigned | words)
    for kind, mask in (("double", rest), ("integer", whole), ("unsigned", unsigned), ("boolean", words)):
        if not mask.any():
            continue
        all_of = bool(mask.all())
        mine = values if all_of else values.filter(pa.array(mask))
        if kind == "boolean":
            taken = pc.is_in(mine, pa.array([word.decode() for word, value in _WORDS.items() if value]))
        else:
            taken = (mine if kind == "double" else pc.utf8_slice_codeunits(mine, 0, -1)).cast(_KINDS[kind])
        if kind == "double" and not np.isfinite(np.asarray(taken)).all():
            return False
        points.parts.append((kind, places if all_of else places[mask], times if all_of else times[mask], taken))
    return True


# -- one line after the other ------------------------------------------------------------------------------------------


def _one_by_one(lines: list[bytes], received: int, factor: int, before: int) -> Points:
    points = Points()
    names: dict[tuple[str, str], int] = {}
    found: dict[str, tuple[list[int], list[int], list[Any]]] = {kind: ([], [], []) for kind in _KINDS}
    keys: dict[bytes, str] = {}
    following = before + 1
    for raw in lines:
        number, following = following, following + 1 + raw.count(b"\n")
        line = raw.strip(b" \t\r")
        if not line or line.startswith(b"#"):
            continue
        points.lines += 1
        try:
            key, fields, stamp = _scan(line)
            time = received if stamp is None else _time(stamp, factor)
            text = keys.get(key) or keys.setdefault(key, series_key(key.decode()))
            typed = [(_unescaped(name), *_value(value)) for name, value in fields]
        except (ValueError, UnicodeDecodeError) as error:
            points.bad_lines += 1
            if len(points.bad) < _MOST_TOLD:
                points.bad.append((number, str(error)))
            continue
        for name, kind, value in typed:
            codes, times, values = found[kind]
            codes.append(names.setdefault((text, name), len(names)))
            times.append(time)
            values.append(value)
    points.names = list(names)
    for kind, (codes, times, values) in found.items():
        if codes:
            points.parts.append((kind, np.array(codes, np.int64), np.array(times, np.int64), pa.array(values, _KINDS[kind])))
    return points


def _lines(body: bytes) -> list[bytes]:
    """At line ends; those within a quoted value belong to it."""
    lines = body.split(b"\n")
    if b'"' not in body:
        return lines
    whole: list[bytes] = []
    open_line: list[bytes] = []
    for line in lines:
        open_line.append(line)
        if not _open(line, within=len(open_line) > 1):
            whole.append(b"\n".join(open_line))
            open_line = []
    return whole + open_line  # a quote that is never closed spoils only its own line


def _open(line: bytes, *, within: bool) -> bool:
    """Whether a quoted value is open at the end; a quote opens one only behind '='."""
    at = 0
    while True:
        if within:
            end = line.find(b'"', at)
            while end > 0 and _escaped(line, end):
                end = line.find(b'"', end + 1)
            if end < 0:
                return True
            within, at = False, end + 1
        else:
            begin = line.find(b'="', at)
            if begin < 0:
                return False
            within, at = True, begin + 2


def _escaped(line: bytes, at: int) -> bool:
    """Whether an odd number of backslashes stands before."""
    start = at
    while start > 0 and line[start - 1] == 0x5C:
        start -= 1
    return bool((at - start) & 1)


def _scan(line: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes | None]:
    """Series key, fields (names and values as they are written), timestamp. Raises `ValueError`."""
    key = _KEY.match(line)
    if key is None:
        raise ValueError(f"no measurement and tags at {line[:40]!r}")
    at = key.end()
    fields: list[tuple[bytes, bytes]] = []
    while (field := _FIELD.match(line, at)) is not None:
        fields.append((field[1], field[2]))
        at = field.end()
        if field[3] != b",":
            return key[1], fields, line[at:].strip() or None
    raise ValueError(f"no field at {line[at : at + 40]!r}")


def _time(stamp: bytes, factor: int) -> int:
    if not _DIGITS.match(stamp) or len(stamp) > 20:
        raise ValueError(f"{stamp[:30]!r} is no time")
    found = int(stamp) * factor
    if not 0 <= found <= LATEST:
        raise ValueError(f"the time {stamp.decode()} is not between 1970 and 2262")
    return found


def _unescaped(name: bytes) -> str:
    text = name.decode()
    return re.sub(r"\\([,= ])", r"\1", text) if "\\" in text else text


def _value(text: bytes) -> tuple[str, Any]:
    """Kind and value. Raises `ValueError`."""
    if text[:1] == b'"':
        inner = text[1:-1]
        return "text", re.sub(rb'\\(["\\])', rb"\1", inner).decode() if b"\\" in inner else inner.decode()
    if text in _WORDS:
        return "boolean", _WORDS[text]
    last = text[-1:]
    if last in (b"i", b"u") and _DIGITS.match(text[:-1]) and len(text) <= 22:
        number = int(text[:-1])
        if last == b"i" and -(2**63) <= number < 2**63:
            return "integer", number
        if last == b"u" and 0 <= number < 2**64:
            return "unsigned", number
        raise ValueError(f"{text.decode()} is out of range")
    if len(text) <= 64 and _NUMBER.match(text):
        found = float(text)
        if found - found == 0:
            return "double", found
    raise ValueError(f"{text[:40]!r} is no value")
