"""Images made from nothing, as a hospital, a factory or a school would bring them.

Every image shows a light bar on a grainy background: class 0 lying, class 1 upright. That is easy
to learn, so that an accuracy tells whether the images were read, not how good the network is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.cache_folder import scratch_folder

SIDE = 32
QUICK = ("--threads", "1", "--set", "epochs=10", "--set", "batch_size=8")


@pytest.fixture(autouse=True)
def in_own_place(
    own_place: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A working directory and a cache of their own, and lines of 200 characters."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("COLUMNS", "200")
    scratch_folder.cache_clear()


Bar = Callable[[int], NDArray[np.float64]]


@pytest.fixture
def bar() -> Bar:
    """Makes the next image of a class, float64 (32, 32) in 0..1."""
    rng = np.random.default_rng(0)

    def make(kind: int) -> NDArray[np.float64]:
        image = rng.normal(0.3, 0.08, (SIDE, SIDE))
        place = int(rng.integers(SIDE // 4, 3 * SIDE // 4))
        (image if kind == 0 else image.T)[place - 3 : place + 3] += 0.5
        return np.clip(image, 0, 1)

    return make


@pytest.fixture
def save() -> Callable[..., Path]:
    """Writes an array as an image; values in 0..1 become 8-bit grey."""

    def write(path: str | Path, image: NDArray[Any], **options: Any) -> Path:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if image.dtype.kind == "f":
            image = np.round(image * 255).astype(np.uint8)
        Image.fromarray(image).save(path, **options)
        return path

    return write


@pytest.fixture
def fill(bar: Bar, save: Callable[..., Path]) -> Callable[..., list[Path]]:
    """Fills a folder with ``count`` images of each class; gives the files."""

    def make(
        folder: str | Path, count: int, names: tuple[str, ...] = ("lying", "upright")
    ) -> list[Path]:
        return [
            save(Path(folder) / name / f"{number:03d}.png", bar(kind))
            for kind, name in enumerate(names)
            for number in range(count)
        ]

    return make


def quick_training(tellapart: Callable[..., Any], data: object, *more: object) -> Any:
    """Trains for a few seconds into the folder ``run``."""
    outcome = tellapart("train", data, "--out", "run", "--json", *QUICK, *more)
    assert outcome.code == 0, outcome.err
    return outcome


@pytest.fixture
def train(tellapart: Callable[..., Any]) -> Callable[..., Any]:
    """Trains on data for a few seconds, into the folder ``run``; the outcome, whose code is 0."""
    return lambda data, *more: quick_training(tellapart, data, *more)


@pytest.fixture
def check(tellapart: Callable[..., Any]) -> Callable[..., Any]:
    """What ``data check --json`` prints, and the exit code as ``code``.

    Training as a dry run must agree: it refuses what the check refuses, with the same code.
    """

    def run(data: object) -> Any:
        checked = tellapart("data", "check", data, "--json")
        planned = tellapart("train", data, "--dry-run", "--json")
        if not checked.out:
            assert (checked.code, planned.code) == (2, 2)
            return {"code": 2, "message": checked.err}
        assert planned.code == 0, planned.err
        found = checked.json
        kinds = {finding["kind"]: finding for finding in found["findings"]}
        totals = {split: sum(counts.values()) for split, counts in found["class_counts"].items()}
        return {**found, "code": checked.code, "kinds": kinds, "totals": totals}

    return run


@pytest.fixture
def predicted(tellapart: Callable[..., Any]) -> Callable[..., Any]:
    """The answers of the run ``run`` for files, as ``predict --json`` lists them, by file."""

    def run(*images: object, code: int = 0) -> Any:
        outcome = tellapart("predict", "run", *images, "--json")
        assert outcome.code == code, outcome.err
        return {Path(row["path"]): row for row in outcome.json["predictions"]}

    return run
