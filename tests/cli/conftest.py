"""One real platform for the commands that talk to one; commands run in the test's own process for those that do not."""

import pytest
from api_stack import stack

from hulian.cli import main

__all__ = ["stack"]


@pytest.fixture
def hulian(tmp_path, monkeypatch, capsysbinary):
    """A command, as `main` runs it; what it printed."""
    (tmp_path / "hulian.toml").write_text(f"[node]\ndata = '{tmp_path / 'data'}'\n")
    monkeypatch.chdir(tmp_path)

    def run(*arguments, status=0):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed, complained = (text.decode() for text in capsysbinary.readouterr())
        assert (ended.value.code or 0) == status, printed + complained
        return printed or complained

    return run
