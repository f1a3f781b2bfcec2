"""What a check of a data set can find, in a form that is listed, shown and written as JSON.

A finding is a *leak* where pictures of one split are, or nearly are, in another: an accuracy
measured there is no accuracy. Everything else is a *fault* worth mending or a *fact* worth knowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["leak", "fault", "fact"]


@dataclass(frozen=True)
class FoundImage:
    """A picture by its split, its place in it and its class, and by its file where it has one."""

    split: str
    index: int
    class_name: str
    path: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As ``data check --json`` lists it."""
        return {
            "split": self.split,
            "index": self.index,
            "class": self.class_name,
            "path": self.path,
        }


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        kind: its sort, in words that stay the same.
        severity: what it means for what is trained on the data.
        message: how much of it there is, and what to do.
        groups: the pictures it is about; those that belong together in one group.
        paths: files it is about that are no pictures of the data set, each with the reason.
    """

    kind: str
    severity: Severity
    message: str
    groups: tuple[tuple[FoundImage, ...], ...] = ()
    paths: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As ``data check --json`` lists it."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "groups": [[picture.to_json() for picture in group] for group in self.groups],
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
