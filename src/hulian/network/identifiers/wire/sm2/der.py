"""The little DER that SM2 keys, signatures and ciphertexts need: read strictly, written in the shortest form."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from hulian.network.identifiers.wire.errors import KeyFormatError

__all__ = ["Walker", "bit_string", "from_pem", "integer", "octets", "sequence", "tagged", "to_pem"]

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]{0,24000})-----END \1-----")


def tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    return tagged(0x30, b"".join(parts))


def integer(number: int) -> bytes:
    return tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def octets(content: bytes) -> bytes:
    return tagged(0x04, content)


def bit_string(content: bytes) -> bytes:
    return tagged(0x03, b"\0" + content)


def to_pem(label: str, content: bytes) -> bytes:
    text = base64.b64encode(content)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join((f"-----BEGIN {label}-----".encode(), *lines, f"-----END {label}-----".encode(), b""))


def from_pem(text: bytes) -> tuple[str, bytes]:
    """The label and the bytes of the first PEM block. Raises `KeyFormatError`."""
    match = _PEM.search(text[:32_768])
    if match is None:
        raise KeyFormatError("no PEM block", place="PEM")
    try:
        return match[1].decode(), base64.b64decode(b"".join(match[2].split()), validate=True)
    except binascii.Error:
        raise KeyFormatError("not Base64", place="PEM") from None


class Walker:
    """Elements of DER in order. Whatever is not what is asked for is a `KeyFormatError` at its offset."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data = data
        self.what = what
        self.at = 0

    def fail(self, message: str) -> KeyFormatError:
        return KeyFormatError(message, place=self.what, offset=self.at)

    def element(self) -> tuple[int, bytes]:
        """The next tag and its content."""
        data, at = self.data, self.at
        if len(data) - at < 2:
            raise self.fail("DER that ends early")
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 3 or len(data) - at < count:
                raise self.fail("a length that DER does not have, or a very long one")
            size = int.from_bytes(data[at : at + count], "big")
            at += count
            if size < 0x80 or size >> 8 * (count - 1) == 0:
                raise self.fail("a length that is not in its shortest form")
        if size > len(data) - at:
            raise self.fail("DER that ends early")
        self.at = at + size
        return tag, data[at : self.at]

    def expect(self, tag: int) -> bytes:
        """The content of the next element, which must have ``tag``."""
        began = self.at
        found, content = self.element()
        if found != tag:
            self.at = began
            raise self.fail(f"tag {found:#04x} where {tag:#04x} belongs")
        return content

    def into(self, tag: int = 0x30) -> Walker:
        """A walker through the next element, which must have ``tag``."""
        return Walker(self.expect(tag), self.what)

    def number(self) -> int:
        """A non-negative integer in its shortest form."""
        content = self.expect(0x02)
        if not content or content[0] & 0x80 or (len(content) > 1 and not content[0] and not content[1] & 0x80):
            raise self.fail("an integer that is negative or not in its shortest form")
        return int.from_bytes(content, "big")

    def done(self) -> None:
        if self.at != len(self.data):
            raise self.fail("bytes behind the last element")
