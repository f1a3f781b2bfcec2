"""Elements of HTML and SVG, written so that text is escaped once and only once."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is markup already; `element` and `join` put it in as it is."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """``<tag attributes>children</tag>``, well-formed as XML too.

    A child that is `Markup` is put in as it is; any other text is escaped. In an attribute's name
    ``_`` stands for ``-``, at the end for nothing (``class_``); an attribute of None is left out.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    content = join(*children)
    # An empty <div/> is an open <div> to an HTML parser, so only void elements are closed at once.
    if not content and tag in _CLOSED_AT_ONCE:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{content}</{tag}>")


def join(*children: str) -> Markup:
    """The children one after the other, those that are not `Markup` escaped."""
    return Markup("".join(c if isinstance(c, Markup) else _escape(c) for c in children))


_CLOSED_AT_ONCE = frozenset(
    {"meta", "img", "br", "hr", "rect", "line", "circle", "path", "polyline", "polygon"}
)

# XML 1.0 has no way to write these, escaped or not, and a file name may hold them.
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
