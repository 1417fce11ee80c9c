"""A TCP stream cut into messages: any number in a chunk, or a part of one; what is too long is refused at its envelope."""

from __future__ import annotations

from hulian.network.identifiers.wire.errors import TruncatedError, WireError
from hulian.network.identifiers.wire.frame import ENVELOPE_SIZE, HEADER_SIZE, read_envelope
from hulian.network.identifiers.wire.limits import MAX_MESSAGE

__all__ = ["Splitter"]


class Splitter:
    """One direction of one connection: chunks in, whole messages with their envelopes out, in order.

    Kept between calls is at most one unfinished message within ``limit``. After an error the stream has no further messages:
    where the next one would begin is not known.

    >>> message = bytes.fromhex("020a020b 00000000 00000001 00000000 0000001c") + bytes(28)
    >>> splitter = Splitter()
    >>> splitter.feed(message + message[:30])[0] == message
    True
    >>> splitter.feed(message[30:]) == [message]
    True
    """

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self.limit = limit
        self.error: WireError | None = None
        """Why the stream has no further messages; every later `feed` raises it."""
        self._buffer = bytearray()
        self._need = ENVELOPE_SIZE

    @property
    def unfinished(self) -> int:
        """Bytes of the message that is not complete yet."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that are complete with ``chunk``.

        Raises the errors of `read_envelope`, and `TruncatedError` for a message without a header. Where whole messages came
        before the broken one they are returned, ``error`` is set, and the next call raises it.
        """
        if self.error is not None:
            raise self.error
        if self._buffer:
            self._buffer += chunk
            if len(self._buffer) < self._need:
                return []
            chunk = bytes(self._buffer)
            self._buffer.clear()
        messages: list[bytes] = []
        at, end = 0, len(chunk)
        self._need = ENVELOPE_SIZE
        while end - at >= ENVELOPE_SIZE:
            try:
                length = read_envelope(chunk, at, limit=self.limit).length
                if length < HEADER_SIZE:
                    raise TruncatedError(f"{length} bytes, where a header has 24", place="an envelope", offset=16)
            except WireError as error:
                self.error = error
                if messages:
                    return messages
                raise
            stop = at + ENVELOPE_SIZE + length
            if stop > end:
                self._need = stop - at
                break
            messages.append(chunk[at:stop])
            at = stop
        if at < end:
            self._buffer += chunk[at:]
        return messages
