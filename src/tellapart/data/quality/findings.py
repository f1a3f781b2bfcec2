"""What a check of a data set can find, in a form that is listed, shown and written as JSON.

A finding is a *leak* where images of one split are, or nearly are, in another: an accuracy measured
there says nothing. Everything else is a *fault* worth mending or a *fact* worth knowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tellapart.data.image_set import DataSet

Severity = Literal["leak", "fault", "fact"]


@dataclass(frozen=True)
class FoundImage:
    """An image by its split, its index in it and its class, and by its file where it has one."""

    split: str
    index: int
    class_name: str
    path: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what ``data check --json`` lists."""
        return {
            "split": self.split,
            "index": self.index,
            "class": self.class_name,
            "path": self.path,
        }


def found_image(data_set: DataSet, split: str, index: int) -> FoundImage:
    """Return the image of ``split`` at ``index``."""
    files = data_set.files.get(split)
    class_name = data_set.class_names[int(data_set.split(split).labels[index])]
    return FoundImage(split, index, class_name, str(files[index]) if files else None)


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        kind: a few words that stay the same.
        severity: what it means for a classifier that is trained on the data.
        message: how much of it there is, and what to do.
        groups: the images it is about; those that belong together in one group.
        paths: files it is about that are no images of the data set, each with the reason.
    """

    kind: str
    severity: Severity
    message: str
    groups: tuple[tuple[FoundImage, ...], ...] = ()
    paths: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what ``data check --json`` lists."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "groups": [[image.to_json() for image in group] for group in self.groups],
            "files": [{"path": path, "reason": reason} for path, reason in self.paths],
        }


@dataclass(frozen=True)
class Audit:
    """Everything that was found in a data set, the gravest first."""

    findings: tuple[Finding, ...]

    @property
    def has_leaks(self) -> bool:
        """Whether an accuracy measured on this data would be dishonest."""
        return any(finding.severity == "leak" for finding in self.findings)
