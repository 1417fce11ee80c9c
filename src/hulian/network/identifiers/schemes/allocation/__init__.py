"""Suffixes, given out: policies as data, cursors that the caller keeps, and never one twice.

policy = Policy.of("{class}-{batch}-{serial:6}{check}", values={"class": "PUMP", "batch": "B7"}, first=1)
given = allocate(policy, cursor, 1_000_000)     # computes nothing yet; cursor is None the first time
keep(given.after)                               # before the first suffix leaves: a crash then loses some, doubles none
for batch in given.batches(): …                 # a million in a few kilobytes
"""

from hulian.network.identifiers.schemes.allocation.allocate import Allocation, allocate, remaining
from hulian.network.identifiers.schemes.allocation.cursor import Cursor
from hulian.network.identifiers.schemes.allocation.policy import Policy

__all__ = ["Allocation", "Cursor", "Policy", "allocate", "remaining"]
