"""What every test may lean on: one thread, and the full data sets where there are any."""

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Sums are then added in the same order on every machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_dir():
    """The folder that holds the full data sets."""
    folder = os.environ.get("TELLAPART_DATA")
    if not folder:
        pytest.skip("TELLAPART_DATA is not set: this test needs a full data set")
    return Path(folder)
