"""Identity, keys and certificates, policy, audit: who may do what, and what they did.

A request comes in as a `Principal`, an `Action` and a resource; `Authority` allows or denies, and the trail has it. This room
knows nothing of what is behind the request.
"""

from __future__ import annotations

from hulian.trust.audit import Audit, AuditRecord, Verification
from hulian.trust.authority import Authority
from hulian.trust.certificates import CertificateAuthority, IssuedCertificate, machine_names
from hulian.trust.deployment import Signer, open_envelope
from hulian.trust.devices import Device, Devices, IssuedDevice
from hulian.trust.edges import Edge, Edges, EdgeState, Invitation, IssuedInvitation
from hulian.trust.errors import (
    AccountError,
    CertificateError,
    CsrfError,
    DeniedError,
    EnrolmentError,
    EnvelopeError,
    KeyStoreError,
    LastAdministratorError,
    LoginRefusedError,
    LoginThrottledError,
    NotAuthenticatedError,
    PasswordChangeError,
    TakenNameError,
    TopicFilterError,
    TrustError,
    UnknownAccountError,
    WeakPasswordError,
)
from hulian.trust.peers import Peer, Peers, PeerState
from hulian.trust.principals import (
    ACTION_SCOPES,
    OWN_ACTIONS,
    ROLE_SCOPES,
    Action,
    Principal,
    PrincipalKind,
    Role,
    Scope,
)
from hulian.trust.secrets import NodeKey, SecretStore
from hulian.trust.sessions import Login, Sessions, SessionSettings
from hulian.trust.spine_accounts import Component, SpineAccounts, SpineUser, edge_account, inbox_prefix
from hulian.trust.store import Trust, TrustSettings
from hulian.trust.tokens import IssuedToken, Token, Tokens
from hulian.trust.users import User, Users

__all__ = [
    "ACTION_SCOPES",
    "OWN_ACTIONS",
    "ROLE_SCOPES",
    "AccountError",
    "Action",
    "Audit",
    "AuditRecord",
    "Authority",
    "CertificateAuthority",
    "CertificateError",
    "Component",
    "CsrfError",
    "DeniedError",
    "Device",
    "Devices",
    "Edge",
    "EdgeState",
    "Edges",
    "EnrolmentError",
    "EnvelopeError",
    "Invitation",
    "IssuedCertificate",
    "IssuedDevice",
    "IssuedInvitation",
    "IssuedToken",
    "KeyStoreError",
    "LastAdministratorError",
    "Login",
    "LoginRefusedError",
    "LoginThrottledError",
    "NodeKey",
    "NotAuthenticatedError",
    "PasswordChangeError",
    "Peer",
    "PeerState",
    "Peers",
    "Principal",
    "PrincipalKind",
    "Role",
    "Scope",
    "SecretStore",
    "SessionSettings",
    "Sessions",
    "Signer",
    "SpineAccounts",
    "SpineUser",
    "TakenNameError",
    "Token",
    "Tokens",
    "TopicFilterError",
    "Trust",
    "TrustError",
    "TrustSettings",
    "UnknownAccountError",
    "User",
    "Users",
    "Verification",
    "WeakPasswordError",
    "edge_account",
    "inbox_prefix",
    "machine_names",
    "open_envelope",
]
