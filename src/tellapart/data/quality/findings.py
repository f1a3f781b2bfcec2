"""The findings of a check of a data set, to be printed, shown on a page and written as JSON.

A finding is a *leak* if images of one split, near duplicates of them, or other images of their
groups are in another: an accuracy measured there is too high. All others are a *fault* to correct
or a *fact* to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tellapart.data.image_set import DataSet

Severity = Literal["leak", "fault", "fact"]
GROUP_LEAK = "group-leak"
"""The kind of finding about groups that are in more than one split."""


@dataclass(frozen=True)
class FoundImage:
    """An image: its split, index and class, and its file if it has one."""

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
    """One finding.

    Args:
        kind: the kind of finding, in fixed words.
        severity: ``leak``, ``fault`` or ``fact``.
        message: the extent of it, and what to do.
        groups: the images in question; those that belong together in one group.
        paths: files in question that are no images of the data set, each with the reason.
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
    """All findings of a data set, the most severe first."""

    findings: tuple[Finding, ...]

    @property
    def has_leaks(self) -> bool:
        """Whether images or groups of one split are in another, so that an accuracy is too high."""
        return any(finding.severity == "leak" for finding in self.findings)
