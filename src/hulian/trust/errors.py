"""Why trust says no.

TrustError                      HL-TRUST-0000
├── NotAuthenticatedError       HL-TRUST-0001   nobody is logged in, or no longer
├── DeniedError                 HL-TRUST-0002   somebody is, but may not
│   └── PasswordChangeError     HL-TRUST-0006   not before the password is changed
├── LoginRefusedError           HL-TRUST-0003   wrong user or password; never says which
├── LoginThrottledError         HL-TRUST-0004   too many attempts, with the time to wait
├── CsrfError                   HL-TRUST-0005   a request that no page of ours made
├── AccountError                HL-TRUST-0010   a user, token or device that cannot be so
│   ├── UnknownAccountError     HL-TRUST-0011
│   ├── TakenNameError          HL-TRUST-0012
│   ├── WeakPasswordError       HL-TRUST-0013
│   ├── LastAdministratorError  HL-TRUST-0014
│   ├── TopicFilterError        HL-TRUST-0015
│   └── EnrolmentError          HL-TRUST-0016   an invitation or enrolment that opens nothing
├── CertificateError            HL-TRUST-0020   a certificate that cannot be read, made or found
├── EnvelopeError               HL-TRUST-0021   an order that is damaged, or not from where orders come
└── KeyStoreError               HL-TRUST-0030   secrets or keys that cannot be read or written
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "AccountError",
    "CertificateError",
    "CsrfError",
    "DeniedError",
    "EnrolmentError",
    "EnvelopeError",
    "KeyStoreError",
    "LastAdministratorError",
    "LoginRefusedError",
    "LoginThrottledError",
    "NotAuthenticatedError",
    "PasswordChangeError",
    "TakenNameError",
    "TopicFilterError",
    "TrustError",
    "UnknownAccountError",
    "WeakPasswordError",
]


class TrustError(HulianError):
    """The root of this room."""

    code = "HL-TRUST-0000"


class NotAuthenticatedError(TrustError):
    """Nobody is logged in, or the login has ended."""

    code = "HL-TRUST-0001"
    default_hint = "log in, or send an API token: 'Authorization: Bearer hlt_…'"


class DeniedError(TrustError):
    """The principal is known, and may not do this."""

    code = "HL-TRUST-0002"
    default_hint = "ask an administrator for a role that may"


class LoginRefusedError(TrustError):
    """The pair of user and password is wrong. The message is the same whichever of the two it was."""

    code = "HL-TRUST-0003"
    default_hint = "check both; a lost administrator password is replaced by 'hulian user reset'"


class LoginThrottledError(TrustError):
    """Too many attempts failed. ``retry_after`` is in seconds; until then even the right password is refused."""

    code = "HL-TRUST-0004"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, hint=f"try again in {retry_after:.0f} s")
        self.retry_after = retry_after


class CsrfError(TrustError):
    """The request came with a session's cookie, but without the proof that a page of ours sent it."""

    code = "HL-TRUST-0005"
    default_hint = "send the session's csrf value in the header X-Hulian-CSRF"


class PasswordChangeError(DeniedError):
    """Nothing else is allowed before the password is changed."""

    code = "HL-TRUST-0006"
    default_hint = "change the password first"


class AccountError(TrustError):
    """A user, token or device that cannot be so."""

    code = "HL-TRUST-0010"


class UnknownAccountError(AccountError):
    """There is none of this name."""

    code = "HL-TRUST-0011"


class TakenNameError(AccountError):
    """There is already one of this name."""

    code = "HL-TRUST-0012"


class WeakPasswordError(AccountError):
    """A password that would be guessed. The message never holds it."""

    code = "HL-TRUST-0013"
    default_hint = "use four unusual words, or let a password safe choose one"


class LastAdministratorError(AccountError):
    """Nobody would be left to administer."""

    code = "HL-TRUST-0014"
    default_hint = "make another user an administrator first"


class TopicFilterError(AccountError):
    """A device's topic filter that is not one, or reaches into the platform's own subjects."""

    code = "HL-TRUST-0015"
    default_hint = "write it as in MQTT, e.g. 'plant/line1/#' or 'spBv1.0/+/NDATA/#'"


class CertificateError(TrustError):
    """A certificate that cannot be read, made or found."""

    code = "HL-TRUST-0020"


class KeyStoreError(TrustError):
    """Secrets or keys that cannot be read or written. Neither message nor place holds a secret."""

    code = "HL-TRUST-0030"
    default_hint = "check the rights of the folders 'secrets' and 'pki' in the data directory"


class EnrolmentError(AccountError):
    """An invitation or enrolment that opens nothing. Never says whether there was one."""

    code = "HL-TRUST-0016"
    default_hint = "ask for a new invitation: 'hulian edge invite'"


class EnvelopeError(TrustError):
    """An order that is damaged, meant for another, or not from the centre this node enrolled at."""

    code = "HL-TRUST-0021"
    default_hint = "the node goes on with what it has; if the centre was set up anew, enrol again"
