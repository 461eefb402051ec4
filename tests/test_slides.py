"""Slides: a deck per lecture plan, complete in itself."""

import re
from functools import cache

import pytest
from effort import some

pytest.importorskip("nbconvert")
pytest.importorskip("latex2mathml")

from docs import slides

deck_of = cache(slides.deck)


@pytest.fixture(scope="module", params=some(slides.PLANS, every=3))
def deck(request):
    return deck_of(request.param)


@pytest.mark.long
def test_a_deck_fetches_nothing(deck):
    short = re.sub(r"data:[^\"')]+", "data:", deck)
    assert not re.findall(r"""(?:src|srcset|poster)\s*=\s*(?!["']?data:)\S+""", short)
    assert "<link" not in deck
    assert "@import" not in deck
    assert "url(" not in short


@pytest.mark.long
def test_a_deck_has_slides_with_headings_formulas_and_figures(deck):
    sections = deck.split("<section")[2:]
    assert len(sections) >= 5
    assert all(re.search(r"<h[123]", section) for section in sections)
    assert "Where to go on</h2>" not in deck
    assert 'src="data:image/' in deck
    text = re.sub(r"<pre.*?</pre>|<code.*?</code>|<style.*?</style>|<script.*?</script>", "", deck, flags=re.DOTALL)
    assert not re.search(r"\$[^$<]*\\\w+", text), "a formula is left as TeX"


def test_figures_are_svg_where_they_are_and_their_code_is_left_out():
    wednesday = deck_of("wednesday")
    assert "data:image/svg+xml" in wednesday
    assert "plt.subplots" not in wednesday
    assert "<math" in wednesday


def test_a_section_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setitem(slides.PLANS, "odd", ("Odd", [("09", "Nothing")]))
    with pytest.raises(ValueError, match="notebook 09 has no section 'Nothing'"):
        slides.deck("odd")


@pytest.mark.long
def test_every_plan_is_linked_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "deck", deck_of)
    slides.write(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {*slides.PLANS}
    assert all(f"../slides/{name}.html" in slides.links() for name in slides.PLANS)
