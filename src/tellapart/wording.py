"""Numbers, counts, lists and suggestions as text, the same in messages, tables and pages."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable

NOT_DEFINED = "\N{EN DASH}"
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
# A suggestion must share about half of its letters with what was typed.
_NEAR = 0.5


def percent(fraction: float, num_digits: int = 2) -> str:
    """A fraction in 0..1 as a percentage with a fixed number of digits.

    >>> percent(0.98765)
    '98.77 %'
    """
    return f"{100 * fraction:.{num_digits}f} %"


def precise_percent(fraction: float, num_images: int) -> str:
    """A fraction of ``num_images`` as a percentage with enough digits to show a single image.

    That is one digit up to 1,000 images, two up to 10,000, and so on. A fraction that is below 1
    never reads 100 %, and one that is above 0 never reads 0 %.

    >>> precise_percent(59_999 / 60_000, 60_000)
    '99.998 %'
    >>> precise_percent(0.99999, 100)
    '> 99.9 %'
    """
    num_digits = max(1, math.ceil(math.log10(max(num_images, 1))) - 2)
    return f"{_rounded_inside(100 * fraction, 100, num_digits)} %"


def score(value: float | None, num_digits: int = 4) -> str:
    """A score in 0..1, or a dash for None; only 1 itself reads 1, and only 0 itself reads 0.

    >>> score(0.5), score(0.99999), score(None)
    ('0.5000', '> 0.9999', '–')
    """
    return NOT_DEFINED if value is None else _rounded_inside(value, 1, num_digits)


def number(value: int) -> str:
    """A whole number with its thousands separated.

    >>> number(12345)
    '12,345'
    """
    return f"{value:,}"


def plural(count: int, noun: str) -> str:
    """A count with its noun, in the singular or the plural.

    >>> plural(1, "image"), plural(1200, "image"), plural(0, "class")
    ('1 image', '1,200 images', '0 classes')
    """
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{number(count)} {noun}{ending}"


def listed(items: Iterable[object], limit: int = 5, separator: str = ", ") -> str:
    """The first ``limit`` items, and how many more there are.

    >>> listed(["ant", "bee", "wasp"], limit=2)
    'ant, bee and 1 more'
    """
    texts = [str(item) for item in items]
    left = len(texts) - limit
    return separator.join(texts[:limit]) + (f" and {number(left)} more" if left > 0 else "")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like ``name``, in any case; None where none is like it.

    >>> nearest("MNSIT", ["mnist", "kmnist"])
    'mnist'
    """
    candidates = [str(candidate) for candidate in known]
    found = difflib.get_close_matches(name, candidates, n=1, cutoff=_NEAR)
    if found:
        return found[0]
    in_lower_case = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.lower(), in_lower_case, n=1, cutoff=_NEAR)
    return in_lower_case[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a message about an unknown name: the nearest known one, else ``otherwise``.

    >>> did_you_mean("aant", ["ant", "bee"], otherwise="known: ant, bee")
    "; did you mean 'ant'?"
    >>> did_you_mean("x", ["ant", "bee"], otherwise="known: ant, bee")
    '; known: ant, bee'
    """
    near = nearest(name, known)
    if near is not None:
        return f"; did you mean {near!r}?"
    return f"; {otherwise}" if otherwise else ""


def duration(seconds: float) -> str:
    """A time in the units that a person would choose.

    >>> duration(3.21), duration(250), duration(7500)
    ('3.2 s', '4 min 10 s', '2 h 5 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def shortened(text: str, num_characters: int) -> str:
    """The text, cut and ended by an ellipsis where it is longer than ``num_characters``.

    >>> shortened("aquatic mammal", 9)
    'aquatic…'
    """
    if len(text) <= num_characters:
        return text
    return text[: max(num_characters - 1, 1)].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def unbroken(text: str) -> str:
    """The text with spaces at which a browser does not break the line, as in ``98.77 %``."""
    return text.replace(" ", _NO_BREAK_SPACE)


def _rounded_inside(value: float, end: int, num_digits: int) -> str:
    """A value in 0..``end``, rounded; ``> 0.99`` or ``< 0.01`` where that would give an end."""
    written, step = f"{value:.{num_digits}f}", 10.0**-num_digits
    if value < end and float(written) == end:
        return f"> {end - step:.{num_digits}f}"
    if value > 0 and float(written) == 0:
        return f"< {step:.{num_digits}f}"
    return written
