"""The page of topologies is what the shelf says of itself today, and a page that is not is noticed."""

import orchestra.topologies
from scripts import gallery


def test_the_page_is_up_to_date():
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page(), "fix: python -m scripts.gallery"


def test_it_draws_every_topology():
    page = gallery.page()
    assert page.count("```mermaid") == len(orchestra.topologies.__all__)
    for name in orchestra.topologies.__all__:
        assert f"\n## {name}\n" in page and f"| [{name}](#{name}) |" in page


def test_it_is_the_same_on_another_day():
    assert gallery.page() == gallery.page() and "0x" not in gallery.page()


def test_control_an_old_page_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "PAGE", tmp_path / "topologies.md")
    monkeypatch.setattr("sys.argv", ["gallery"])
    assert gallery.main() == 0
    monkeypatch.setattr("sys.argv", ["gallery", "--check"])
    assert gallery.main() == 0
    gallery.PAGE.write_text(gallery.PAGE.read_text() + "more")
    assert gallery.main() == 1
