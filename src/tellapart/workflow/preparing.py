"""``data prepare``: picture files decoded into the cache; and what a recipe asks of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.config import DataRecipe, load_recipe
from tellapart.data.image_set import DataSet
from tellapart.data.opening import OpenedSource
from tellapart.data.places import user_cache
from tellapart.data.preparation import Preparation
from tellapart.data.sources import open_source
from tellapart.models.classifier import Classifier
from tellapart.workflow.choosing import recipe_for
from tellapart.workflow.watcher import Watcher


@dataclass(frozen=True)
class PreparationResult:
    """Prepared pictures: how many in which form, how long it took and where they lie."""

    data: str
    num_pictures: dict[str, int]
    class_names: tuple[str, ...]
    picture_shape: tuple[int, int, int]
    num_bytes: int
    seconds: float
    cache: Path
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``data prepare --json`` prints."""
        return {
            "data": self.data,
            "num_pictures": self.num_pictures,
            "class_names": list(self.class_names),
            "picture_shape": list(self.picture_shape),
            "num_bytes": self.num_bytes,
            "seconds": self.seconds,
            "cache": str(self.cache),
            "notes": list(self.notes),
        }


def prepare(
    data: str | Path,
    *,
    settings: Sequence[str] = (),
    data_dir: str | Path | None = None,
    watcher: Watcher | None = None,
) -> PreparationResult:
    """Decodes the picture files of a data set, so that training on it starts at once.

    Args:
        data: a folder, a ``.csv`` table, an ``.npz`` archive or a catalogue name; the last two
            have nothing to decode.
        settings: ``KEY=VALUE``, as for training: the size and what else a recipe asks of pictures.
        data_dir: where the catalogue's files are looked for first.
        watcher: is told of progress.

    Raises:
        DataError: where the data cannot be used.
        ConfigError: a setting that is wrong.
    """
    started = time.perf_counter()
    loaded = load_as_trained(data, settings, data_dir=data_dir, watcher=watcher)
    return PreparationResult(
        data=loaded.name,
        num_pictures={name: len(part) for name, part in loaded.splits.items()},
        class_names=loaded.class_names,
        picture_shape=loaded.split("train").picture_shape,
        num_bytes=sum(part.images.numel() for part in loaded.splits.values()),
        seconds=time.perf_counter() - started,
        cache=user_cache() / "pictures",
        notes=loaded.notes,
    )


def load_prepared(
    data: str | Path,
    preparation: Preparation,
    *,
    data_dir: str | Path | None = None,
    allow_download: bool = True,
    watcher: Watcher | None = None,
) -> DataSet:
    """Loads a data set in the form that is asked for, and tells the watcher how far it is.

    Raises:
        DataError: where the data cannot be used.
    """
    opened, told = _opened(data, data_dir, allow_download, watcher)
    return opened.load(preparation, told.decoding)


def load_as_trained(
    data: str | Path,
    settings: Sequence[str],
    *,
    data_dir: str | Path | None = None,
    watcher: Watcher | None = None,
) -> DataSet:
    """Loads a data set in the form and the splits that training on it would give it.

    Raises:
        DataError: where the data cannot be used.
        ConfigError: a setting that is wrong.
    """
    opened, told = _opened(data, data_dir, True, watcher)
    name, _ = recipe_for(opened, settings)
    return opened.load(
        preparation_of(load_recipe(name).with_settings(settings).data), told.decoding
    )


def _opened(
    data: str | Path, data_dir: str | Path | None, allow_download: bool, watcher: Watcher | None
) -> tuple[OpenedSource, Watcher]:
    told = watcher or Watcher()
    opened = open_source(
        data,
        data_dir=Path(data_dir) if data_dir else None,
        allow_download=allow_download,
        progress=lambda done, total: told.download(str(data), done, total),
    )
    return opened, told


def preparation_of(recipe: DataRecipe) -> Preparation:
    """What a recipe asks of picture files."""
    return Preparation(
        channels=recipe.channels,
        height=recipe.size,
        width=recipe.size,
        fit=recipe.fit,
        test_share=recipe.test_share,
        validation_share=recipe.validation_share,
        seed=recipe.split_seed,
    )


def preparation_for(classifier: Classifier, split: str) -> Preparation:
    """What a classifier asks of other picture files: its own form; all for ``split``, undivided."""
    channels, height, width = classifier.picture_shape
    return Preparation(
        channels=channels,
        height=height,
        width=width,
        fit=classifier.fit,
        test_share=0.0,
        undivided=split,
        class_names=classifier.class_names,
    )
