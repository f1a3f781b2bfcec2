"""All examinations by name, and the type of what is asked of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from tellapart.errors import ConfigError
from tellapart.trust.certainty.conformal import SetMethod
from tellapart.workflow.examinations.against import examine_against
from tellapart.workflow.examinations.attacked import examine_attacked
from tellapart.workflow.examinations.corrupted import examine_corrupted
from tellapart.workflow.examinations.coverage import examine_coverage
from tellapart.workflow.examinations.examination import Examination
from tellapart.workflow.examinations.examined import Examined
from tellapart.workflow.examinations.outside import examine_outside
from tellapart.workflow.examinations.subgroups import examine_subgroups


class Requested(TypedDict, total=False):
    """The examinations that `evaluate` takes as keyword arguments; None or False asks for none.

    Args:
        corrupted: whether to classify the images again, corrupted in fifteen ways.
        subgroups: the column of a table by whose values the accuracy is divided.
        against: another run, or a classifier file, that answers the same images.
        attacked: whether to change some images so as to mislead the classifier.
        coverage: the fraction of sets of classes that are to hold the true class, such as 0.99.
        sets: how the classes of the sets are scored, for ``coverage``; None is ``lac``.
        per_class: give each class that coverage by itself, for ``coverage``.
        outside: images of another kind: a data set, files, a folder or a pattern, or several.
    """

    corrupted: bool
    subgroups: str | None
    against: str | Path | None
    attacked: bool
    coverage: float | None
    sets: SetMethod | None
    per_class: bool
    outside: str | Path | Sequence[str | Path] | None


EXAMINERS: Mapping[str, Callable[..., Examination]] = {
    "coverage": examine_coverage,
    "subgroups": examine_subgroups,
    "against": examine_against,
    "outside": examine_outside,
    "corrupted": examine_corrupted,
    "attacked": examine_attacked,
}
"""For each name a function of what is examined and of what was asked.

Those that may refuse what was asked come first, and those that take long last.
"""

DETAILS: Mapping[str, str] = {"sets": "coverage", "per_class": "coverage"}
"""Further keywords, and the examination whose function takes them under the same name."""


def examine(examined: Examined, requested: Requested) -> tuple[Examination, ...]:
    """Make the examinations that are requested, in the order of the table.

    Raises:
        ConfigError: an examination that there is not.
        TellapartError: any of its kinds, where an examination refuses its subject or its argument.
    """
    require_known(requested)
    asked = {name: value for name, value in requested.items() if _is_asked(value)}
    return tuple(
        EXAMINERS[name](
            examined,
            asked[name],
            **{
                detail: asked[detail]
                for detail, of in DETAILS.items()
                if of == name and detail in asked
            },
        )
        for name in EXAMINERS
        if name in asked
    )


def _is_asked(value: object) -> bool:
    return value is not None and value is not False and value != ()


def require_known(requested: Mapping[str, Any]) -> None:
    """Refuse a keyword that is no examination, and a detail without its examination.

    Raises:
        ConfigError: such a keyword.
    """
    for name, value in requested.items():
        needed = DETAILS.get(name)
        if needed and _is_asked(value) and not _is_asked(requested.get(needed)):
            raise ConfigError(f"--{name.replace('_', '-')} is for --{needed}; give --{needed} too")
        if not needed and name not in EXAMINERS:
            raise ConfigError(
                f"evaluate takes no argument {name!r}; examinations are {', '.join(EXAMINERS)}"
            )


def file_names() -> tuple[str, ...]:
    """Return the names of the files that examinations write."""
    return tuple(f"{name}.{suffix}" for name in EXAMINERS for suffix in ("html", "json"))
