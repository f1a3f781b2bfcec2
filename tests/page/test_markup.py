"""Text is escaped once, markup never again, and what is written parses as XML."""

import xml.etree.ElementTree as ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tellapart.page.markup import Markup, element, join


def test_text_is_escaped_and_markup_is_not():
    inner = element("b", "<script>")
    assert inner == "<b>&lt;script&gt;</b>"
    assert element("p", "a & b ", inner) == "<p>a &amp; b <b>&lt;script&gt;</b></p>"
    assert join("<", Markup("<br/>")) == "&lt;<br/>"


def test_attributes_are_escaped_named_as_in_html_and_left_out_where_none():
    written = element("rect", class_="a", aria_label='say "x"', x=1.0, y=0.333333, height=None)
    assert written == '<rect class="a" aria-label="say &quot;x&quot;" x="1" y="0.33"/>'


def test_an_empty_element_is_closed_as_an_html_parser_needs_it():
    assert element("div") == "<div></div>"
    assert element("img", src="a") == '<img src="a"/>'


@given(st.text())
def test_any_text_at_all_is_well_formed(text):
    parsed = ElementTree.fromstring(element("p", text, title=text))
    if text.isprintable():
        assert parsed.text == (text or None)
        assert parsed.get("title") == text


def test_what_xml_cannot_write_is_replaced():
    assert (
        element("p", "a\x00b\x1bc\nd")
        == "<p>a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\nd</p>"
    )
    assert element("p", "\ud800") == "<p>\N{REPLACEMENT CHARACTER}</p>"
