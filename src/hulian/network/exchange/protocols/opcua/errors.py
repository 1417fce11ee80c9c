"""What can go wrong between an OPC UA server and us; the code is permanent, the hint says what to do next.

    HulianError
    └── OpcuaError                       HL-OPCUA-0000
        ├── AddressError                 HL-OPCUA-0001   not a node id
        ├── SettingsError                HL-OPCUA-0002   settings that can never work
        ├── WireError                    HL-OPCUA-0003   bytes that are not what they claim to be
        ├── UnreachableError             HL-OPCUA-0010   nobody listens there
        ├── SilentError                  HL-OPCUA-0011   it no longer answers
        ├── ForeignError                 HL-OPCUA-0012   it answers, but not in OPC UA
        ├── RefusedError                 HL-OPCUA-0013   it refuses the connection, with a status code
        ├── SessionLostError             HL-OPCUA-0014   it forgot our session or closed the connection
        ├── LoginError                   HL-OPCUA-0020   user, password or user certificate refused
        ├── PlainPasswordError           HL-OPCUA-0021   the password would travel readable
        ├── SecurityError                HL-OPCUA-0030   no endpoint is secure enough
        │   ├── UnencryptedError         HL-OPCUA-0031   the server offers no encryption at all
        │   ├── UnapprovedError          HL-OPCUA-0032   its certificate waits for a person
        │   ├── ExpiredError             HL-OPCUA-0033   its certificate is not valid now
        │   ├── OwnCertificateError      HL-OPCUA-0034   it does not accept our certificate
        │   └── CertificateChangedError  HL-OPCUA-0035   it does not hold the key it announced
        ├── NodeError                    HL-OPCUA-0040   a node that is not there or cannot be read
        ├── WriteError                   HL-OPCUA-0041   the server refused a write
        ├── UnfitError                   HL-OPCUA-0042   the value does not fit the node's type
        ├── OfflineError                 HL-OPCUA-0043   not connected now
        ├── NotWritableError             HL-OPCUA-0044   the configuration does not allow writing there
        └── CallError                    HL-OPCUA-0045   a method was refused

Events of this room carry the code of the error that began them, or one of `OpcuaEvent`.
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "AddressError",
    "CallError",
    "CertificateChangedError",
    "ExpiredError",
    "ForeignError",
    "LoginError",
    "NodeError",
    "NotWritableError",
    "OfflineError",
    "OpcuaError",
    "OwnCertificateError",
    "PlainPasswordError",
    "RefusedError",
    "SecurityError",
    "SessionLostError",
    "SettingsError",
    "SilentError",
    "UnapprovedError",
    "UnencryptedError",
    "UnfitError",
    "UnreachableError",
    "WireError",
    "WriteError",
]


class OpcuaError(HulianError):
    """The root of this room."""

    code = "HL-OPCUA-0000"


class AddressError(OpcuaError):
    """A text that is not a node id."""

    code = "HL-OPCUA-0001"
    default_hint = "write a node id as 'ns=2;s=Reactor.Pressure', 'nsu=http://vendor/machine;i=1001', 'i=2258'"


class SettingsError(OpcuaError):
    """Settings that can never work."""

    code = "HL-OPCUA-0002"


class WireError(OpcuaError):
    """Bytes that are not what they claim to be; ``place`` holds the offset."""

    code = "HL-OPCUA-0003"
    default_hint = "the server or something between it and us damages messages; the connection is made again"


class UnreachableError(OpcuaError):
    """Nobody listens at the address."""

    code = "HL-OPCUA-0010"
    default_hint = "check host, port, firewall, and that the server is running"


class SilentError(OpcuaError):
    """The server no longer answers in time."""

    code = "HL-OPCUA-0011"
    default_hint = "the server or the network is overloaded or hangs; a longer 'timeout' helps a slow server"


class ForeignError(OpcuaError):
    """Something answers, but not in OPC UA."""

    code = "HL-OPCUA-0012"
    default_hint = "check the port: an OPC UA server usually listens on 4840; a web page or another protocol may be there"


class RefusedError(OpcuaError):
    """The server refuses the connection or a service; ``status`` and the message hold its status code."""

    code = "HL-OPCUA-0013"
    default_hint = "look into the server's own log; it may have no free session"

    def __init__(self, message: str, *, place: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(message, place=place, hint=hint)
        self.status = status


class SessionLostError(OpcuaError):
    """The server closed the connection or forgot the session."""

    code = "HL-OPCUA-0014"
    default_hint = "the server was stopped, restarted, or dropped us; the connection is made again"

    def __init__(self, message: str, *, place: str = "", hint: str = "", subscription: bool = False) -> None:
        super().__init__(message, place=place, hint=hint)
        self.subscription = subscription
        """Whether a subscription is what the server has no more."""


class LoginError(OpcuaError):
    """The server refuses who we say we are."""

    code = "HL-OPCUA-0020"
    default_hint = "check user and password (or the user certificate), and the user's rights on the server"


class PlainPasswordError(OpcuaError):
    """The password would travel readable by everybody on the way."""

    code = "HL-OPCUA-0021"
    default_hint = "choose a secure endpoint on the server; or accept the risk with plain_password = true"


class SecurityError(OpcuaError):
    """No endpoint of the server meets what is asked of its security."""

    code = "HL-OPCUA-0030"
    default_hint = "enable Basic256Sha256, Aes128_Sha256_RsaOaep or Aes256_Sha256_RsaPss with SignAndEncrypt on the server"


class UnencryptedError(SecurityError):
    """The server offers only unencrypted connections, and the configuration does not accept one."""

    code = "HL-OPCUA-0031"
    default_hint = 'enable a security policy on the server; or accept an unencrypted connection with security = "none"'


class UnapprovedError(SecurityError):
    """The server's certificate is unknown here and waits for a person."""

    code = "HL-OPCUA-0032"
    default_hint = "compare the thumbprint with the server's, then approve the certificate; the connection follows by itself"

    def __init__(self, message: str, *, place: str = "", hint: str = "", certificate: bytes = b"", peer: str = "") -> None:
        super().__init__(message, place=place, hint=hint)
        self.certificate = certificate
        self.peer = peer


class ExpiredError(SecurityError):
    """A certificate is not valid now."""

    code = "HL-OPCUA-0033"
    default_hint = "renew the server's certificate and check both clocks"


class OwnCertificateError(SecurityError):
    """The server does not accept our application certificate."""

    code = "HL-OPCUA-0034"
    default_hint = "move our certificate from 'rejected' to 'trusted' on the server; the connection follows by itself"


class CertificateChangedError(SecurityError):
    """The server proves another key than the one it announced, or none."""

    code = "HL-OPCUA-0035"
    default_hint = "somebody may stand between the server and us, or the server was reinstalled: check before you go on"


class NodeError(OpcuaError):
    """A node that is not there or cannot be read."""

    code = "HL-OPCUA-0040"
    default_hint = "browse the server for the node's present address and check the user's rights"


class WriteError(OpcuaError):
    """The server refused a write."""

    code = "HL-OPCUA-0041"
    default_hint = "check the node's access level and the user's rights on the server"


class UnfitError(OpcuaError):
    """A value that does not fit the node's type."""

    code = "HL-OPCUA-0042"


class OfflineError(OpcuaError):
    """The server is not connected now."""

    code = "HL-OPCUA-0043"
    default_hint = "try again when the connector's state is 'connected'"


class NotWritableError(OpcuaError):
    """The configuration does not allow writing there."""

    code = "HL-OPCUA-0044"
    default_hint = "list the address under 'writable' in the connector's settings"


class CallError(OpcuaError):
    """The server or a method of it refused a call; ``status`` is what it said."""

    code = "HL-OPCUA-0045"
    default_hint = "check the state of the machine and the user's rights on the server"

    def __init__(self, message: str, *, place: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(message, place=place, hint=hint)
        self.status = status
