"""Why the catalogue says no.

CatalogueError                  HL-CATALOGUE-0000
├── UnknownPointError           HL-CATALOGUE-0001
├── UnknownConnectorError       HL-CATALOGUE-0002
├── TakenNameError              HL-CATALOGUE-0003   a point or connector of this name exists
├── SeriesCollisionError        HL-CATALOGUE-0004   two places share a 64-bit id: refused before the first write
├── SharedAddressError          HL-CATALOGUE-0005   two points would read the same address
├── VersionError                HL-CATALOGUE-0006   somebody else changed it meanwhile
├── DescriptionError            HL-CATALOGUE-0007   a description that contradicts itself
├── OpenSecretError             HL-CATALOGUE-0008   a secret where a reference belongs
├── CursorError                 HL-CATALOGUE-0009   a page that does not exist
├── ListFormatError             HL-CATALOGUE-0010   a tag list that cannot be read as a table
├── ListLimitError              HL-CATALOGUE-0011   a tag list, edit or template beyond its limits
├── CellError                   HL-CATALOGUE-0012   a cell of a tag list that does not fit
├── FaultyListError             HL-CATALOGUE-0013   a tag list with mistakes is not applied
├── ListChangedError            HL-CATALOGUE-0014   what would happen now is not what was previewed
├── PatternError                HL-CATALOGUE-0015   a pattern with a placeholder that cannot be read or filled
├── UnknownTemplateError        HL-CATALOGUE-0016
├── TemplateError               HL-CATALOGUE-0017   a template, or a table of its parameters, that contradicts itself
└── NothingDescribedError       HL-CATALOGUE-0018   a document of the model that names no live value
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "CatalogueError",
    "CellError",
    "CursorError",
    "DescriptionError",
    "FaultyListError",
    "ListChangedError",
    "ListFormatError",
    "ListLimitError",
    "NothingDescribedError",
    "OpenSecretError",
    "PatternError",
    "SeriesCollisionError",
    "SharedAddressError",
    "TakenNameError",
    "TemplateError",
    "UnknownConnectorError",
    "UnknownPointError",
    "UnknownTemplateError",
    "VersionError",
]


class CatalogueError(HulianError):
    """The root of this room."""

    code = "HL-CATALOGUE-0000"


class UnknownPointError(CatalogueError):
    """There is no point of this name."""

    code = "HL-CATALOGUE-0001"
    default_hint = "search for it: 'hulian points TEXT'"


class UnknownConnectorError(CatalogueError):
    """There is no connector of this name."""

    code = "HL-CATALOGUE-0002"
    default_hint = "list them: 'hulian connectors'"


class TakenNameError(CatalogueError):
    """There is already one of this name."""

    code = "HL-CATALOGUE-0003"
    default_hint = "choose another name"


class SeriesCollisionError(CatalogueError):
    """Two different places have the same 64-bit series id. Nothing was written to either."""

    code = "HL-CATALOGUE-0004"
    default_hint = "give the connector another name: its series get other ids"


class SharedAddressError(CatalogueError):
    """Two points would be fed by one address: every sample would be read and stored twice."""

    code = "HL-CATALOGUE-0005"
    default_hint = "rename the point that is there, or remove one of the two"


class VersionError(CatalogueError):
    """What is to be changed is no longer what was read."""

    code = "HL-CATALOGUE-0006"
    default_hint = "read it again and repeat the change"


class DescriptionError(CatalogueError):
    """A description that contradicts itself or cannot be kept."""

    code = "HL-CATALOGUE-0007"


class OpenSecretError(CatalogueError):
    """A secret stands where a reference to one belongs. The message does not hold it."""

    code = "HL-CATALOGUE-0008"
    default_hint = "keep it with 'hulian secret set NAME' and write 'secret:NAME'; or 'env:NAME', or 'file:PATH'"


class CursorError(CatalogueError):
    """A cursor that no page of this catalogue gave."""

    code = "HL-CATALOGUE-0009"
    default_hint = "begin with the first page, without a cursor"


class ListFormatError(CatalogueError):
    """A tag list that is no table of known columns. Nothing of it was taken."""

    code = "HL-CATALOGUE-0010"
    default_hint = "begin with an exported list: 'hulian points export list.xlsx'"


class ListLimitError(CatalogueError):
    """A tag list, a bulk edit or a template beyond its limits. Nothing of it was taken."""

    code = "HL-CATALOGUE-0011"
    default_hint = "split it, and take one part after the other"


class CellError(CatalogueError):
    """One cell that does not fit; a preview lists them all by row and column."""

    code = "HL-CATALOGUE-0012"


class FaultyListError(CatalogueError):
    """There are mistakes in what was to be applied: nothing was changed."""

    code = "HL-CATALOGUE-0013"
    default_hint = "preview it, and mend the cells that it names"


class ListChangedError(CatalogueError):
    """The catalogue changed since the preview, so that something else would happen than what a person saw."""

    code = "HL-CATALOGUE-0014"
    default_hint = "preview it again"


class PatternError(CatalogueError):
    """A pattern with a placeholder that cannot be read, or that nothing fills."""

    code = "HL-CATALOGUE-0015"
    default_hint = "a placeholder is {name}, or whole numbers and names with + - and *: {base+2*number}; {{ is a brace"


class UnknownTemplateError(CatalogueError):
    """There is no template of this name."""

    code = "HL-CATALOGUE-0016"
    default_hint = "list them: 'hulian template list'"


class TemplateError(CatalogueError):
    """A template, or a table of its parameters, that contradicts itself."""

    code = "HL-CATALOGUE-0017"


class UnknownChoiceError(CatalogueError):
    """A choice about a connector or a point that the document does not describe. Nothing was changed."""

    code = "HL-CATALOGUE-0019"
    default_hint = "look at what it describes first: 'hulian model points … --dry-run --json'"


class NothingDescribedError(CatalogueError):
    """A document of the model that names no live value: nothing can become a point."""

    code = "HL-CATALOGUE-0018"
    default_hint = "the page on described plants lists what names a live value; 'hulian model documents' lists what there is"
