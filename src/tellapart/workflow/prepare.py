"""``data prepare``: picture files decoded into the cache; and what a recipe asks of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.config import DataRecipe, Recipe
from tellapart.data.cache_folder import user_cache
from tellapart.data.image_set import DataSet
from tellapart.data.preparation import Preparation
from tellapart.data.sets.source import OpenedSource
from tellapart.data.sets.sources import open_source
from tellapart.errors import ConfigError
from tellapart.models.classifier import Classifier
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.choosing import choose_recipe


@dataclass(frozen=True)
class PreparationResult:
    """Prepared pictures: how many in which form, how long it took and where they lie."""

    data: str
    num_images: dict[str, int]
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    num_bytes: int
    seconds: float
    cache: Path
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``data prepare --json`` prints."""
        return {
            "data": self.data,
            "num_images": self.num_images,
            "class_names": list(self.class_names),
            "image_shape": list(self.image_shape),
            "num_bytes": self.num_bytes,
            "seconds": self.seconds,
            "cache": str(self.cache),
            "notes": list(self.notes),
        }


def prepare(
    data: str | Path,
    *,
    recipe: str | Path | Recipe | None = None,
    settings: Sequence[str] = (),
    data_dir: str | Path | None = None,
    callbacks: Callbacks | None = None,
) -> PreparationResult:
    """Decodes the picture files of a data set, so that training on it starts at once.

    Args:
        data: a folder, a ``.csv`` table, an ``.npz`` archive or a catalogue name; the last two
            have nothing to decode.
        recipe: that training will take; None is the one that suits the data.
        settings: ``KEY=VALUE``, as for training: the size and what else a recipe asks of pictures.
        data_dir: where the catalogue's files are looked for first.
        callbacks: is told of progress.

    Raises:
        DataError: where the data cannot be used.
        ConfigError: a setting that is wrong.
    """
    started = time.perf_counter()
    loaded = load_as_trained(data, recipe, settings, data_dir=data_dir, callbacks=callbacks)
    return PreparationResult(
        data=loaded.name,
        num_images={name: len(part) for name, part in loaded.splits.items()},
        class_names=loaded.class_names,
        image_shape=loaded.split("train").image_shape,
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
    callbacks: Callbacks | None = None,
) -> DataSet:
    """Loads a data set in the form that is asked for, and tells the watcher how far it is.

    Raises:
        DataError: where the data cannot be used.
    """
    callbacks = callbacks or Callbacks()
    opened = open_watched(data, callbacks, data_dir=data_dir, allow_download=allow_download)
    return opened.load(preparation, callbacks.decoding)


def load_as_trained(
    data: str | Path,
    recipe: str | Path | Recipe | None,
    settings: Sequence[str],
    *,
    data_dir: str | Path | None = None,
    callbacks: Callbacks | None = None,
) -> DataSet:
    """Loads a data set as training by ``recipe``, or by the one that suits it, would find it.

    Picture files are in the form and the splits that they have in training. Of pictures that come
    as arrays the validation part is cut later, and shots and classes are drawn later of any.

    Raises:
        DataError: where the data cannot be used.
        ConfigError: no such recipe, or a setting that is wrong or asks for a form that arrays do
            not have.
    """
    callbacks = callbacks or Callbacks()
    opened = open_watched(data, callbacks, data_dir=data_dir)
    asked = choose_recipe(recipe, opened, settings)[0].data
    data_set = opened.load(preparation_of(asked), callbacks.decoding)
    require_asked_form(data_set, asked)
    return data_set


def open_watched(
    data: str | Path,
    callbacks: Callbacks,
    *,
    data_dir: str | Path | None = None,
    allow_download: bool = True,
) -> OpenedSource:
    """Opens a data set, fetched where it must be, and tells the watcher how far that is.

    Raises:
        DataError: where the data cannot be used.
    """
    return open_source(
        data,
        data_dir=Path(data_dir) if data_dir else None,
        allow_download=allow_download,
        progress=lambda done, total: callbacks.download(str(data), done, total),
    )


def require_asked_form(data_set: DataSet, asked: DataRecipe) -> None:
    """Refuses a size or channels for pictures that have a form already.

    Raises:
        ConfigError: where they are asked for.
    """
    channels, height, width = data_set.split("train").image_shape
    if asked.channels not in (0, channels) or (asked.size and asked.size not in (height, width)):
        raise ConfigError(
            f"{data_set.name} holds pictures of {width}x{height} with {channels} channel(s), as "
            "they are; data.size and data.channels are for picture files: leave them out"
        )


def preparation_of(recipe: DataRecipe) -> Preparation:
    """What a recipe asks of picture files."""
    return Preparation(
        channels=recipe.channels,
        height=recipe.size,
        width=recipe.size,
        fit=recipe.fit,
        test_fraction=recipe.test_fraction,
        validation_fraction=recipe.validation_fraction,
        seed=recipe.split_seed,
    )


def preparation_for(classifier: Classifier, split: str) -> Preparation:
    """What a classifier asks of other picture files: its own form; all for ``split``, undivided."""
    channels, height, width = classifier.image_shape
    return Preparation(
        channels=channels,
        height=height,
        width=width,
        fit=classifier.fit,
        test_fraction=0.0,
        undivided=split,
        class_names=classifier.class_names,
    )
