"""The SM3 digest (GB/T 32905-2016), in pure Python: not every hashlib has it."""

from __future__ import annotations

from struct import Struct

__all__ = ["sm3"]

_START = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E)
_BLOCK = Struct(">16I")
_STATE = Struct(">8I")
_MASK = 0xFFFFFFFF


def _left(value: int, places: int) -> int:
    places &= 31
    return (value << places | value >> (32 - places)) & _MASK


_ROUND = tuple(_left(0x79CC4519 if number < 16 else 0x7A879D8A, number) for number in range(64))


def sm3(data: bytes) -> bytes:
    """The digest of ``data``, 32 bytes.

    >>> sm3(b"abc").hex()
    '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'
    """
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + (len(data) * 8).to_bytes(8, "big")
    state: tuple[int, ...] = _START
    for begin in range(0, len(padded), 64):
        state = _compress(state, _BLOCK.unpack_from(padded, begin))
    return _STATE.pack(*state)


def _compress(state: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, ...]:
    w = list(block)
    for place in range(16, 68):
        mixed = w[place - 16] ^ w[place - 9] ^ _left(w[place - 3], 15)
        w.append(mixed ^ _left(mixed, 15) ^ _left(mixed, 23) ^ _left(w[place - 13], 7) ^ w[place - 6])
    a, b, c, d, e, f, g, h = state
    for number in range(64):
        turned = _left(a, 12)
        ss1 = _left((turned + e + _ROUND[number]) & _MASK, 7)
        if number < 16:
            ff, gg = a ^ b ^ c, e ^ f ^ g
        else:
            ff, gg = (a & b) | (a & c) | (b & c), (e & f) | (~e & g)
        tt1 = (ff + d + (ss1 ^ turned) + (w[number] ^ w[number + 4])) & _MASK
        tt2 = (gg + h + ss1 + w[number]) & _MASK
        a, b, c, d = tt1, a, _left(b, 9), c
        e, f, g, h = tt2 ^ _left(tt2, 9) ^ _left(tt2, 17), e, _left(f, 19), g
    mixed_state = (a, b, c, d, e, f, g, h)
    return tuple(mixed_state[place] ^ state[place] for place in range(8))
