"""Applications for prefixes: made with the key of this installation, at its node or the one above, and decided at its node.

They are asked for over the HTTP interface of the node, whose rules, permissions and history hold; the audit trail has the
person's name, for the history of the node knows the key alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec import structs

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.provisioning import Action, Proposal
from hulian.network.identifiers.provisioning.errors import AnsweredError, RegistrationError
from hulian.network.identifiers.provisioning.lifecycle import REASONED
from hulian.network.identifiers.provisioning.record import KEY
from hulian.network.identifiers.provisioning.registration import fingerprint, pem_of
from hulian.network.identifiers.transport.rest.asker import RestAsker
from hulian.network.identifiers.transport.rest.provisioning.client import Applications as Client
from hulian.network.identifiers.wire.authentication import KeyIdentity
from hulian.network.identifiers.wire.authentication.respond import Identity
from hulian.platform.api.access import in_thread
from hulian.platform.api.errors import NotFoundError, RequestError, UnavailableError
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.documents import (
    ApplicationBody,
    ApplicationItem,
    ApplicationPage,
    ApplicationView,
    OfficesView,
    SealView,
    SignedRegistration,
    StepBody,
    StepView,
)
from hulian.platform.api.refusals import RelayedError

__all__ = ["Applications"]

_OWN: Final = frozenset((Action.AMEND, Action.WITHDRAW))
"""What an applicant does, with the key that was applied with; everything else is decided by who runs the node."""


class Applications:
    """The applications that this installation may decide, and those that it has made.

    Every method raises `RelayedError` with the code of what the node refuses, and `UnavailableError` where it is not reached.
    """

    def __init__(self, node: IdentifierNode) -> None:
        self._node = node

    async def offices(self) -> OfficesView:
        """Where prefixes can be applied for."""
        above = await in_thread(self._node.above)
        try:
            key = pem_of(await in_thread(self._node.private)) if self._node.private is not None else ""
        except HulianError:
            key = ""
        return OfficesView(
            role=self._node.role,
            here=self._node.gives_out,
            prefixes=list(self._node.prefixes) or (["0.NA"] if self._node.role == "root" else []),
            above=above.url if above is not None else "",
            public_key=key,
            needs_reason=sorted(one.value for one in REASONED),
        )

    async def page(self, state: str, after: int, limit: int) -> ApplicationPage:
        """The applications at this node, oldest first."""
        async with self._asking("here") as ask:
            found = await ask.page(state, after, limit)
        items = [_item(one) for one in found.get("applications", [])]
        return ApplicationPage(items=items, next=found.get("next"))

    async def show(self, at: str, identity: str, *, whole: bool) -> ApplicationView:
        """One of them, or one of this installation at the node above, with its history; contacts with ``whole`` alone."""
        own = await self._applicant(identity)
        if at == "above":
            async with self._asking(at, own) as ask:
                found = await ask.show(identity)
                mine, actions = True, list(found["actions"])
        else:
            async with self._asking(at) as ask:
                found = await ask.show(identity)
            mine = await self._is_own(found)
            actions = [one for one in found["actions"] if Action(one) not in _OWN]
            if mine:
                async with self._asking(at, own) as ask:
                    actions += [one for one in (await ask.show(identity))["actions"] if Action(one) in _OWN]
        return _view(found, actions, mine=mine, whole=whole)

    async def sign(self, registration: dict[str, Any]) -> SignedRegistration:
        """The registration with the signature of this installation: to be sent to another node, or to consent to a transfer."""
        made = await self._proposal(registration)
        return SignedRegistration(registration=made.text, signature=base64.b64encode(made.signature).decode())

    async def apply(self, body: ApplicationBody) -> ApplicationItem:
        """A new application, or the one that came before with the same text."""
        proposal = await self._given(body.registration, body.signed)
        if proposal is None:
            raise RequestError("no registration is given", place="$.registration")
        made = proposal.prove()
        async with self._asking(body.at) as ask:
            found = await ask.apply(proposal)
        return _item({**found, "organisation": made.organisation.name})

    async def act(self, identity: str, action: str, body: StepBody) -> None:
        """One step of an application."""
        try:
            wanted = Action(action)
        except ValueError:
            raise NotFoundError(f"{action[:40]!r} is no step of an application", hint=", ".join(Action)) from None
        proposal = await self._given(body.registration, body.signed)
        if wanted in _OWN:
            asking = self._asking(body.at, await self._applicant(identity))
        else:
            asking = self._asking("here")
        async with asking as ask:
            await ask.act(identity, wanted.value, reason=body.reason, revision=body.revision, proposal=proposal)

    async def seals(self) -> SealView:
        """Computes every seal of the history again. Raises `BrokenHistoryError`."""
        if self._node.seals is None:
            raise NotFoundError("a recursive node takes no applications")
        return SealView(steps=await in_thread(self._node.seals))

    # -- who asks, and where -------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _asking(self, at: str, identity: Identity | None = None) -> AsyncIterator[Client]:
        """As ``identity``, else as the node itself."""
        office = await self._office(at)
        if identity is None:
            identity = await self._secret(self._node.identity)
        try:
            async with office.client() as http:
                client = Client(http, identity)
                try:
                    yield client
                finally:
                    await client.close()
        except AnsweredError as error:
            raise _relayed(error) from error

    async def _office(self, at: str) -> RestAsker:
        if at == "here" and not self._node.gives_out:
            raise NotFoundError(
                "this node gives out no prefixes",
                place="identifiers.role",
                hint="root, top-level and second-level nodes do, where identifiers.rest_port and applications are not 0",
            )
        found: RestAsker | None = await in_thread(self._node.above if at == "above" else self._node.office)
        if found is None:
            raise UnavailableError(
                "no node above this one is named" if at == "above" else "the node has no HTTP interface",
                place="identifiers.report_to" if at == "above" else "identifiers.rest_port",
                hint="hulian.toml names it",
            )
        return found

    async def _secret(self, read: Any) -> Any:
        try:
            return await in_thread(read)
        except HulianError as error:
            raise UnavailableError(f"this installation has no key: {error.message}", place=str(error.place)) from error

    async def _applicant(self, identity: str) -> KeyIdentity:
        own: KeyIdentity = await self._secret(self._node.identity)
        return structs.replace(own, handle=f"APPLICATION/{identity}", index=KEY)

    async def _is_own(self, found: dict[str, Any]) -> bool:
        if self._node.private is None:
            return False
        try:
            own = fingerprint(pem_of(await in_thread(self._node.private)))
            return own == fingerprint(found["registration"]["public_key"])
        except (HulianError, KeyError):
            return False

    async def _given(self, registration: dict[str, Any] | None, signed: SignedRegistration | None) -> Proposal | None:
        if signed is not None:
            try:
                signature = base64.b64decode(signed.signature, validate=True)
            except (binascii.Error, ValueError):
                raise RequestError("a signature is Base64", place="$.signed.signature") from None
            return Proposal(text=signed.registration, signature=signature)
        return None if registration is None else await self._proposal(registration)

    async def _proposal(self, registration: dict[str, Any]) -> Proposal:
        if self._node.private is None:
            raise UnavailableError("this installation has no key to sign with")
        key = await self._secret(self._node.private)
        try:
            made: Proposal = await in_thread(lambda: Proposal.of(registration, key))
        except RegistrationError as error:
            raise RelayedError(error.as_dict()) from error
        made.prove()
        return made


def _relayed(error: AnsweredError) -> HulianError:
    if not error.status:
        return UnavailableError(error.message, place=str(error.place), hint="is its HTTP interface up? is the address right?")
    if not error.answered:
        return error
    return RelayedError(
        {"code": error.answered, "message": error.said, "place": str(error.place or ""), "hint": str(error.hint or "")}
    )


def _item(found: dict[str, Any]) -> ApplicationItem:
    return ApplicationItem(**{name: found[name] for name in ApplicationItem.__struct_fields__})


def _view(found: dict[str, Any], actions: list[str], *, mine: bool, whole: bool) -> ApplicationView:
    registration = dict(found["registration"])
    if not whole:
        organisation = dict(registration["organisation"])
        organisation.pop("contact", None)
        registration["organisation"] = organisation
    steps = [StepView(**{name: one.get(name, "") for name in StepView.__struct_fields__}) for one in found.get("history", [])]
    return ApplicationView(
        id=found["id"],
        prefix=found["prefix"],
        state=found["state"],
        revision=found["revision"],
        applied=found["applied"],
        changed=found["changed"],
        registration=registration,
        actions=actions if whole else [],
        remarks=list(found.get("remarks", [])),
        history=steps,
        mine=mine,
        whole=whole,
    )
