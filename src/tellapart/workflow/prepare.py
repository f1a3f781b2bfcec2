"""``data prepare``: image files decoded into the cache."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.config import Recipe, Settings
from tellapart.data.cache_folder import user_cache
from tellapart.errors import RunError
from tellapart.runs.data import load_for_recipe
from tellapart.runs.session import Session


@dataclass(frozen=True)
class PreparationResult:
    """Prepared images: how many in which form, how long it took and where they lie."""

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
    settings: Settings = (),
    session: Session | None = None,
) -> PreparationResult:
    """Decodes the image files of a data set, so that training on it starts at once.

    Args:
        data: a folder, a ``.csv`` table, an ``.npz`` archive or a catalogue name; the last two
            have nothing to decode.
        recipe: that training will take; None is the one that suits the data.
        settings: ``KEY=VALUE``, as for training: the size and what else a recipe asks of images.
        session: data folder and callbacks; None is the default `Session`.

    Raises:
        DataError: where the data cannot be used.
        ConfigError: a setting that is wrong.
        RunError: where the cache cannot be written, and so nothing is prepared.
    """
    started = time.perf_counter()
    loaded, _ = load_for_recipe(data, recipe, settings, session or Session())
    if loaded.cache_problem:
        raise RunError(loaded.cache_problem)
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
