"""The one place that says yes or no."""

from __future__ import annotations

from hulian.trust.audit import Audit
from hulian.trust.errors import DeniedError, NotAuthenticatedError, PasswordChangeError
from hulian.trust.principals import ACTION_SCOPES, OWN_ACTIONS, Action, Principal, PrincipalKind

__all__ = ["Authority"]


class Authority:
    """Answers every question "may this principal do that?"; a refusal is in the audit trail before it is raised."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def authorise(self, principal: Principal | None, action: Action, resource: str = "", *, source: str = "") -> None:
        """Returns where ``principal`` may do ``action`` to ``resource``; ``source`` is the address the request came from.

        Raises `NotAuthenticatedError` where there is no principal, `DeniedError` where it may not, and
        `PasswordChangeError` where it first has to change its password.
        """
        if principal is None:
            raise NotAuthenticatedError("this needs a login")
        if principal.must_change_password and not _own(principal, action, resource):
            raise PasswordChangeError(f"user '{principal.name}' has a password that must be changed first")
        if self.allowed(principal, action, resource):
            return
        self._audit.record(principal.name, action, resource, "denied", source=source, details={"kind": principal.kind})
        needed = ACTION_SCOPES[action]
        what = f"{action} on {resource}" if resource else action
        raise DeniedError(f"{principal.kind} '{principal.name}' may not do {what}: it needs the scope '{needed}'")

    def allowed(self, principal: Principal, action: Action, resource: str = "") -> bool:
        """The same answer without a trace: for showing or hiding what a person could do."""
        if principal.must_change_password:
            return _own(principal, action, resource)
        return ACTION_SCOPES[action] in principal.scopes or _own(principal, action, resource)


def _own(principal: Principal, action: Action, resource: str) -> bool:
    """A person, at the keyboard, about their own account; a token never widens itself."""
    return principal.kind is PrincipalKind.USER and action in OWN_ACTIONS and resource == f"user:{principal.name}"
