"""Who may do what through the AAS interface: asked of trust, here and nowhere else, and audited there where it is refused."""

from __future__ import annotations

from typing import Final, Protocol

from hulian.network.exchange.semantics.aas.api.contract import Collection, Right
from hulian.platform.northbound.errors import AasDeniedError, AasLoginError
from hulian.trust import Action, Principal, Trust
from hulian.trust.errors import DeniedError, NotAuthenticatedError, PasswordChangeError

__all__ = ["Caller", "Rights", "right_of"]

_ACTIONS: Final[dict[Right, Action]] = {
    "read": Action.MODEL_READ,
    "write": Action.MODEL_WRITE,
    "delete": Action.MODEL_WRITE,
    "invoke": Action.MODEL_WRITE,
}
_SEARCHES: Final = frozenset({"SearchAllAssetAdministrationShellIdsByAssetLink"})
"""Operations that ask by POST."""


class Caller(Protocol):
    """Who asks, as the gate of the API let them in."""

    @property
    def principal(self) -> Principal | None: ...

    @property
    def source(self) -> str: ...


def right_of(method: str, operation: str) -> Right:
    """What an operation needs before a byte of its body is read."""
    if method == "GET" or operation in _SEARCHES:
        return "read"
    return "invoke" if operation.startswith("InvokeOperation") else "delete" if method == "DELETE" else "write"


class Rights:
    """One request's. `__call__` is the API's `Authorise`: an answer is remembered until the request ends."""

    def __init__(self, trust: Trust, caller: Caller) -> None:
        self._trust, self._caller = trust, caller
        self._allowed: set[Action] = set()

    @property
    def name(self) -> str:
        """Of who asks. Raises `AasLoginError` where nobody is logged in."""
        if self._caller.principal is None:
            raise AasLoginError("this needs a login")
        return self._caller.principal.name

    def check(self, right: Right, resource: str) -> None:
        """Blocks. Raises `AasLoginError`, `AasDeniedError`."""
        action = _ACTIONS[right]
        if action in self._allowed:
            return
        try:
            self._trust.authority.authorise(self._caller.principal, action, resource, source=self._caller.source)
        except NotAuthenticatedError as error:
            raise AasLoginError(error.message) from error
        except (DeniedError, PasswordChangeError) as error:
            raise AasDeniedError(error.message, hint=error.hint) from error
        self._allowed.add(action)

    def __call__(self, operation: str, right: Right, collection: Collection, identity: str, path: str) -> None:
        """See `hulian.network.exchange.semantics.aas.api.contract.Authorise`."""
        del operation, path
        self.check(right, f"aas:{collection}/{identity}"[:500])

    def record(self, operation: str, resource: str, details: dict[str, object]) -> None:
        """What was changed, in the trail."""
        self._trust.audit.record(
            self.name, f"aas.{operation}", resource[:500], "done", source=self._caller.source, details=details
        )
