"""Records that prove themselves: HS_SIGNATURE over the values, HS_CERT up to a trust root that the reader configured."""

from hulian.network.identifiers.wire.trust.chain import TrustRoot, Verified, verify_record
from hulian.network.identifiers.wire.trust.claims import (
    CertificateClaims,
    Grant,
    SignatureClaims,
    make_certificate,
    make_signature,
    read_certificate,
    read_signature,
)
from hulian.network.identifiers.wire.trust.digests import value_digest
from hulian.network.identifiers.wire.trust.permissions import covers

__all__ = [
    "CertificateClaims",
    "Grant",
    "SignatureClaims",
    "TrustRoot",
    "Verified",
    "covers",
    "make_certificate",
    "make_signature",
    "read_certificate",
    "read_signature",
    "value_digest",
    "verify_record",
]
