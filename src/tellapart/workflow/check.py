"""``data check``: find the faults of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.config import Recipe, Settings
from tellapart.data.image_set import DataSet
from tellapart.data.quality.audit import audit
from tellapart.data.quality.findings import Audit
from tellapart.data.quality.warnings import mirroring_of
from tellapart.errors import RunError
from tellapart.files import expand_home, make_folder, write_whole
from tellapart.report.audit_page import render_audit
from tellapart.runs.data import load_for_recipe
from tellapart.runs.session import Session


@dataclass(frozen=True)
class CheckResult:
    """The findings of a data set, and the page that shows them; None where none was written."""

    data_set: DataSet
    audit: Audit
    page: Path | None

    def to_json(self) -> dict[str, Any]:
        """Return what ``data check --json`` prints: every finding with all its images and files."""
        names = self.data_set.class_names
        return {
            "data": self.data_set.name,
            "fingerprint": self.data_set.fingerprint,
            "has_leaks": self.audit.has_leaks,
            "class_counts": {
                split: dict(zip(names, part.class_counts(), strict=True))
                for split, part in self.data_set.splits.items()
            },
            "findings": [finding.to_json() for finding in self.audit.findings],
            "notes": list(self.data_set.notes),
            "page": str(self.page) if self.page else None,
        }


def check(
    data: str | Path,
    *,
    recipe: str | Path | Recipe | None = None,
    settings: Settings = (),
    page: str | Path | None = None,
    session: Session | None = None,
) -> CheckResult:
    """Examine a data set for unreadable files, odd classes and images, duplicates and leaks.

    Args:
        data: a folder, a ``.csv`` table, an ``.npz`` archive or a catalogue name.
        recipe: the recipe for training; None chooses one that suits the data.
        settings: changes to the recipe: values by key, or texts ``KEY=VALUE``.
        page: the ``.html`` file to write with the findings and their images; None writes none.
        session: data folder and callbacks; None is the default `Session`.

    Returns:
        The data set, the findings, and the path of the page.

    Raises:
        DataError: data that cannot be used at all.
        ConfigError: a wrong setting.
        RunError: a ``page`` that is no ``.html`` file, or cannot be written.

    >>> import tellapart
    >>> result = tellapart.check("mnist-sample")
    >>> result.audit.has_leaks, [finding.kind for finding in result.audit.findings]
    (False, [])
    """
    data_set, chosen = load_for_recipe(
        data, recipe, settings, session or Session(), holds_out_calibration=False
    )
    found = audit(data_set, mirroring_of(chosen, data_set))
    written = expand_home(page) if page else None
    if written:
        if written.suffix != ".html" or written.is_dir():
            raise RunError(f"the page must be an .html file, got {str(written)!r}; e.g. check.html")
        make_folder(written.parent)
        write_whole(written, render_audit(data_set, found))
    return CheckResult(data_set, found, written)
