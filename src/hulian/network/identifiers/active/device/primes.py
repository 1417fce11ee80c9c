"""Large primes for RSA: random odd numbers, small divisors first, then Miller and Rabin's test."""

from __future__ import annotations

import secrets

__all__ = ["prime"]

_ROUNDS = 40


def _small(limit: int) -> tuple[int, ...]:
    sieve = bytearray([1]) * limit
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return tuple(number for number in range(3, limit) if sieve[number])


def prime(bits: int) -> int:
    """A prime of ``bits``, of which the two highest are set, so that the product of two has twice as many.

    A composite passes with a chance below 4 to the power of -40.
    """
    small = _small(2000)
    while True:
        found = secrets.randbits(bits) | 3 << bits - 2 | 1
        if all(found % number for number in small) and _probable(found):
            return found


def _probable(number: int) -> bool:
    odd, twos = number - 1, 0
    while not odd & 1:
        odd >>= 1
        twos += 1
    for _ in range(_ROUNDS):
        x = pow(secrets.randbelow(number - 3) + 2, odd, number)
        if x in (1, number - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % number
            if x == number - 1:
                break
        else:
            return False
    return True
