"""The curve of SM2 (GB/T 32918.5-2017: sm2p256v1) over plain integers: points, and multiples of them.

Python's integers do not take the same time whatever their value. Multiples by a secret are therefore regular (a fixed number of
windows, and one addition in each), of a scalar that is blinded anew by a multiple of the order, from a point whose projective
coordinates are scaled by a random factor: what time could tell belongs to numbers that are never used twice.
"""

from __future__ import annotations

import secrets
from typing import Final, TypeAlias

__all__ = ["A", "Affine", "B", "G", "N", "P", "add", "double_multiply", "is_on_curve", "multiply"]

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123

Affine: TypeAlias = tuple[int, int]
_Jacobian: TypeAlias = tuple[int, int, int]

G: Final[Affine] = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_INFINITY: Final[_Jacobian] = (1, 1, 0)
_BLINDING_BITS: Final = 64
_WINDOWS: Final = (256 + _BLINDING_BITS) // 4 + 1


def is_on_curve(point: Affine) -> bool:
    """Whether ``point`` is one of the curve. The group has prime order, so such a point is a sound public key."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x * x + A * x + B)) % P == 0


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if not z:
        return _INFINITY
    square, z_square = y * y % P, z * z % P
    s = 4 * x * square % P
    m = 3 * (x - z_square) * (x + z_square) % P
    found = (m * m - 2 * s) % P
    return found, (m * (s - found) - 8 * square * square) % P, 2 * y * z % P


def _add(left: _Jacobian, right: _Jacobian) -> _Jacobian:
    x1, y1, z1 = left
    x2, y2, z2 = right
    if not z1:
        return right
    if not z2:
        return left
    z1_square, z2_square = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * z2_square % P, x2 * z1_square % P
    s1, s2 = y1 * z2 * z2_square % P, y2 * z1 * z1_square % P
    h, r = (u2 - u1) % P, (s2 - s1) % P
    if not h:
        return _INFINITY if r else _double(left)
    h_square = h * h % P
    h_cube, v = h * h_square % P, u1 * h_square % P
    x3 = (r * r - h_cube - 2 * v) % P
    return x3, (r * (v - x3) - s1 * h_cube) % P, h * z1 * z2 % P


def _affine(point: _Jacobian) -> Affine | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, P)
    square = inverse * inverse % P
    return x * square % P, y * square * inverse % P


def add(left: Affine, right: Affine) -> Affine | None:
    """The sum; None is the point at infinity."""
    return _affine(_add((*left, 1), (*right, 1)))


def multiply(scalar: int, point: Affine = G) -> Affine | None:
    """``scalar`` (0 to N - 1, a secret) times ``point``; None is the point at infinity."""
    blinded = scalar + secrets.randbits(_BLINDING_BITS) * N
    z = secrets.randbelow(P - 1) + 1
    square = z * z % P
    base: _Jacobian = (point[0] * square % P, point[1] * square * z % P, z)
    table = [_INFINITY, base]
    for place in range(2, 16):
        table.append(_add(table[-1], base) if place & 1 else _double(table[place // 2]))
    found, spare = _INFINITY, base
    for window in range(_WINDOWS - 1, -1, -1):
        for _ in range(4):
            found = _double(found)
        digit = blinded >> 4 * window & 15
        if digit:
            found = _add(found, table[digit])
        else:
            spare = _add(spare, table[1 + (window & 7)])
    return _affine(found)


def double_multiply(s: int, t: int, point: Affine) -> Affine | None:
    """``s`` times the base point plus ``t`` times ``point``: for verification, where nothing is secret (Shamir's way)."""
    base: _Jacobian = (*G, 1)
    other: _Jacobian = (*point, 1)
    both = _add(base, other)
    found = _INFINITY
    for bit in range(max(s.bit_length(), t.bit_length()) - 1, -1, -1):
        found = _double(found)
        choice = (s >> bit & 1) | (t >> bit & 1) << 1
        if choice:
            found = _add(found, (base, other, both)[choice - 1])
    return _affine(found)
