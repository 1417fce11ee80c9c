"""The plant described in the field's languages, from the tables that its servers read.

`automationml` is the plant with its hierarchy, units and interfaces, `instrumentml` the chromatograph with its commands.
`write` puts both into a directory.
"""

from __future__ import annotations

from hulian.demo.describing.files import FILES, INSTRUMENT, PLANT, write
from hulian.demo.describing.instrument import instrumentml
from hulian.demo.describing.plant import automationml

__all__ = ["FILES", "INSTRUMENT", "PLANT", "automationml", "instrumentml", "write"]
