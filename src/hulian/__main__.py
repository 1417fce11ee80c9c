"""``python -m hulian`` is the ``hulian`` command."""

from __future__ import annotations

from hulian.cli import main

if __name__ == "__main__":
    main()
