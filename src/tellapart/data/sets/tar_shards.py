"""Tar archives of images, as WebDataset writes them, read in order and without unpacking.

::

    DATA.tar                             one archive
    DATA/*.tar                           several, in the order of their names
    DATA/train/*.tar, DATA/test/*.tar    with splits; or DATA/train-000.tar, DATA/test-000.tar

An image ``KEY.jpg`` has its class in the member ``KEY.cls``, as a number or a name, or in
``KEY.json`` under ``label`` or ``class``. Where no image has either, folders inside the archive are
classes and splits, as those of a folder on disk are.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tellapart.data.images.listing import ImageFile, LeftOut, Listing
from tellapart.data.images.split_names import splits_of_siblings
from tellapart.data.images.tar_member import TAR_SUFFIX, TarMember, tar_members
from tellapart.data.images.walking import is_file, is_folder, is_image_name, is_system_name, walk
from tellapart.data.sets.layout import Branch, find_layout, find_wrapper
from tellapart.data.sets.source import DataSource, opened_files
from tellapart.errors import DataError

_LABEL_ENDINGS = ("cls", "json")
_LABEL_KEYS = ("label", "class", "class_name", "cls")
_COMPRESSED_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_MAX_LABEL_BYTES = 2**20
_REMEDY = "add KEY.cls or KEY.json beside each KEY.jpg, or put the images into a folder per class"
_NUM_NAMED = 3


class _Sample(NamedTuple):
    """The members of one key."""

    image: TarMember
    labels: tuple[TarMember, ...]


def list_shards(path: Path) -> Listing:
    """List the images of a tar archive, or of those in a folder, with classes and splits.

    Raises:
        DataError: where an archive is compressed or damaged, lies in a folder that is no split,
            holds a key twice, an image has no class or several, or there is no image.
    """
    shards = _shards(path)
    root = path if path.is_dir() else path.parent
    files: list[ImageFile] = []
    left_out: list[LeftOut] = []
    samples = {shard: _samples(shard, tar_members(shard), left_out) for shard in shards}
    if any(sample.labels for some in samples.values() for sample in some.values()):
        for shard, split in shards.items():
            for key, sample in samples[shard].items():
                files.append(_labelled(shard, key, sample, split))
    else:
        files = _by_folder(path, shards, samples, left_out)
    if not files:
        raise DataError(f"{path}: holds no image in its {len(shards):,} tar archives; {_REMEDY}")
    if any(file.split for file in files) and not any(file.split == "train" for file in files):
        raise DataError(f"{path}: no tar archive is for the train split; name one train-000.tar")
    name = path.resolve().name if path.is_dir() else path.stem
    return Listing(name, root, tuple(files), tuple(left_out), tuple(_notes(left_out)))


def holds_shards(path: Path) -> bool:
    """Whether a path is a tar archive, or a folder with tar archives and no loose images."""
    if path.name.lower().endswith((TAR_SUFFIX, *_COMPRESSED_ENDINGS)) and path.is_file():
        return True
    if not path.is_dir() or not any(_tars(folder) for folder in (path, *_folders(path))):
        return False
    return not any(is_image_name(file.name) for file in walk(path))


def _shards(path: Path) -> dict[Path, str | None]:
    """Each archive with its split, in the order in which they are read."""
    if path.is_file():
        return {path: None}
    loose = _tars(path)
    folders = {folder: found for folder in _folders(path) if (found := _tars(folder))}
    if loose and folders:
        raise DataError(
            f"{path}: tar archives lie in it and in {next(iter(folders)).name}; put them all into "
            "train, val and test, or none"
        )
    splits = splits_of_siblings(folder.name for folder in folders)
    strange = [folder.name for folder in folders if folder.name not in splits]
    if strange:
        raise DataError(
            f"{path}: tar archives lie in {', '.join(strange[:_NUM_NAMED])}, which is the name of "
            "no split; call the folders train, val and test"
        )
    if folders:
        return {tar: splits[folder.name] for folder, tars in folders.items() for tar in tars}
    named = splits_of_siblings(tar.stem for tar in loose)
    strange = [tar.name for tar in loose if tar.stem not in named]
    if named and strange:
        raise DataError(
            f"{path}: {', '.join(strange[:_NUM_NAMED])} is named as no split, and others are; name "
            "all tar archives by their split, such as train-000.tar, or none"
        )
    return {tar: named.get(tar.stem) for tar in loose}


def _samples(
    shard: Path, members: Sequence[TarMember], left_out: list[LeftOut]
) -> dict[str, _Sample]:
    """The images of an archive with their labels, by key, in the order in which they lie there.

    A key is a member's name up to the first dot of its last part, as WebDataset has it.
    """
    images: dict[str, TarMember] = {}
    labels: dict[str, list[TarMember]] = {}
    seen: set[str] = set()
    for member in members:
        if member.member in seen:
            raise DataError(
                f"{shard}: holds {member.member} twice, and a key must be used once; write the "
                "archive again"
            )
        seen.add(member.member)
        key = _key(member)
        if any(is_system_name(part) for part in member.member.split("/")):
            left_out.append(LeftOut(member, "system file", "a system's or hidden file"))
        elif is_image_name(member.name):
            if key in images:
                names = f"{images[key].member} and {member.member}"
                raise DataError(f"{shard}: the key {key} has several images ({names}); keep one")
            images[key] = member
        elif _is_label(member):
            labels.setdefault(key, []).append(member)
        else:
            left_out.append(_no_image(member))
    left_out.extend(
        _no_image(file) for key in labels.keys() - images.keys() for file in labels[key]
    )
    return {key: _Sample(image, tuple(labels.get(key, ()))) for key, image in images.items()}


def _key(member: TarMember) -> str:
    folder, slash, name = member.member.rpartition("/")
    return folder + slash + name.partition(".")[0]


def _labelled(shard: Path, key: str, sample: _Sample, split: str | None) -> ImageFile:
    if not sample.labels:
        raise DataError(f"{shard}: {sample.image.member} has no label; {_REMEDY}")
    label = _label(shard, key, [found for file in sample.labels for found in _values(file)])
    return ImageFile(sample.image, unicodedata.normalize("NFC", label), split)


def _values(member: TarMember) -> list[Any]:
    """The class in a ``.cls`` or ``.json`` member."""
    where = f"{member.archive}: {member.member}"
    if member.num_bytes > _MAX_LABEL_BYTES:
        raise DataError(f"{where} has {member.num_bytes:,} bytes, which is too long for a label")
    try:
        with member.open("rb") as file:
            text = file.read().decode("utf-8-sig")
        if member.name.lower().endswith(".cls"):
            return [text.strip()]
        content = json.loads(text)
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is no UTF-8 text or no JSON: {error}; write it again") from None
    if not isinstance(content, dict):
        content = {"label": content}
    return [content[name] for name in _LABEL_KEYS if name in content]


def _label(shard: Path, key: str, values: Sequence[Any]) -> str:
    """The one class that is given; a name beside its number is the class's name."""
    usable = [value for value in values if isinstance(value, str | int) and str(value) != ""]
    if not usable or len(usable) < len(values):
        given = ", ".join(map(repr, values)) or "nothing"
        raise DataError(
            f"{shard}: the label of {key} must be a number or a name under label or class, got "
            f"{given}; {_REMEDY}"
        )
    texts = dict.fromkeys(str(value) for value in usable)
    names = [text for text in texts if not text.lstrip("-").isdecimal()]
    if len(names or texts) > 1:
        raise DataError(
            f"{shard}: {key} has several labels, {', '.join(names or texts)}; an image has one "
            "class"
        )
    return (names or list(texts))[0]


def _by_folder(
    path: Path,
    shards: dict[Path, str | None],
    samples: dict[Path, dict[str, _Sample]],
    left_out: list[LeftOut],
) -> list[ImageFile]:
    """Images without labels beside them: the folders inside the archives are classes."""
    images: list[tuple[TarMember, str | None]] = []
    tree = Branch()
    for shard, split in shards.items():
        for sample in samples[shard].values():
            images.append((sample.image, split))
            tree.reach(_parts(sample.image)).num_images += 1
    if images and not tree.filled:
        raise DataError(f"{path}: {images[0][0].member} has no label; {_REMEDY}")
    # A path cannot name a folder inside an archive, so a wrapper is removed here.
    wrapper = find_wrapper(tree)
    layout = find_layout(tree.reach(wrapper), str(path))
    files = []
    for member, split in images:
        parts = _parts(member)
        inside = parts[: len(wrapper)] == wrapper
        home = layout.home(parts[len(wrapper) :]) if inside else "lies in no folder of a class"
        if isinstance(home, str):
            left_out.append(LeftOut(member, "without a class", home))
            continue
        class_name, own_split = home
        if split and own_split and split != own_split:
            raise DataError(
                f"{member.archive}: is of {split}, and {member.member} in it of {own_split}; name "
                "the archive otherwise"
            )
        files.append(
            ImageFile(member, unicodedata.normalize("NFC", class_name), split or own_split)
        )
    return files


def _parts(member: TarMember) -> tuple[str, ...]:
    return tuple(member.member.split("/")[:-1])


def _is_label(member: TarMember) -> bool:
    return member.name.lower().rpartition(".")[2] in _LABEL_ENDINGS


def _no_image(member: TarMember) -> LeftOut:
    ending = member.name.rpartition(".")[2]
    return LeftOut(member, "not an image by its name", f"ends in .{ending}")


def _notes(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """One line for the members that go with images and are neither image nor label."""
    endings = Counter(
        item.path.name.partition(".")[2] or "no ending"
        for item in left_out
        if item.kind == "not an image by its name"
    )
    if endings:
        listed = ", ".join(f".{ending} {count:,}" for ending, count in endings.most_common(5))
        yield f"members that are neither image nor label are not read: {listed}"


def _tars(folder: Path) -> list[Path]:
    """The tar archives in a folder, compressed ones too, which are refused when they are read."""
    endings = (TAR_SUFFIX, *_COMPRESSED_ENDINGS)
    return [
        folder / name
        for name in _names(folder)
        if name.lower().endswith(endings) and is_file(folder / name)
    ]


def _folders(path: Path) -> list[Path]:
    return [path / name for name in _names(path) if is_folder(path / name)]


def _names(folder: Path) -> list[str]:
    try:
        # Names alone: a folder may hold a million images.
        return sorted(name for name in os.listdir(folder) if not is_system_name(name))  # noqa: PTH208
    except OSError:  # a folder below that cannot be searched; the one that is given can
        return []


TAR_SHARDS = DataSource(
    name="tar archives of images (.tar)",
    is_mine=holds_shards,
    open=lambda path: opened_files(list_shards(path)),
)
