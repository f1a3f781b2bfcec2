"""Make drawings of other data match the drawings that a classifier was trained on.

A classifier of light digits on black has never seen black digits on white paper. Image files are
read one by one as ``predict`` reads them. Arrays cannot be read again; they are inverted as a whole
if their background is the opposite one.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.digests import num_cores
from tellapart.data.images.drawing import DrawingStyle, measure_style
from tellapart.data.images.fitted import FittedImage
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.images.reading import read_fitted
from tellapart.data.preparation import Frame
from tellapart.runs.session import Session
from tellapart.wording import plural

NOT_FOUND = "no drawing found"
INVERTED = "inverted"


@dataclass(frozen=True)
class CorrectedDrawings:
    """A data set whose drawings match those that a classifier was trained on.

    Args:
        data_set: with the corrected images.
        changes: the number of images per kind of change, e.g. ``{"inverted": 100}``.
    """

    data_set: DataSet
    changes: Mapping[str, int]

    def to_text(self) -> str:
        """Return the changes in one line; empty if nothing was changed."""
        if not self.changes:
            return ""
        total = sum(len(part) for part in self.data_set.splits.values())
        counts = ", ".join(f"{change} {count:,}" for change, count in self.changes.items())
        return (
            f"of {plural(total, 'drawing')} some were changed to match those the classifier was "
            f"trained on, as predict does: {counts}"
        )


def correct_drawings(
    data_set: DataSet, style: DrawingStyle | None, splits: Iterable[str], session: Session
) -> CorrectedDrawings:
    """Makes the drawings of some splits match those that a classifier was trained on.

    Args:
        data_set: the images; only grey ones can be drawings.
        style: of the drawings that the classifier was trained on; None changes nothing.
        splits: names of the splits to change.
        session: its callbacks receive the progress.
    """
    channels, height, width = next(iter(data_set.splits.values())).image_shape
    if style is None or channels != 1:
        return CorrectedDrawings(data_set, {})
    frame = Frame(channels, height, width, data_set.fit, data_set.white_level)
    counted: Counter[str] = Counter()
    corrected = dict(data_set.splits)
    for split in splits:
        part = data_set.splits[split]
        if split in data_set.files:
            read = functools.partial(read_fitted, frame=frame, style=style)
            corrected[split] = _read_again(data_set, split, read, session, counted)
        elif _has_other_background(part, style):
            corrected[split] = replace(part, images=255 - part.images, mapped=False)
            counted[INVERTED] += len(part)
    return CorrectedDrawings(replace(data_set, splits=corrected), dict(counted))


def _read_again(
    data_set: DataSet,
    split: str,
    read: Callable[[Path], FittedImage],
    session: Session,
    counted: Counter[str],
) -> ImageSet:
    part, paths = data_set.splits[split], data_set.files[split]
    images = np.empty(tuple(part.images.shape), np.uint8)
    with quiet_pillow(), ThreadPoolExecutor(num_cores()) as pool:
        for number, fitted in enumerate(pool.map(read, paths)):
            images[number] = fitted.pixels
            counted.update(changes_of(fitted))
            session.callbacks.on_decoding(number + 1, len(paths))
    return replace(part, images=torch.from_numpy(images), mapped=False)


def changes_of(fitted: FittedImage) -> tuple[str, ...]:
    """Return the changes of an image, with `NOT_FOUND` if it shows no drawing."""
    return fitted.changes if fitted.found else (*fitted.changes, NOT_FOUND)


def _has_other_background(part: ImageSet, style: DrawingStyle) -> bool:
    own = measure_style(part.images.cpu().numpy())
    return own is not None and own.background != style.background
