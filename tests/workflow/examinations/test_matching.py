"""Which image is which: by path where there are files, by position and equality where not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tellapart.data.image_set import DataSet, ImageSet
from tellapart.errors import RunError
from tellapart.workflow.evaluated_images import EvaluatedImages
from tellapart.workflow.examinations.matching import matching_rows


def evaluated(
    labels: list[int], *, side: int = 8, names=("ant", "bee"), files=(), fingerprint="f", seed=0
) -> EvaluatedImages:
    generator = torch.Generator().manual_seed(seed)
    shape = (len(labels), 1, side, side)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    image_set = ImageSet(images, torch.tensor(labels), names)
    paths = {"test": tuple(map(Path, files))} if files else {}
    data_set = DataSet("some", {"test": image_set}, fingerprint, files=paths)
    return EvaluatedImages(data_set, image_set, "test", True, "some")


def test_files_are_matched_by_path_in_any_order_and_size():
    ours = evaluated([0, 1, 1], files="abc", fingerprint="small")
    theirs = evaluated([1, 0, 1, 0], side=16, files="badc")
    with pytest.raises(RunError, match="other labels for 1 of these 3 images"):
        matching_rows(ours, theirs, "run b")
    theirs = evaluated([1, 0, 1, 1], side=16, files="badc")
    assert matching_rows(ours, theirs, "run b").tolist() == [1, 0, 3]


def test_labels_are_compared_by_the_names_of_their_classes():
    ours = evaluated([0, 1], files="ab")
    theirs = evaluated([1, 0], files="ab", names=("bee", "ant"))
    assert matching_rows(ours, theirs, "run b").tolist() == [0, 1]


def test_a_file_that_the_other_lacks_is_named():
    ours, theirs = evaluated([0, 1, 1], files="abc"), evaluated([0, 1], files="ab")
    with pytest.raises(
        RunError, match=r"1 of these 3 images are not in it, such as c;.*split_seed"
    ):
        matching_rows(ours, theirs, "run b")


def test_arrays_are_matched_by_position_if_they_are_equal():
    ours = evaluated([0, 1, 1])
    assert matching_rows(ours, evaluated([0, 1, 1]), "run b").tolist() == [0, 1, 2]
    # Drawings that were changed to match the other run are the same images still.
    assert matching_rows(ours, evaluated([0, 1, 1], seed=5), "run b").tolist() == [0, 1, 2]
    with pytest.raises(RunError, match="run b has other images"):
        matching_rows(ours, evaluated([0, 1, 1], seed=5, fingerprint="g"), "run b")
    with pytest.raises(RunError, match=r"2 images, and here are 3"):
        matching_rows(ours, evaluated([0, 1]), "run b")
