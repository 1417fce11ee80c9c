"""A keyed bijection of the numbers 0 … n-1 onto themselves: random without a memory of what was given.

A Feistel network over the next even number of bits, with AES as its round function, walked on until it lands below n
(Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002; the idea of NIST SP 800-38G). Whole arrays at a time. It
is a bijection whatever the key; that it looks random to who lacks the key rests on AES and the number of rounds. In a small
domain that is little: a thousand numbers are guessed by trying.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy
import numpy.typing
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

__all__ = ["MAXIMUM_BITS", "Permutation"]

MAXIMUM_BITS: Final = 128
"""Bits of the largest domain."""

_ROUNDS: Final = 12
_Array = numpy.typing.NDArray[numpy.uint64]


class Permutation:
    """Numbers below ``size`` (at most 2^128) to numbers below ``size``, each exactly once. Same key and label, same order."""

    def __init__(self, key: bytes, size: int, label: str) -> None:
        self._size = size
        self._half = max((size - 1).bit_length() + 1, 2) // 2
        self._mask = numpy.uint64((1 << self._half) - 1)
        derived = hashlib.blake2b(label.encode(), digest_size=16, key=hashlib.sha256(key).digest(), person=b"hulian-permute")
        self._cipher = Cipher(algorithms.AES(derived.digest()), modes.ECB())  # noqa: S305 - single blocks as a round function

    def apply(self, numbers: list[int]) -> list[int]:
        """Where these land, in their order."""
        found = self._walk(numbers, inverse=False)
        while beyond := [place for place, number in enumerate(found) if number >= self._size]:
            for place, number in zip(beyond, self._walk([found[place] for place in beyond], inverse=False), strict=True):
                found[place] = number
        return found

    def invert(self, numbers: list[int]) -> list[int]:
        """Where these come from."""
        found = self._walk(numbers, inverse=True)
        while beyond := [place for place, number in enumerate(found) if number >= self._size]:
            for place, number in zip(beyond, self._walk([found[place] for place in beyond], inverse=True), strict=True):
                found[place] = number
        return found

    def _walk(self, numbers: list[int], *, inverse: bool) -> list[int]:
        half, mask = self._half, int(self._mask)
        left = numpy.array([number >> half for number in numbers], dtype=numpy.uint64)
        right = numpy.array([number & mask for number in numbers], dtype=numpy.uint64)
        if inverse:
            for step in reversed(range(_ROUNDS)):
                left, right = right ^ self._round(step, left), left
        else:
            for step in range(_ROUNDS):
                left, right = right, left ^ self._round(step, right)
        return [high << half | low for high, low in zip(left.tolist(), right.tolist(), strict=True)]

    def _round(self, step: int, half: _Array) -> _Array:
        blocks = numpy.zeros((len(half), 2), dtype=">u8")
        blocks[:, 0] = step << 8 | self._half
        blocks[:, 1] = half
        encryptor = self._cipher.encryptor()
        scrambled = numpy.frombuffer(encryptor.update(blocks.tobytes()), dtype=">u8").reshape(-1, 2)
        result: _Array = scrambled[:, 0].astype(numpy.uint64) & self._mask
        return result
