"""``hulian label`` and ``hulian scan`` as they are typed."""

from __future__ import annotations

import io
import json
import sys
from typing import get_args

import pytest

from hulian.cli import main
from hulian.cli.labelling import Symbology
from hulian.network.identifiers.carriers.symbols.symbology import Kind


@pytest.fixture
def hulian(tmp_path, monkeypatch, capsys):
    """The command in this process, in a folder of its own: (status, output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments, given=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def test_labels_are_printed_and_scanned_again(hulian):
    code, out, err = hulian("label", "88.111.1/ITEM7", "--out", "item.png", "--text", "Pump 7")
    assert (code, err) == (0, "")
    assert out == "1 label on 1 page: item.png\n"
    code, out, _ = hulian("scan", "item.png")
    assert code == 0
    name, _, symbol, identifier, scheme, text = out.splitlines()[1].split()
    assert (name, symbol, identifier, scheme, text) == ("item.png", "QRCode", "]Q1", "handle", "88.111.1/ITEM7")
    code, out, _ = hulian("scan", "item.png", "--json")
    (found,) = json.loads(out)
    assert found["code"] == {"scheme": "handle", "text": "88.111.1/ITEM7"}
    assert len(found["corners"]) == 4


def test_a_list_comes_from_standard_input_with_a_text_for_each(hulian, tmp_path):
    given = "88.111.1/A\t水泵 1\n\n88.111.1/B\n"
    arguments = ["label", "--from", "-", "--sheet", "2x4", "--margin", "5", "--out", "sheet.svg", "--json"]
    code, out, err = hulian(*arguments, given=given)
    assert (code, err) == (0, "")
    assert json.loads(out) == {"labels": 2, "pages": 1, "files": ["sheet.svg"]}
    assert "水泵 1" in (tmp_path / "sheet.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said", "remedy"),
    [
        (["label", "9506000134351", "--as", "ean", "--out", "x.svg"], "HL-ID-0103", "scan or type the code again"),
        (["label", "88.111.1/A", "--as", "ean", "--out", "x.svg"], "HL-ID-0602", "qr"),
        (["label", "88.111.1/A", "--out", "x.tif"], "HL-CLI-0000", ".pdf"),
        (["label", "88.111.1/A", "--out", "x.svg", "--sheet", "3by8"], "HL-CLI-0000", "3x8"),
        (["label", "88.111.1/A", "--out", "x.svg", "--page", "50"], "HL-ID-0603", "50x30"),
        (["label", "88.111.1/A", "--out", "x.svg", "--margin", "5"], "HL-CLI-0000", "--sheet"),
        (["label", "--out", "x.svg"], "HL-CLI-0000", "--from"),
        (["label", "--from", "nothing.txt", "--out", "x.svg"], "nothing.txt", "name"),
        (["label", "--from", "list.txt", "--out", "x.svg"], "list.txt, line 2", "check digit"),
        (["label", "88.111.1/A", "--out", "nowhere/x.pdf"], "HL-CLI-0000", "folder"),
        (["scan"], "HL-CLI-0000", "photo.jpg"),
        (["scan", "list.txt"], "HL-ID-0605", "PNG"),
        (["scan", "nothing.png"], "nothing.png", "name"),
    ],
)
def test_mistakes_are_told_with_a_remedy(hulian, arguments, said, remedy, tmp_path):
    (tmp_path / "list.txt").write_text("88.111.1/A\n(01)09506000134351\n")
    code, out, err = hulian(*arguments)
    assert (code, out) == (1, "")
    assert said in err
    assert remedy in err
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.txt"]


def test_a_picture_without_symbols_is_an_error_with_advice(hulian, tmp_path):
    from PIL import Image

    Image.new("L", (50, 50), 255).save(tmp_path / "white.png")
    code, out, err = hulian("scan", "white.png", "--json")
    assert (code, json.loads(out)) == (1, [])
    assert json.loads(err)["error"]["code"] == "HL-CLI-0002"


def test_every_symbology_can_be_asked_for():
    assert set(get_args(Symbology)) == {kind.value for kind in Kind}
