"""The two curves, P-256 and that of SM2, over plain integers; both have A = P - 3 and a prime order.

Multiples by a secret are regular: a fixed number of windows with one addition in each, of a scalar blinded by a multiple of the
order, from a point whose projective coordinates are scaled at random. See the package for what that does not give.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

__all__ = ["P256", "SM2", "Curve", "Point", "is_on_curve", "multiply", "verify_point"]

Point = tuple[int, int]
_Jacobian = tuple[int, int, int]
_INFINITY: _Jacobian = (1, 1, 0)
_BLINDING_BITS = 64
_WINDOWS = (256 + _BLINDING_BITS) // 4 + 1


class Curve(NamedTuple):
    """y² = x³ - 3x + b modulo p; g is of order n. ``algorithm`` is the AlgorithmIdentifier of its keys in DER."""

    name: str
    p: int
    b: int
    n: int
    g: Point
    algorithm: bytes


P256 = Curve(
    "EC",
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
    bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107"),
)
SM2 = Curve(
    "SM2",
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
    0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    (
        0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
        0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
    ),
    bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d"),
)


def is_on_curve(curve: Curve, point: Point) -> bool:
    """Whether ``point`` is one of the curve."""
    x, y = point
    p = curve.p
    return 0 <= x < p and 0 <= y < p and (y * y - (x * x * x - 3 * x + curve.b)) % p == 0


def _double(p: int, point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if not z:
        return _INFINITY
    square, z_square = y * y % p, z * z % p
    s = 4 * x * square % p
    m = 3 * (x - z_square) * (x + z_square) % p
    found = (m * m - 2 * s) % p
    return found, (m * (s - found) - 8 * square * square) % p, 2 * y * z % p


def _add(p: int, left: _Jacobian, right: _Jacobian) -> _Jacobian:
    x1, y1, z1 = left
    x2, y2, z2 = right
    if not z1:
        return right
    if not z2:
        return left
    z1_square, z2_square = z1 * z1 % p, z2 * z2 % p
    u1, u2 = x1 * z2_square % p, x2 * z1_square % p
    s1, s2 = y1 * z2 * z2_square % p, y2 * z1 * z1_square % p
    h, r = (u2 - u1) % p, (s2 - s1) % p
    if not h:
        return _INFINITY if r else _double(p, left)
    h_square = h * h % p
    h_cube, v = h * h_square % p, u1 * h_square % p
    x3 = (r * r - h_cube - 2 * v) % p
    return x3, (r * (v - x3) - s1 * h_cube) % p, h * z1 * z2 % p


def _affine(p: int, point: _Jacobian) -> Point | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, p)
    square = inverse * inverse % p
    return x * square % p, y * square * inverse % p


def multiply(curve: Curve, scalar: int, point: Point | None = None) -> Point | None:
    """``scalar`` (0 to n - 1, a secret) times ``point``, the generator where none is given; None is the point at infinity."""
    p = curve.p
    x, y = curve.g if point is None else point
    blinded = scalar + secrets.randbits(_BLINDING_BITS) * curve.n
    z = secrets.randbelow(p - 1) + 1
    square = z * z % p
    base: _Jacobian = (x * square % p, y * square * z % p, z)
    table = [_INFINITY, base]
    for place in range(2, 16):
        table.append(_add(p, table[-1], base) if place & 1 else _double(p, table[place // 2]))
    found, spare = _INFINITY, base
    for window in range(_WINDOWS - 1, -1, -1):
        for _ in range(4):
            found = _double(p, found)
        digit = blinded >> 4 * window & 15
        if digit:
            found = _add(p, found, table[digit])
        else:
            spare = _add(p, spare, table[1 + (window & 7)])
    return _affine(p, found)


def verify_point(curve: Curve, s: int, t: int, point: Point) -> Point | None:
    """``s`` times the generator plus ``t`` times ``point``: for verification, where nothing is secret."""
    p = curve.p
    base: _Jacobian = (curve.g[0], curve.g[1], 1)
    other: _Jacobian = (point[0], point[1], 1)
    choices = (base, other, _add(p, base, other))
    found = _INFINITY
    for bit in range(max(s.bit_length(), t.bit_length()) - 1, -1, -1):
        found = _double(p, found)
        choice = (s >> bit & 1) | (t >> bit & 1) << 1
        if choice:
            found = _add(p, found, choices[choice - 1])
    return _affine(p, found)
