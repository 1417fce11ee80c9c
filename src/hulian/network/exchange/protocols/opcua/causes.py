"""What asyncua, the socket and the server say, as errors of this room that say what to do."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asyncua.ua.status_codes import StatusCodes, get_name_and_doc
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography.exceptions import InvalidSignature

from hulian.network.exchange.protocols.opcua.client import BoundedClient
from hulian.network.exchange.protocols.opcua.errors import (
    CertificateChangedError,
    ExpiredError,
    LoginError,
    OpcuaError,
    OwnCertificateError,
    RefusedError,
    SecurityError,
    SessionLostError,
    SilentError,
    UnreachableError,
    WireError,
)

__all__ = ["explain", "of_status"]


@contextmanager
def explain(place: str, client: BoundedClient | None = None) -> Iterator[None]:
    """Turns what asyncua, the socket and the server say into this room's errors."""
    try:
        yield
    except OpcuaError:
        raise
    except (UaError, OSError, TimeoutError, InvalidSignature, ValueError, struct.error, RecursionError) as error:
        cause: Exception = error
        fault = client.transport.channel.fault if client is not None and client.transport.channel is not None else None
        if fault is not None and (not isinstance(error, TimeoutError) or isinstance(fault, OpcuaError)):
            cause = fault
        raise _explained(cause, place) from error


def _explained(error: Exception, place: str) -> OpcuaError:
    if isinstance(error, OpcuaError):
        error.place = error.place or place
        return error
    if isinstance(error, UaStatusCodeError):
        return of_status(int(error.code), place)
    if isinstance(error, TimeoutError):
        return SilentError("the server does not answer in time", place=place)
    if isinstance(error, socket.gaierror):
        return UnreachableError("the host name is not known", place=place, hint="check the spelling and the name service")
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError("nobody listens there", place=place)
    if isinstance(error, ConnectionError):
        return SessionLostError(str(error) or "the connection was lost", place=place)
    if isinstance(error, OSError):
        return UnreachableError(error.strerror or str(error), place=place)
    if isinstance(error, InvalidSignature):
        return CertificateChangedError("a message of the server has a wrong signature", place=place)
    if isinstance(error, RecursionError):
        return WireError("the server's message nests too deep", place=place)
    if "certificate mismatch" in str(error):
        return CertificateChangedError("the server's certificate is not the one it announced", place=place)
    return WireError(f"the server's message cannot be read: {error}", place=place)


_LOGIN: Final = frozenset(
    {
        StatusCodes.BadUserAccessDenied,
        StatusCodes.BadIdentityTokenRejected,
        StatusCodes.BadIdentityTokenInvalid,
        StatusCodes.BadUserSignatureInvalid,
    }
)
_OURS: Final = frozenset(
    {
        StatusCodes.BadSecurityChecksFailed,
        StatusCodes.BadCertificateUntrusted,
        StatusCodes.BadCertificateInvalid,
        StatusCodes.BadCertificateUseNotAllowed,
        StatusCodes.BadCertificateUriInvalid,
        StatusCodes.BadCertificateRevoked,
        StatusCodes.BadCertificateChainIncomplete,
        StatusCodes.BadCertificateIssuerUseNotAllowed,
        StatusCodes.BadApplicationSignatureInvalid,
    }
)
_EXPIRED: Final = frozenset({StatusCodes.BadCertificateTimeInvalid, StatusCodes.BadCertificateIssuerTimeInvalid})
_GONE: Final = frozenset(
    {
        StatusCodes.BadSessionIdInvalid,
        StatusCodes.BadSessionClosed,
        StatusCodes.BadSessionNotActivated,
        StatusCodes.BadSecureChannelIdInvalid,
        StatusCodes.BadSecureChannelClosed,
        StatusCodes.BadSecureChannelTokenUnknown,
        StatusCodes.BadConnectionClosed,
        StatusCodes.BadServerHalted,
        StatusCodes.BadShutdown,
        StatusCodes.BadSubscriptionIdInvalid,
        StatusCodes.BadNoSubscription,
    }
)


def of_status(code: int, place: str) -> OpcuaError:
    """What a bad status code of the server (OPC 10000-6, Annex A) means for a person."""
    name, text = get_name_and_doc(code)
    said = f"{name}: {text}" if text else name
    if code in _LOGIN:
        return LoginError(f"the server refuses the login ({name})", place=place)
    if code in _OURS:
        return OwnCertificateError(f"the server does not accept our certificate ({name})", place=place)
    if code in _EXPIRED:
        return ExpiredError(
            "the server says that a certificate is not valid now",
            place=place,
            hint="check the server's clock and ours, and whether our application certificate has expired",
        )
    if code in _GONE:
        gone = code in (StatusCodes.BadSubscriptionIdInvalid, StatusCodes.BadNoSubscription)
        return SessionLostError(f"the server ended the session ({name})", place=place, subscription=gone)
    if code in (StatusCodes.BadTimeout, StatusCodes.BadRequestTimeout):
        return SilentError(f"the server does not answer in time ({name})", place=place)
    if code == StatusCodes.BadSecurityPolicyRejected:
        return SecurityError(f"the server refuses the security policy ({name})", place=place)
    return RefusedError(f"the server refuses: {said}", place=place, status=code)
