"""A complete page in one file: styles, scripts and images are inside it; it loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from tellapart.page.markup import Markup, element

#: The browser enforces this policy: the page cannot load anything from outside itself.
_SELF_CONTAINED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_OWN_SCRIPTS = "; script-src 'unsafe-inline'"


def document(
    title: str,
    *body: str,
    styles: Sequence[str],
    scripts: Sequence[str] = (),
    language: str = "en",
) -> str:
    """Return a self-contained page of HTML; the same input gives the same bytes.

    Args:
        title: the title of the window.
        body: the content of the page, text or markup.
        styles: CSS, added after the palette that all pages share.
        scripts: JavaScript, run after the body in this order; it must not contain ``</script``.
        language: the language of the text as an HTML language code.
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
    """Read a text file, a style or a script, that is part of ``package``."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
