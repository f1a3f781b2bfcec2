"""Many images decoded at once: fairly shared, with the faster filter."""

from pathlib import Path

import numpy as np
import pytest

from tellapart.data.images import bulk
from tellapart.data.preparation import Frame


@pytest.mark.parametrize(
    ("num_images", "num_cores", "largest"), [(20, 1, 1), (20, 16, 1), (64, 2, 2), (600, 2, 16)]
)
def test_all_cores_have_work_until_the_end(monkeypatch, num_images, num_cores, largest):
    jobs = []
    monkeypatch.setattr(bulk, "num_cores", lambda: num_cores)
    monkeypatch.setattr(
        bulk, "_decode_some", lambda some, *_: jobs.append(some) or bulk.Outcome({}, {})
    )
    files = {row: Path(f"{row}.png") for row in range(num_images)}
    bulk.decode_all(files, Frame(3, 8, 8), np.empty(0, np.uint8), None)
    assert max(map(len, jobs)) == largest
    assert sorted(row for some in jobs for row, _ in some) == list(range(num_images))
