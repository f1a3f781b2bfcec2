"""Groups of image files, named by a pattern in their paths."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from tellapart.config.fields import compiled
from tellapart.data.images.listing import ImageFile, Listing, shown_path
from tellapart.errors import ConfigError
from tellapart.wording import listed, plural

_NUM_NAMED, _NUM_EXAMPLES = 3, 2
_KEY = "data.group_by"


def group_files(listing: Listing, pattern: str) -> Listing:
    """Return the files with their groups, as a pattern finds them in their paths.

    Args:
        listing: the files; their paths are taken from its root on, with forward slashes.
        pattern: a regular expression that is searched in the path. Its first group in parentheses
            names the group, or all that it matches where it has none. Empty changes nothing.

    Raises:
        ConfigError: a text that is no pattern, a pattern that does not name the group of every
            file, or files whose groups are given in another way.
    """
    if not pattern:
        return listing
    expression = compiled(_KEY, pattern)
    if listing.grouped_by:
        raise ConfigError(
            f"{listing.name}: groups are given twice, by {listing.grouped_by} and by {_KEY} "
            f"'{pattern}'; take the column out of the table, or set {_KEY}= to nothing"
        )
    files = tuple(
        replace(file, group=_group(expression, shown_path(file.path, listing.root)))
        for file in listing.files
    )
    _require_all(listing, files, pattern)
    return replace(listing, files=files, grouped_by=f"{_KEY} '{pattern}'")


def _group(expression: re.Pattern[str], path: str) -> str:
    match = expression.search(path)
    name = match[min(1, expression.groups)] if match else ""
    # Systems write the same accented name in two ways; a group has one.
    return unicodedata.normalize("NFC", name or "")


def _require_all(listing: Listing, files: tuple[ImageFile, ...], pattern: str) -> None:
    """Refuse a pattern that leaves files without a group."""
    left = [shown_path(file.path, listing.root) for file in files if not file.group]
    if len(left) == len(files):
        raise ConfigError(
            f"{_KEY} '{pattern}' names no group in any of the {plural(len(files), 'path')} of "
            f"{listing.name}, such as {listed(left[:_NUM_EXAMPLES])}; change the pattern"
        )
    if left:
        raise ConfigError(
            f"{_KEY} '{pattern}' names no group in {len(left):,} of the {len(files):,} paths of "
            f"{listing.name}: {listed(left, _NUM_NAMED)}; widen the pattern, rename these, or give "
            "a table with a column group"
        )
