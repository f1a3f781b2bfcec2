"""The audit of a data set: all faults that can be found before training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.foreign_files import remedies_for
from tellapart.data.images.listing import path_text
from tellapart.data.images.opening import open_image, quiet_pillow
from tellapart.data.quality.blank import blank_images
from tellapart.data.quality.class_names import class_name_findings
from tellapart.data.quality.duplicates import repeats
from tellapart.data.quality.findings import Audit, Finding, FoundImage
from tellapart.data.quality.groups import group_leaks
from tellapart.data.quality.masks import mask_files
from tellapart.data.quality.mirrored import Mirroring, mirrored_classes
from tellapart.errors import DataError
from tellapart.wording import listed, plural

TINY_CLASS = 20
"""A class with fewer images than this in train teaches little, and tests less."""
IMBALANCE_RATIO = 3.0
"""Classes are uneven where the largest has this many times the images of the smallest."""

# A kind of file is odd if it is rarer than this among files of one other kind.
_RARE_FRACTION = 0.02
_LONGEST_ASPECT = 3.0
# Pillow's pixel modes in words; its other modes are shown unchanged.
_MODES = {
    "1": "black and white",
    "L": "grey",
    "P": "palette",
    "RGB": "colour",
    "RGBA": "colour with transparency",
}


def audit(data_set: DataSet, mirroring: Mirroring | None = None) -> Audit:
    """Examine a data set: files, classes, groups, sizes, blank images, equal and similar ones.

    Args:
        data_set: the one to examine.
        mirroring: how the recipe mirrors images that will be trained on it; None for not at all.

    Cost: a few passes over all images, and the files' headers; 70,000 images of 28x28 take some
    ten seconds on one core.
    """
    findings = [
        *repeats(data_set),
        *group_leaks(data_set),
        *blank_images(data_set),
        *mask_files(data_set),
        *_files_left_out(data_set),
        *_class_findings(data_set),
        *_mirrored(data_set, mirroring),
        *class_name_findings(data_set.class_names),
        *_kinds(data_set),
    ]
    order = ("leak", "fault", "fact")
    return Audit(tuple(sorted(findings, key=lambda finding: order.index(finding.severity))))


def imbalance_ratio(train: ImageSet) -> float:
    """Return the image count of the largest class divided by that of the smallest nonempty one."""
    counts = [count for count in train.class_counts() if count]
    return max(counts) / min(counts)


def _mirrored(data_set: DataSet, mirroring: Mirroring | None) -> Iterator[Finding]:
    message = mirrored_classes(data_set, mirroring) if mirroring else None
    if message:
        yield Finding("mirrored classes", "fault", message)


def _files_left_out(data_set: DataSet) -> Iterator[Finding]:
    remedies = {
        "unreadable": "mend or remove them",
        "not an image by its name": "remove them, or name them as what they are",
        "system file": "harmless; remove them if you like",
        "without a class": "move them into the folder of their class",
        "name not UTF-8": "rename them",
        "unreadable folder": "make them readable, or take them out",
        "link back up": "harmless; remove them if you like",
        "own run": "harmless; --out puts runs elsewhere",
    }
    for kind, remedy in remedies.items():
        items = [item for item in data_set.left_out if item.kind == kind]
        if kind == "not an image by its name":
            remedy = remedies_for(item.path.name for item in items) or remedy
        if items:
            yield Finding(
                kind,
                "fact" if "harmless" in remedy else "fault",
                f"{len(items):,} left out: {remedy}",
                paths=tuple((path_text(item.path), item.reason) for item in items),
            )


def _class_findings(data_set: DataSet) -> Iterator[Finding]:
    names = data_set.class_names
    for split, part in data_set.splits.items():
        counts = part.class_counts()
        empty = [name for name, count in zip(names, counts, strict=True) if not count]
        if empty:
            yield Finding(
                "empty class",
                "fault",
                f"{split} has no image of {listed(empty)}: they are not measured there",
            )
    train = data_set.split("train") if "train" in data_set.splits else None
    if train is None:
        return
    counts = train.class_counts()
    tiny = [f"{n} ({c})" for n, c in zip(names, counts, strict=True) if 0 < c < TINY_CLASS]
    if tiny:
        yield Finding(
            "tiny class",
            "fault",
            f"train has fewer than {TINY_CLASS} images of {listed(tiny)}: add some",
        )
    factor = imbalance_ratio(train)
    if factor >= IMBALANCE_RATIO:
        yield Finding(
            "imbalance",
            "fault",
            f"the largest class of train has {factor:.1f} times the images of the smallest: "
            "set training.class_weights=balanced or training.sampling=balanced, and look at "
            "macro F1 beside accuracy",
        )


@dataclass(frozen=True)
class _Header:
    image: FoundImage
    size: tuple[int, int]
    kind: str


def _kinds(data_set: DataSet) -> Iterator[Finding]:
    """Find files unlike the others: of a rare format, very small, or very long."""
    headers = list(_headers(data_set))
    if not headers:
        return
    kinds = Counter(header.kind for header in headers)
    usual = kinds.most_common(1)[0][0]
    rare = [h for h in headers if kinds[h.kind] <= max(1, _RARE_FRACTION * len(headers))]
    if len(kinds) > 1 and rare:
        seen = ", ".join(f"{count} {kind}" for kind, count in Counter(h.kind for h in rare).items())
        yield _of_headers(
            "odd kind",
            rare,
            f"{plural(len(rare), 'file')} of another kind than the rest ({usual}): {seen}; look at "
            "what it shows: often a placeholder, not an image of the class",
        )
    _, height, width = next(iter(data_set.splits.values())).image_shape
    small = [h for h in headers if min(h.size) * 2 <= min(height, width)]
    if small:
        yield _of_headers(
            "odd size",
            small,
            f"{plural(len(small), 'image')} less than half of {width}x{height}, and so enlarged",
        )
    long = [h for h in headers if max(h.size) > _LONGEST_ASPECT * min(h.size)]
    if long:
        yield _of_headers(
            "odd shape",
            long,
            f"{plural(len(long), 'image')} more than {_LONGEST_ASPECT:g} times as long as wide: "
            "mostly border where padded (fit=pad), mostly cut off where cropped (fit=crop), "
            "distorted where squashed (fit=squash)",
        )


def _of_headers(kind: str, headers: Sequence[_Header], message: str) -> Finding:
    return Finding(kind, "fault", message, tuple((header.image,) for header in headers))


def _headers(data_set: DataSet) -> Iterator[_Header]:
    with quiet_pillow():
        for split, paths in data_set.files.items():
            names, labels = data_set.class_names, data_set.split(split).labels.tolist()
            for index, (path, label) in enumerate(zip(paths, labels, strict=True)):
                found = FoundImage(split, index, names[label], str(path))
                try:
                    with open_image(path) as opened:
                        image = opened.image
                        yield _Header(
                            found,
                            image.size,
                            f"{image.format} {_MODES.get(image.mode, image.mode)}",
                        )
                except DataError:  # it was there a moment ago
                    continue
