"""Suspicious names of classes: ``nan``, names that differ in a blank, names of splits."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from tellapart.data.images.split_names import split_named
from tellapart.data.quality.findings import Finding

# What programs write for a missing value, in lower case.
_NO_VALUES = frozenset(
    {
        *("nan", "none", "null", "nil", "n/a", "na", "#n/a", "#na", "<na>", "nat"),
        *("undefined", "unknown class", "missing", "-", "--", "?", "#value!", "#ref!"),
    }
)
_MAY_BE_MEANT = frozenset({"valid"})  # beside "invalid"
_NUM_NAMED = 5


def class_name_findings(class_names: Sequence[str]) -> Iterator[Finding]:
    """Find class names that are missing values, nearly equal, or names of splits."""
    for message in (
        *_no_names(class_names),
        *_with_blanks(class_names),
        *_alike(class_names),
        *_splits(class_names),
    ):
        yield Finding("class names", "fault", message)


def _no_names(names: Sequence[str]) -> Iterator[str]:
    found = [
        name
        for name in names
        if not name.strip() or name.strip().lower() in _NO_VALUES or _is_from_a_program(name)
    ]
    if found:
        yield (
            f"{_listed(found)} stands where a program had no value, and is learned as a class: "
            "give these images their label, or take them out"
        )


def _is_from_a_program(name: str) -> bool:
    """Whether the name is an unnamed column of pandas, or a folder of a notebook or a system."""
    return name.lower().startswith("unnamed: ") or name.startswith((".", "__"))


def _with_blanks(names: Sequence[str]) -> Iterator[str]:
    found = [name for name in names if name.strip() and name != name.strip()]
    if found:
        yield f"{_listed(found)} begins or ends with a blank: rename it"


def _alike(names: Sequence[str]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        groups.setdefault("".join(folded.split()).replace("_", "").replace("-", ""), []).append(
            name
        )
    for group in groups.values():
        if len(group) > 1:
            yield (
                f"{_listed(group)} differ in case, blanks or strokes only, and are learned as "
                f"{len(group)} classes: give them one name, if they are one"
            )


def _splits(names: Sequence[str]) -> Iterator[str]:
    found = [n for n in names if split_named(n) and n.strip().lower() not in _MAY_BE_MEANT]
    if found:
        yield (
            f"{_listed(found)} is the name of a split and is learned as a class: if it is one, put "
            "folders of classes into it, DATA/train/CLASS"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(map(repr, names[:_NUM_NAMED])) + more
