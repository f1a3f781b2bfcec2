"""All examinations by name, and the type of what is asked of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from tellapart.errors import ConfigError
from tellapart.workflow.examinations.against import examine_against
from tellapart.workflow.examinations.examination import Examination
from tellapart.workflow.examinations.examined import Examined


class Requested(TypedDict, total=False):
    """The examinations that `evaluate` takes as keyword arguments; None or False asks for none.

    Args:
        against: another run, or a classifier file, that answers the same images.
    """

    against: str | Path | None


EXAMINERS: Mapping[str, Callable[[Examined, Any], Examination]] = {
    "against": examine_against,
}


def examine(examined: Examined, requested: Requested) -> tuple[Examination, ...]:
    """Make the examinations that are requested, in the order of the table.

    Raises:
        ConfigError: an examination that there is not.
        TellapartError: any of its kinds, where an examination refuses its subject or its argument.
    """
    require_known(requested)
    asked = {name: requested.get(name) for name in EXAMINERS}
    return tuple(
        EXAMINERS[name](examined, argument)
        for name, argument in asked.items()
        if argument is not None and argument is not False
    )


def require_known(requested: Mapping[str, Any]) -> None:
    """Refuse a keyword that is no examination.

    Raises:
        ConfigError: such a keyword.
    """
    for name in requested:
        if name not in EXAMINERS:
            raise ConfigError(
                f"evaluate takes no argument {name!r}; examinations are {', '.join(EXAMINERS)}"
            )


def file_names() -> tuple[str, ...]:
    """Return the names of the files that examinations write."""
    return tuple(f"{name}.{suffix}" for name in EXAMINERS for suffix in ("html", "json"))
