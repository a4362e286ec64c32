"""Wiki markup to prose, and the export's XML."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest

from actmax.assets.asset import is_fetched
from actmax.assets.known import WIKIPEDIA_EXCERPT
from actmax.corpus import wiki
from actmax.corpus.wiki import plain_text, read_articles
from actmax.errors import ActmaxError


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("'''Albedo''' is ''white''.", "Albedo is white."),
        ("the [[Latin]] [[diffuse reflection|power]]s", "the Latin powers"),
        ("a [http://x.org/y site] and [http://x.org]", "a site and"),
        ("one<ref>no</ref> two<ref name=x /> three<!-- no -->.", "one two three."),
        ("a {{cite|x={{inner|y}}}} b", "a b"),
        ("{{convert|5|km|mi}} of {{lang|de|Wald}} and {{nowrap|so on}}", "5 km of Wald and so on"),
        ("a\n{| class=x\n| b || c {| inner |}\n|}\nd", "a\n\nd"),
        ("[[File:x.jpg|thumb|A [[cat]] here]]text[[Category:Cats]]", "text"),
        ("== Head ==\nwords\n=== Under ===\nmore", "Head\n\nwords\n\nUnder\n\nmore"),
        ("== Empty ==\n== Full ==\nwords", "Full\n\nwords"),
        ("words\n== See also ==\n* a link.\n=== Deeper ===\nno\n== Next ==\nyes", "words\n\nNext\n\nyes"),
        ("* an item\n* A whole sentence.\n# 3", "A whole sentence."),
        ("x ({{IPA|y}}; ''albus'') z ({{IPA|y}}) .", "x (albus) z."),
        ("5 &lt; 6 &amp;nbsp; a<br />b H<sub>2</sub>O", "5 < 6 &nbsp; a\n\nb H2O"),
        ("__NOTOC__ a {{ broken [[ marks", "a broken marks"),
        ("<math>x^2</math> <gallery>\nFile:x\n</gallery> ok", "ok"),
    ],
)
def test_markup(markup: str, text: str) -> None:
    assert plain_text(markup) == text


def test_deep_nesting_ends() -> None:
    assert plain_text("{{" * 5000 + "x" + "}}" * 5000 + " y") == "y"


def export(tmp_path: Path, body: str, head: str = "") -> Path:
    path = tmp_path / "wiki.xml.bz2"
    path.write_bytes(bz2.compress(f"{head}<mediawiki>{body}</mediawiki>".encode()))
    return path


def page(title: str, text: str, space: int = 0, extra: str = "") -> str:
    return (
        f"<page><title>{title}</title><ns>{space}</ns>{extra}<revision><text>{text}</text></revision></page>"
    )


def test_articles_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiki, "SHORTEST", 2)
    body = "".join(
        [
            page("Cat", "The [[cat]] &amp;lt; dog &lt;br&gt; sat."),
            page("Old", "#REDIRECT [[Cat]]", extra='<redirect title="Cat" />'),
            page("Talk:Cat", "not an article", space=1),
            page("Cats", "Cat may be:\n{{disambiguation}}"),
            page("List of cats", "one two three four"),
            page("Stub", "short"),
            page("Dog", "The dog ran."),
        ]
    )
    articles = list(read_articles(export(tmp_path, body)))
    assert [(article.title, article.text) for article in articles] == [
        ("Cat", "The cat < dog\n\nsat."),
        ("Dog", "The dog ran."),
    ]


def test_entities_are_never_declared(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    with pytest.raises(ActmaxError, match="document type"):
        list(read_articles(export(tmp_path, page("x", "&b;"), laughs)))


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    path = export(tmp_path, page("Cat", "text"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ActmaxError, match="damaged"):
        list(read_articles(path))
    path.write_bytes(bz2.compress(b"<mediawiki><page>"))
    with pytest.raises(ActmaxError, match="damaged"):
        list(read_articles(path))


@pytest.mark.real
def test_the_default_corpus() -> None:
    from actmax.assets.asset import asset_path

    if not is_fetched(WIKIPEDIA_EXCERPT):
        pytest.skip(
            "the default corpus is not in the cache; `actmax models fetch wikipedia-excerpt` fetches it"
        )
    articles = list(read_articles(asset_path(WIKIPEDIA_EXCERPT)))
    assert len(articles) == 94
    assert 380_000 < sum(len(article.text.split()) for article in articles) < 450_000
    together = "\n".join(article.text for article in articles)
    for mark in ("{{", "}}", "[[", "]]", "''", "<ref", "http://", "&nbsp;"):
        assert mark not in together
    assert articles[0].text.startswith("Anarchism is a political philosophy")
