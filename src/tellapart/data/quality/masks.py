"""Masks that lie beside the images they belong to, and would be learned as images themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tellapart.data.image_set import DataSet
from tellapart.data.quality.findings import Finding, FoundImage, found_image
from tellapart.wording import plural

# "benign (3)_mask.png", "benign (3)_mask_1.png" beside "benign (3).png"
_MASK = re.compile(
    r"(.+?)[-_. ](?:masks?|seg|segmentation|annotation|gt|groundtruth)(?:[-_. ]?\d+)?",
    re.IGNORECASE,
)


def mask_files(data_set: DataSet) -> Iterator[Finding]:
    """Yield one finding for all images that are called as the mask of another one beside them.

    Args:
        data_set: of image files; arrays have no names.
    """
    masks: list[FoundImage] = []
    # A mask and its image may be in different splits.
    known = {Path(path).with_suffix("") for paths in data_set.files.values() for path in paths}
    for split, paths in data_set.files.items():
        for index, place in enumerate(map(Path, paths)):
            match = _MASK.fullmatch(place.stem)
            if match and place.with_name(match[1]) in known:
                masks.append(found_image(data_set, split, index))
    if masks:
        yield Finding(
            "masks",
            "fault",
            f"{plural(len(masks), 'image')} called as the mask of another one beside it, learned "
            f"as images of their class ({Path(masks[0].path or '').name}): take them out",
            tuple((mask,) for mask in masks),
        )
