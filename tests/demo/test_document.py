"""The page of the demo plant shows the tables that its servers read."""

from pathlib import Path

from hulian.demo.document import fill, tables

PAGE = Path(__file__).parents[2] / "docs" / "topics" / "demo-plant.md"


def test_page_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    assert fill(page) == page, "run: python -m hulian.demo.document docs/topics/demo-plant.md"


def test_every_table_has_its_place_and_a_stale_one_is_made_anew():
    page = PAGE.read_text(encoding="utf-8")
    for name, table in tables().items():
        assert f"<!-- table: {name} -->\n{table}\n<!-- end -->" in page
    stale = page.replace("IDV04", "IDV99")
    assert stale != page
    assert fill(stale) == page
