"""The catalogue: well formed, quick to import, helpful where a name is wrong."""

import subprocess
import sys

import pytest

from tellapart.data.sets.catalogue import CATALOGUE, catalogue_entry, name_hint
from tellapart.errors import DataError


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_an_entry_is_well_formed(entry):
    assert CATALOGUE[entry.name] is entry
    assert [(file.split, file.content) for file in entry.files] == [
        ("train", "images"), ("train", "labels"), ("test", "images"), ("test", "labels"),
    ]  # fmt: skip
    assert len(set(entry.class_names)) == 10
    assert len({file.sha256 for file in entry.files}) == 4
    for file in entry.files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert 0 < file.download_bytes < file.raw_bytes
    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in entry.mirrors)
    assert entry.licence
    assert entry.provenance
    assert entry.citation
    assert entry.title


def test_names_and_sizes():
    assert list(CATALOGUE) == ["mnist-sample", "mnist", "fashion-mnist", "kmnist"]
    assert CATALOGUE["mnist"].download_bytes == 11_594_722
    assert [file.raw_bytes for file in CATALOGUE["mnist"].files] == [
        47_040_016, 60_008, 7_840_016, 10_008,
    ]  # fmt: skip
    assert [name for name, entry in CATALOGUE.items() if entry.bundled] == ["mnist-sample"]
    assert CATALOGUE["mnist-sample"].download_bytes == 0


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(
        DataError, match="no data set is called 'Fasion_Mnist'; did you mean 'fashion-mnist'"
    ):
        catalogue_entry("Fasion_Mnist")
    assert all(name in name_hint("zebra") for name in CATALOGUE)


def test_listing_loads_neither_torch_nor_numpy():
    code = (
        "import sys, tellapart.data.sets.catalogue; sys.exit('torch' in sys.modules or "
        "'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
