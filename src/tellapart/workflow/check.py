"""``data check``: everything that is wrong with a data set; and the quick part before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet
from tellapart.data.quality.audit import IMBALANCE_RATIO, audit, imbalance_ratio
from tellapart.data.quality.duplicates import count_shared_images
from tellapart.data.quality.findings import Audit
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.errors import RunError
from tellapart.files import expand_home, make_folder, write_whole
from tellapart.report.audit_page import render_audit
from tellapart.runs.callbacks import Callbacks
from tellapart.workflow.prepare import load_as_trained

_COMPARED = (("test", "train"), ("validation", "train"), ("test", "validation"))


@dataclass(frozen=True)
class CheckResult:
    """What was found in a data set, and the page that shows it."""

    data_set: DataSet
    audit: Audit
    page: Path | None

    def to_json(self) -> dict[str, Any]:
        """What ``data check --json`` prints: every finding with every picture and file."""
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
    settings: Sequence[str] = (),
    page: str | Path | None = None,
    data_dir: str | Path | None = None,
    callbacks: Callbacks | None = None,
) -> CheckResult:
    """Looks through a data set: unreadable files, classes, odd pictures, duplicates and leaks.

    Args:
        data: a folder, a ``.csv`` table, an ``.npz`` archive or a catalogue name.
        recipe: that training will take; None is the one that suits the data.
        settings: ``KEY=VALUE``, as for training: the size and what else a recipe asks of pictures.
        page: where to write the page with the pictures; None writes none.
        data_dir: where the catalogue's files are looked for first.
        callbacks: is told of progress.

    Raises:
        DataError: where the data cannot be used at all.
        ConfigError: a setting that is wrong.
        RunError: where something else than such a page stands at ``page``, or it cannot be written.
    """
    data_set = load_as_trained(data, recipe, settings, data_dir=data_dir, callbacks=callbacks)
    found = audit(data_set)
    written = expand_home(page) if page else None
    if written:
        if written.suffix != ".html" or written.is_dir():
            raise RunError(f"the page is an .html file, got {str(written)!r}; e.g. check.html")
        make_folder(written.parent)
        write_whole(written, render_audit(data_set, found))
    return CheckResult(data_set, found, written)


def warn_of_faults(data_set: DataSet, recipe: Recipe, callbacks: Callbacks) -> None:
    """The part of the check that costs next to nothing, before every training.

    Says how many pictures splits share, byte for byte, or for picture files nearly so, and that
    classes are uneven. The catalogue's data sets are known, and what is to be said stands there.
    """
    if data_set.name in CATALOGUE:
        return
    for (split, other), count in _shared(data_set).items():
        if count:
            callbacks.warn(
                f"{count:,} of the {len(data_set.split(split)):,} pictures of {split} are in "
                f"{other} too: what is measured on them says little; "
                "`tellapart data check` shows them"
            )
    factor = imbalance_ratio(data_set.split("train"))
    settings = recipe.training
    evens_out = settings.class_weights == "balanced" or settings.sampling == "balanced"
    if factor >= IMBALANCE_RATIO and not evens_out:
        callbacks.warn(
            f"the largest class has {factor:.1f} times the pictures of the smallest; "
            "training.class_weights=balanced or training.sampling=balanced makes up for it"
        )


def _shared(data_set: DataSet) -> dict[tuple[str, str], int]:
    if data_set.shared is not None:
        return dict(data_set.shared)
    present = data_set.splits
    return {
        (split, other): count_shared_images(present[split], present[other])
        for split, other in _COMPARED
        if split in present and other in present
    }
