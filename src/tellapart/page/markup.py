"""Elements of HTML and SVG, with text escaped exactly once."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is already markup; `element` and `join` do not escape it again."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """Return ``<tag attributes>children</tag>``, which is well-formed XML too.

    A child that is `Markup` is inserted unchanged; any other text is escaped. In the name of an
    attribute ``_`` becomes ``-`` and a final ``_`` is dropped, as in ``class_``. An attribute with
    the value None is left out.

    >>> element("p", "1 < 2", class_="note", id=None)
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    content = join(*children)
    # An HTML parser reads an empty <div/> as an open <div>: only void elements are closed at once.
    if not content and tag in _CLOSED_AT_ONCE:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{content}</{tag}>")


def join(*children: str) -> Markup:
    """Concatenate the children; those that are not `Markup` are escaped."""
    return Markup("".join(c if isinstance(c, Markup) else _escape(c) for c in children))


_CLOSED_AT_ONCE = frozenset(
    {"meta", "img", "br", "hr", "rect", "line", "circle", "path", "polyline", "polygon"}
)

# XML 1.0 cannot represent these characters, escaped or not, and a file name may contain them.
_UNWRITABLE = dict.fromkeys(
    {*range(32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF} - {ord(blank) for blank in "\t\n\r"},
    "\N{REPLACEMENT CHARACTER}",
)


def _escape(text: str) -> str:
    return escape(text.translate(_UNWRITABLE) if not text.isprintable() else text)


def _attribute(value: str | float) -> str:
    if isinstance(value, str):
        return _escape(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
