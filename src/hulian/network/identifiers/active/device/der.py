"""As much DER as keys and signatures need, written and read; and PEM."""

from __future__ import annotations

import base64
import binascii

from .errors import FormatError

__all__ = ["Walker", "bits", "from_pem", "integer", "octets", "sequence", "tagged", "to_pem"]

_MOST = 16384


def tagged(tag: int, content: bytes) -> bytes:
    """One element."""
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    return tagged(0x30, b"".join(parts))


def integer(number: int) -> bytes:
    """A number that is not negative."""
    return tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def octets(content: bytes) -> bytes:
    return tagged(0x04, content)


def bits(content: bytes) -> bytes:
    """A bit string of whole bytes."""
    return tagged(0x03, b"\0" + content)


def to_pem(label: str, content: bytes) -> bytes:
    text = base64.b64encode(content).decode()
    lines = [text[begin : begin + 64] for begin in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def from_pem(pem: bytes) -> tuple[str, bytes]:
    """The label and the content of the first block. Raises `FormatError`."""
    if len(pem) > _MOST:
        raise FormatError("PEM that is too long")
    begin = pem.find(b"-----BEGIN ")
    stop = pem.find(b"-----", begin + 11)
    end = pem.find(b"-----END ", stop)
    if begin < 0 or stop < 0 or end < 0:
        raise FormatError("no PEM")
    try:
        return pem[begin + 11 : stop].decode("ascii"), base64.b64decode(b"".join(pem[stop + 5 : end].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("PEM that is no Base64") from error


class Walker:
    """Reads elements one after the other; whatever does not fit is a `FormatError`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def element(self) -> tuple[int, bytes]:
        """The tag and the content of the next one."""
        data, at = self.data, self.at
        if at + 2 > len(data):
            raise FormatError("DER that ends too early")
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 3 or at + count > len(data):
                raise FormatError("DER with a length that is not read")
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if size > len(data) - at:
            raise FormatError("DER that ends too early")
        self.at = at + size
        return tag, data[at : self.at]

    def expect(self, tag: int) -> bytes:
        """The content of the next one, which is of ``tag``."""
        found, content = self.element()
        if found != tag:
            raise FormatError(f"DER with tag {found:#x} where {tag:#x} belongs")
        return content

    def into(self) -> Walker:
        """What the next one, a sequence, holds."""
        return Walker(self.expect(0x30))

    def number(self) -> int:
        """The next one as a number that is not negative."""
        content = self.expect(0x02)
        if not content or content[0] & 0x80:
            raise FormatError("DER with a negative number")
        return int.from_bytes(content, "big")

    @property
    def left(self) -> int:
        return len(self.data) - self.at
