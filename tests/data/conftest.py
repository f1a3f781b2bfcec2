"""Folders of small images, and a cache that no other test sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.cache_folder import scratch_folder

MakePicture = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TELLAPART_CACHE", str(folder))
    scratch_folder.cache_clear()  # what one test had no place for is not found by the next
    return folder


@pytest.fixture
def make_picture() -> MakePicture:
    """Writes a picture that looks like no other one of another seed."""

    def make(
        path: Path,
        seed: int,
        size: tuple[int, int] = (40, 40),
        mode: str = "RGB",
        **options: object,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)
        image.save(path, **options)
        return path

    return make


@pytest.fixture
def pets(tmp_path: Path, make_picture: MakePicture) -> Path:
    """A folder with ten cats and ten dogs, no splits."""
    for label, name in enumerate(("cat", "dog")):
        for number in range(10):
            make_picture(tmp_path / "pets" / name / f"{number}.png", 100 * label + number)
    return tmp_path / "pets"
