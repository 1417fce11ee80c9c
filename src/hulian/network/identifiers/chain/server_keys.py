"""The keys that a server signs with while one takes the place of another."""

from __future__ import annotations

from hulian.network.identifiers.wire.authentication import Signer
from hulian.network.identifiers.wire.typed.site import Site

__all__ = ["ServerKeys"]


class ServerKeys:
    """What a server says of itself, and what it signs with: whoever knows an earlier site record gets that one's signature.

    A client names the site record that it goes by (its serial number, in the header of a request). A site record has one key
    for a server, so that a client who remembers the record of before the roll-over would not believe the new key, and who has
    already read the new one not the old key. Who names no record gets the newest key: it can read the record again.
    """

    def __init__(self, signer: Signer, site: Site, earlier: dict[int, Signer] | None = None) -> None:
        self._now = (signer, site, dict(earlier or {}))

    @property
    def site(self) -> Site:
        """The newest site record."""
        return self._now[1]

    def signer(self, serial: int) -> Signer:
        """What signs for a client that goes by the site record ``serial``; -1 where it has named none."""
        newest, _, earlier = self._now
        return earlier.get(serial, newest)

    def take(self, other: ServerKeys) -> None:
        """From the next answer on, what ``other`` has."""
        self._now = other._now
