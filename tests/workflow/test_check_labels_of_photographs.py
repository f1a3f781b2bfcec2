"""``data check --labels`` on photographs: a linear layer on features that are computed once."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.finetuning import imagenet
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.session import Session
from tellapart.training.trainer import Trainer
from tellapart.workflow.check import check

pytestmark = pytest.mark.skipif(not imagenet.is_installed(), reason="needs the extra `pretrained`")
SWAPPED = {
    "lines/3.png": "checks",
    "lines/11.png": "checks",
    "checks/5.png": "lines",
    "checks/20.png": "lines",
}


@pytest.fixture
def textures(tmp_path):
    """Two textures in noise, 24 images of each, of which two of each lie in the other's folder."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:60, :60]
    waves = {"lines": rows, "checks": rows * columns / 9}
    for name in waves:
        (tmp_path / "textures" / name).mkdir(parents=True)
        for number in range(24):
            place = f"{name}/{number}.png"
            wave = waves[SWAPPED.get(place, name)]
            texture = 128 + 60 * np.sin(wave * 0.9 + rng.uniform(0, 6))[..., None]
            noisy = texture + rng.normal(0, 40, (60, 60, 3))
            image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
            image.save(tmp_path / "textures" / place)
    return tmp_path / "textures"


def test_images_in_the_wrong_folder_are_found_without_training(textures, tmp_path, monkeypatch):
    class Listener(Callbacks):
        counted = ()

        def on_progress(self, what, done, total):
            self.counted = (*self.counted, (what, done, total))

    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Trainer, "epochs", lambda *_: pytest.fail("a network is trained"))
    listener = Listener()
    result = check(
        textures, labels=True, out=tmp_path / "labels", session=Session(callbacks=listener)
    )
    suspicious = result.to_json()["suspicious"]
    found = {"/".join(Path(entry["path"]).parts[-2:]): entry["suggested"] for entry in suspicious}
    assert found.items() <= SWAPPED.items()
    assert len(found) >= 3  # of so few images not every one is certain
    assert all(entry["given"] != entry["suggested"] for entry in suspicious)
    # Once for every split, and not once for every fold.
    computed = [done for what, done, _ in listener.counted if what == "computing features"]
    assert sum(computed) <= 2 * 48
