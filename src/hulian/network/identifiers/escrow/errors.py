"""Errors of escrow. HL-ID-10xx.

EscrowError                     HL-ID-1000
├── ManifestError               HL-ID-1001   a manifest that cannot be read
├── EscrowSignatureError        HL-ID-1002   it is not signed by the node
├── VolumeError                 HL-ID-1003   a volume that is missing, cut, damaged or another one
├── RecipientError              HL-ID-1004   no key opens it, or none can be sealed to
├── SealError                   HL-ID-1005   what is in the volumes does not open
├── DocumentError               HL-ID-1006   what was in them is no escrow document
├── HistoryError                HL-ID-1007   exports that do not follow on each other
├── NotEmptyError               HL-ID-1008   a node that has records of its own
├── ExportError                 HL-ID-1009   an export that cannot be written
├── UploadError                 HL-ID-1010   the command after an export failed
└── UnfinishedRestoreError      HL-ID-1011   a node that was restored half
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "DocumentError",
    "EscrowError",
    "EscrowSignatureError",
    "ExportError",
    "HistoryError",
    "ManifestError",
    "NotEmptyError",
    "RecipientError",
    "SealError",
    "UnfinishedRestoreError",
    "UploadError",
    "VolumeError",
]


class EscrowError(HulianError):
    """The root of what can go wrong with escrow."""

    code = "HL-ID-1000"


class ManifestError(EscrowError):
    """A manifest that is missing or cannot be read."""

    code = "HL-ID-1001"
    default_hint = "name the folder of one export, in which manifest.json and manifest.sig stand; fetch it again"


class EscrowSignatureError(EscrowError):
    """The manifest is not signed by the node that it should be from."""

    code = "HL-ID-1002"
    default_hint = "take the public key from who registered the node; if it is the right one, somebody has altered the export"


class VolumeError(EscrowError):
    """A volume that is missing, cut, damaged, or belongs to another export."""

    code = "HL-ID-1003"
    default_hint = "fetch this volume again from where the export is kept"


class RecipientError(EscrowError):
    """No private key that was given opens the export; or a public key that nothing can be sealed to."""

    code = "HL-ID-1004"
    default_hint = "the manifest lists the fingerprints of the keys that open it; RSA from 2048 bits and SM2 can be recipients"


class SealError(EscrowError):
    """What the volumes hold does not open with the key of the manifest."""

    code = "HL-ID-1005"
    default_hint = "nothing was written; fetch the export again, or take another one"


class DocumentError(EscrowError):
    """What was in the volumes is no escrow document, or breaks its bounds."""

    code = "HL-ID-1006"
    default_hint = "nothing was written; it was made by something else than Hulian, or by a newer version"


class HistoryError(EscrowError):
    """Exports that do not follow on each other: of another history, or with one missing between."""

    code = "HL-ID-1007"
    default_hint = "take a full export and the differentials that were made after it; otherwise make a full one now"


class NotEmptyError(EscrowError):
    """The node has records of its own, or of another restore."""

    code = "HL-ID-1008"
    default_hint = "restore into a new data directory, before its node is started for the first time"


class ExportError(EscrowError):
    """An export that cannot be written."""

    code = "HL-ID-1009"
    default_hint = "look at the directory, its rights and the space that is left"


class UploadError(EscrowError):
    """The command that carries exports away failed."""

    code = "HL-ID-1010"
    default_hint = "try it by hand; the export itself is whole, and the command is run again"


class UnfinishedRestoreError(EscrowError):
    """A restore of this node was begun and is not finished."""

    code = "HL-ID-1011"
    default_hint = "run the same 'hulian identifiers escrow restore' again: it goes on"
