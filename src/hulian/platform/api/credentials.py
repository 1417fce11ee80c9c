"""Kept passwords and keys go only where they were meant to go: who may connect devices may choose any address."""

from __future__ import annotations

from urllib.parse import urlsplit

from hulian.data.catalogue.errors import UnknownConnectorError
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError

__all__ = ["check_moved", "check_reference"]

_OWNED = ("connector/", "connector-key/")
_PLACE = "$.credentials"


def _address(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port


def check_reference(context: Context, reference: str, url: str) -> None:
    """Raises `RequestError` where ``secret:NAME`` is one of the platform's own, or of a connector with another address."""
    secret = reference.removeprefix("secret:")
    refused = secret in context.house.own_secrets
    if secret.startswith(_OWNED):
        try:
            refused = _address(context.catalogue.connector(secret.partition("/")[2]).url) != _address(url)
        except UnknownConnectorError:
            refused = True
    if refused:
        raise RequestError(
            f"the secret {secret!r} was not given for this address",
            place=_PLACE,
            hint="give the password itself, or keep it under a name of its own: 'hulian secret set NAME'",
        )


def check_moved(context: Context, name: str, url: str) -> None:
    """Raises `RequestError` where the connector ``name`` would take a kept password along to another server."""
    record = context.catalogue.connector(name)
    owned = [one for one in record.credentials.values() if one.removeprefix("secret:").startswith(_OWNED)]
    if owned and _address(record.url) != _address(url):
        raise RequestError(
            "the kept password was given for another address",
            place=_PLACE,
            hint="give the credentials again with the new address",
        )
