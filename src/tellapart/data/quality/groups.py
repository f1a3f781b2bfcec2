"""Groups of images, such as a patient's, that lie in more than one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tellapart.data.image_set import DataSet
from tellapart.data.quality.findings import GROUP_LEAK, Finding, found_image
from tellapart.wording import listed, plural

# At most this many groups are listed with their images.
_NUM_LISTED_GROUPS = 10_000


def group_leaks(data_set: DataSet) -> Iterator[Finding]:
    """Yield a finding of the groups that are in more than one split.

    The images of one patient, cell or video are alike in what does not belong to their class: a
    network that has seen some of them knows the others too well.
    """
    places: dict[str, list[tuple[str, int]]] = {}
    for split, names in data_set.groups.items():
        for index, name in enumerate(names):
            if name:
                places.setdefault(name, []).append((split, index))
    divided = {name: found for name, found in places.items() if len({s for s, _ in found}) > 1}
    if not divided:
        return
    are = "is" if len(divided) == 1 else "are"
    yield Finding(
        GROUP_LEAK,
        "leak",
        f"{len(divided):,} of the {plural(len(places), 'group')} {are} in more than one split: "
        f"{listed(_counted(name, found) for name, found in divided.items())}; an accuracy "
        "measured there is too high; move each group into one split, or give the data without "
        "splits, and they are made by groups",
        tuple(
            tuple(found_image(data_set, split, index) for split, index in found)
            for found in list(divided.values())[:_NUM_LISTED_GROUPS]
        ),
    )


def _counted(name: str, places: list[tuple[str, int]]) -> str:
    counts = Counter(split for split, _ in places)
    return f"{name!r} ({', '.join(f'{count:,} in {split}' for split, count in counts.items())})"
