"""Numbers and names as a reader wants them: rounded, but never rounded into a lie."""

from __future__ import annotations

import math

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
NOT_DEFINED = "\N{EN DASH}"


def percent(fraction: float, num_images: int) -> str:
    """A share in 0..1 as a percentage, fine enough that one picture more or less shows.

    A tenth of a percent up to 1,000 pictures, a hundredth up to 10,000, and so on; so 59,999 of
    60,000 is 99.998 %, not 100 %. What is not quite 100 % or 0 % is not rounded to it.
    """
    num_digits = max(1, math.ceil(math.log10(max(num_images, 1))) - 2)
    return f"{_not_to_the_end(100 * fraction, 100, num_digits)}{NO_BREAK_SPACE}%"


def score(value: float | None, num_digits: int = 4) -> str:
    """A score in 0..1 with four digits; what is not quite 1 or 0 is not rounded to it."""
    return NOT_DEFINED if value is None else _not_to_the_end(value, 1, num_digits)


def number(value: int) -> str:
    """A whole number with its thousands apart: 12,345."""
    return f"{value:,}"


def plural(value: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``, ``0 classes``."""
    ending = "" if value == 1 else "es" if noun.endswith("s") else "s"
    return f"{number(value)} {noun}{ending}"


def duration(seconds: float) -> str:
    """Seconds in the units a person would say: 3.2 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 59.95:
        return f"{seconds:.1f}{NO_BREAK_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{NO_BREAK_SPACE}min {rest}{NO_BREAK_SPACE}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{NO_BREAK_SPACE}h {minutes}{NO_BREAK_SPACE}min"


def shortened(text: str, num_characters: int) -> str:
    """The text, or its beginning and an ellipsis where it is longer than that."""
    if len(text) <= num_characters:
        return text
    return text[: max(num_characters - 1, 1)].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _not_to_the_end(value: float, end: int, num_digits: int) -> str:
    """A value in 0..end with so many digits, or that it lies beyond the last number before one."""
    written, step = f"{value:.{num_digits}f}", 10.0**-num_digits
    if value < end and float(written) == end:
        return f">{NO_BREAK_SPACE}{end - step:.{num_digits}f}"
    if value > 0 and float(written) == 0:
        return f"<{NO_BREAK_SPACE}{step:.{num_digits}f}"
    return written
