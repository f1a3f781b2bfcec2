"""A page declares that it loads nothing, and allows scripts only where it was given some."""

from tellapart.page.document import document
from tellapart.page.markup import element


def test_a_page_is_whole_and_escaped():
    page = document("a <b>", element("p", "x < y"), styles=["p { color: red; }"])
    assert page.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"/>')
    assert "<title>a &lt;b&gt;</title>" in page
    assert "<body><p>x &lt; y</p></body>" in page
    assert "--blue" in page
    assert "p { color: red; }" in page


def test_the_policy_forbids_the_network_and_scripts_unless_there_are_some():
    assert "default-src &#x27;none&#x27;" in document("t", styles=[])
    assert "script-src" not in document("t", styles=[])
    page = document("t", styles=[], scripts=["const less = 1 < 2;"], language="zh")
    assert "script-src &#x27;unsafe-inline&#x27;" in page
    assert "<script>const less = 1 < 2;</script></body>" in page
    assert 'lang="zh"' in page
