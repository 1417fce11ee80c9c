"""Errors of dictionaries and of matching.

ApiError
├── ImportStoppedError      HL-API-0080   409  an import of a dictionary that somebody ended
├── BuiltInError            HL-API-0081   409  the dictionary that comes with Hulian
└── TooManyPointsError      HL-API-0082   413  more live points without a document than the model takes
"""

from __future__ import annotations

from hulian.platform.api.errors import ApiError

__all__ = ["BuiltInError", "ImportStoppedError", "TooManyPointsError"]


class ImportStoppedError(ApiError):
    """An import of a dictionary that somebody ended before it was done: the release before stays."""

    code = "HL-API-0080"
    status = 409
    default_hint = "nothing of it is seen; import the file again where it was ended by mistake"


class BuiltInError(ApiError):
    """The dictionary that comes with Hulian: suggestions are built on it, and it would be back at the next start."""

    code = "HL-API-0081"
    status = 409
    default_hint = "choose another name for a dictionary of your own; the one that comes with Hulian stays"


class TooManyPointsError(ApiError):
    """More live points that no document describes than the model takes as one document."""

    code = "HL-API-0082"
    status = 413
    default_hint = "import a document that describes the plant: its nodes are then what the points mean"
