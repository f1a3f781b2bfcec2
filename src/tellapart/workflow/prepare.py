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
    """The result of `prepare`: the number and shape of the images, the time, and the cache."""

    data: str
    num_images: dict[str, int]
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    num_bytes: int
    seconds: float
    cache: Path
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what ``data prepare --json`` prints."""
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
    """Decodes the image files of a data set into the cache, so that training starts without delay.

    Args:
        data: a folder, a ``.csv`` table, an ``.npz`` archive or a catalogue name; the last two
            have nothing to decode.
        recipe: the recipe for training; None chooses one that suits the data.
        settings: changes to the recipe: values by key, or texts ``KEY=VALUE``.
        session: data folder and callbacks; None is the default `Session`.

    Returns:
        The number and shape of the images, the seconds it took, and the folder of the cache.

    Raises:
        DataError: data that cannot be used.
        ConfigError: a wrong setting.
        RunError: a cache that cannot be written.

    >>> import tellapart
    >>> prepared = tellapart.prepare("mnist-sample")
    >>> prepared.num_images["test"], prepared.image_shape
    (1000, (1, 28, 28))
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
