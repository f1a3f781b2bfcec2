"""A whole page in one file: style and script inside it, nothing beside it, no network."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from tellapart.page.markup import Markup, element

#: Nothing is loaded from anywhere but the page itself; the browser holds it to that.
_SELF_CONTAINED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_OWN_SCRIPTS = "; script-src 'unsafe-inline'"


def document(
    title: str,
    *body: str,
    styles: Sequence[str],
    scripts: Sequence[str] = (),
    language: str = "en",
) -> str:
    """One self-contained page of HTML; the same input gives the same bytes.

    Args:
        title: of the window.
        body: what stands in it, text or markup.
        styles: CSS after the palette that all pages share.
        scripts: JavaScript, run after the body in this order; none of it may hold ``</script``.
        language: of the text, as HTML names it.
    """
    palette = packaged_text("tellapart.page", "palette.css")
    policy = _SELF_CONTAINED + (_OWN_SCRIPTS if scripts else "")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup("\n".join([palette, *styles]))),
    )
    written = [element("script", Markup(script)) for script in scripts]
    page = element("html", head, element("body", *body, *written), lang=language)
    return f"<!doctype html>\n{page}\n"


def packaged_text(package: str, name: str) -> str:
    """The text of a file that lies in ``package``: a style or a script."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
