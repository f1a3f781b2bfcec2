"""Which recipe a data set gets where nobody names one."""

import pytest

from tellapart.workflow.choosing import suggest_recipe


@pytest.mark.parametrize(
    ("num_train", "shape", "name"),
    [
        (4_000, (1, 28, 28), "small-data"),
        (19_999, (1, 28, 28), "small-data"),
        (20_000, (1, 28, 28), "standard"),
        (60_000, (3, 48, 48), "standard"),
        (300, (3, 128, 128), "photos"),
        (60_000, (3, 64, 64), "photos"),
        (300, (1, 128, 128), "small-data"),
        (300, (3, 32, 128), "small-data"),
    ],
)
def test_size_and_shape_decide(num_train, shape, name):
    chosen, reason = suggest_recipe(num_train, shape)
    assert chosen == name
    said = f"{shape[2]}x{shape[1]} colour" if name == "photos" else f"{num_train:,} training"
    assert reason.startswith(said)
