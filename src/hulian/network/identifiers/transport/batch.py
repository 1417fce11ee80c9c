"""Many datagrams in one call of the system, without a compiled library: recvmmsg and sendmmsg of the C library, by ctypes."""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from hulian.network.identifiers.statistics.tally import Tally

__all__ = ["Batch", "Source"]

Source: TypeAlias = "tuple[str, int] | tuple[str, int, int, int]"

_COUNT: Final = 64
_LONGEST: Final = 65_536
_ANSWER: Final = 512
_NAME: Final = 32
_KNOWN: Final = 4_096
_CODE: Final = 27
"""Where the last byte of the response code stands, which is all of it in a plain answer."""


class _Piece(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """``struct mmsghdr`` of Linux on machines of 64 bits."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("pieces", ctypes.c_void_p),
        ("piece_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_uint32),  # of the message header inside
        ("size", ctypes.c_uint32),
    )


_WORDS: Final = ctypes.sizeof(_Header) // 4
_LONG_WORDS: Final = _WORDS // 2
_NAME_WORDS: Final = _NAME // 4
_NAME_SIZE: Final = _Header.name_size.offset // 4
_SIZE: Final = _Header.size.offset // 4


def _calls() -> tuple[Callable[..., int], Callable[..., int]] | None:
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    try:
        receive, send = library.recvmmsg, library.sendmmsg
    except AttributeError:
        return None
    receive.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    return receive, send


class Batch:
    """Room for 64 datagrams that come to a socket, and 64 answers of at most 512 bytes to them."""

    def __init__(self, receive: Callable[..., int], send: Callable[..., int]) -> None:
        self._receive, self._send = receive, send
        self._in, self._names = bytearray(_COUNT * _LONGEST), bytearray(_COUNT * _NAME)
        self._out = bytearray(_COUNT * _ANSWER)
        in_base, name_base, out_base = (_base(room) for room in (self._in, self._names, self._out))
        self._pieces, self._answers = (_Piece * _COUNT)(), (_Piece * _COUNT)()
        self._headers, self._sent = (_Header * _COUNT)(), (_Header * _COUNT)()
        for number in range(_COUNT):
            self._pieces[number] = _Piece(in_base + number * _LONGEST, _LONGEST)
            self._answers[number] = _Piece(out_base + number * _ANSWER, 0)
            name = name_base + number * _NAME
            for headers, pieces in ((self._headers, self._pieces), (self._sent, self._answers)):
                piece = ctypes.addressof(pieces) + number * ctypes.sizeof(_Piece)
                headers[number] = _Header(name=name, name_size=_NAME, pieces=piece, piece_count=1)
        # Numbers inside the structures, without an object of ctypes for each access.
        self._in_words = memoryview(self._headers).cast("B").cast("I")
        self._out_words = memoryview(self._sent).cast("B").cast("I")
        self._out_names = memoryview(self._sent).cast("B").cast("Q")
        self._out_sizes = memoryview(self._answers).cast("B").cast("Q")
        self._name_at = [name_base + number * _NAME for number in range(_COUNT)]
        self._name_words = memoryview(self._names).cast("I")
        self._texts: dict[int | bytes, str] = {}

    @classmethod
    def make(cls) -> Batch | None:
        """None where the system has no such calls."""
        calls = _calls()
        return None if calls is None else cls(*calls)

    def exchange(
        self,
        descriptor: int,
        answer: Callable[[bytes, int], bytes | bytearray | None],
        allows: Callable[[str, int, float], bool],
        other: Callable[[bytes, Source], None],
        tally: Tally | None = None,
    ) -> tuple[int, int, int]:
        """Answers a batch that waits at the socket; how many answers went, were not allowed, and were not sent.

        ``answer`` makes one of the bytes of a datagram and the room for it, or None: then the datagram goes to ``other``.
        ``allows`` says whether so many bytes may go to an address now (monotonic seconds). One loop without calls between
        its steps: it is run for every question.
        """
        came = self._received(descriptor)
        if not came:
            return 0, 0, 0
        incoming, out, names, texts = self._in, self._out, self._name_words, self._texts
        in_words, out_words, out_names, out_sizes = self._in_words, self._out_words, self._out_names, self._out_sizes
        name_at, six = self._name_at, self._names[0] == socket.AF_INET6
        now, kept, refused = time.monotonic(), 0, 0
        addresses: list[str] = []
        codes: list[int] = []
        for number in range(came):
            at, word = number * _LONGEST, number * _WORDS
            data = bytes(incoming[at : at + in_words[word + _SIZE]])
            made = answer(data, _ANSWER)
            if made is None:
                other(data, self._source(number))
                continue
            address = None if six else texts.get(names[number * _NAME_WORDS + 1])
            if address is None:
                address = self._address(number)
            size = len(made)
            if not allows(address, size, now):
                refused += 1
                continue
            place = kept * _ANSWER
            out[place : place + size] = made
            out_sizes[2 * kept + 1] = size
            out_names[kept * _LONG_WORDS] = name_at[number]
            out_words[kept * _WORDS + _NAME_SIZE] = in_words[word + _NAME_SIZE]
            kept += 1
            addresses.append(address)
            codes.append(made[_CODE])
        sent = self._send_all(descriptor, kept) if kept else 0
        if tally is not None and codes:
            tally.batch(addresses, codes, time.monotonic() - now)
        return sent, refused, kept - sent

    def _received(self, descriptor: int) -> int:
        words = self._in_words
        for at in range(_NAME_SIZE, _COUNT * _WORDS, _WORDS):
            words[at] = _NAME
        return max(0, self._receive(descriptor, self._headers, _COUNT, socket.MSG_DONTWAIT, None))

    def _address(self, number: int) -> str:
        """Where a datagram came from, without the port."""
        raw: int | bytes = self._name_words[number * _NAME_WORDS + 1]
        if self._names[number * _NAME] == socket.AF_INET6:
            raw = bytes(self._names[number * _NAME + 8 : number * _NAME + 24])
        text = self._texts.get(raw)
        if text is None:
            if len(self._texts) >= _KNOWN:
                self._texts.clear()
            packed = raw.to_bytes(4, sys.byteorder) if isinstance(raw, int) else raw
            text = socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)
            self._texts[raw] = text
        return text

    def _source(self, number: int) -> Source:
        """Where a datagram came from, as sockets have it."""
        at, text = number * _NAME, self._address(number)
        port = int.from_bytes(self._names[at + 2 : at + 4], "big")
        if self._names[at] == socket.AF_INET6:
            return text, port, 0, int.from_bytes(self._names[at + 24 : at + 28], sys.byteorder)
        return text, port

    def _send_all(self, descriptor: int, kept: int) -> int:
        """How many of the answers went. One that the system refuses is left out; a full way out ends it."""
        at = sent = 0
        while at < kept:
            place = ctypes.addressof(self._sent) + at * ctypes.sizeof(_Header)
            went = self._send(descriptor, place, kept - at, socket.MSG_DONTWAIT)
            if went > 0:
                at += went
                sent += went
            elif ctypes.get_errno() in (errno.EAGAIN, errno.ENOBUFS):
                break
            elif ctypes.get_errno() != errno.EINTR:
                at += 1
        return sent


def _base(room: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(room)).from_buffer(room))
