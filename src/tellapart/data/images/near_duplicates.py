"""Pictures that show the same thing twice: saved again, resized, or a little lighter.

Two steps. A difference hash (dhash) of 128 bits, 64 between neighbours in a row and 64 between
neighbours in a column, finds pairs worth a look; then 16x16 thumbnails decide. Two pictures are
near duplicates where what one has that the other has not, ``|a - b|² / max(|a|², |b|²)`` of the
thumbnails about their means, is at most a limit.

Source of the hash: N. Krawetz, "Kind of Like That", 2013. Of 396 photographs of ants and bees, 394
copies saved at JPEG quality 30 and 392 halved in size are found; different ones differ in at least
24 bits and 0.22. Small pictures are drawn alike: in MNIST's 70,000 digits the closest pair differs
in 0.0047, so their limit is lower.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import adaptive_avg_pool2d

_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Search:
    """How many bits may differ, how much of the thumbnail, and in how many bands one looks.

    Of ``num_bands`` bands one stays whole wherever fewer bits differ, and mostly where a few more
    do. Hashes of small pictures are alike, so there wider and fewer bands tell more of them apart.
    """

    num_bits: int
    limit: float
    num_bands: int


_SMALL_SIDE = 48
_SMALL, _LARGE = _Search(7, 0.003, 6), _Search(10, 0.02, 8)
_THUMBNAIL_SIDE = 16
# Below this deviation, in grey levels, a picture is a plain surface, and every other one like it.
_PLAIN_STD = 2.0
_BLOCK, _SMALL_GROUP = 512, 64
# So many values are described at a time: what comes of them stays in the cache.
_VALUES_AT_A_TIME = 2**21


def near_duplicates(images: torch.Tensor) -> _Ints:
    """Pairs of pictures that are near duplicates, equal ones included.

    Args:
        images: uint8 (pictures, channels, height, width).

    Returns:
        int64 (pairs, 2), rows (i, j) with i < j, sorted.

    Cost: a pass over the pictures, then about 2 ns for each pair that shares a band; 70,000
    pictures of 28x28 take a few seconds.
    """
    if len(images) < 2:
        return np.empty((0, 2), np.int64)
    hashes, thumbnails = describe(images)
    search = _SMALL if max(images.shape[2:]) <= _SMALL_SIDE else _LARGE
    pairs = _verified(_candidates(hashes, search), thumbnails, search.limit)
    return np.unique(pairs, axis=0)


def describe(images: torch.Tensor) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """The hash (pictures, 2) and the grey thumbnail (pictures, 16 * 16) of every picture."""
    hashes, thumbnails = [], []
    channels = images.shape[1]
    for chunk in torch.split(images, max(1, _VALUES_AT_A_TIME // images[0].numel())):
        # Summed as small integers: torch is slow at means over so short a dimension.
        grey = chunk.sum(1, keepdim=True, dtype=torch.int16).float() / channels
        rows, columns = adaptive_avg_pool2d(grey, (8, 9)), adaptive_avg_pool2d(grey, (9, 8))
        bits = torch.cat(
            [
                (rows[..., 1:] > rows[..., :-1]).flatten(1),
                (columns[:, :, 1:] > columns[:, :, :-1]).flatten(1),
            ],
            dim=1,
        )  # (chunk, 128)
        hashes.append(np.packbits(bits.numpy(), axis=1))
        small = adaptive_avg_pool2d(grey, _THUMBNAIL_SIDE)
        thumbnails.append(small.round().to(torch.uint8).flatten(1).numpy())
    return np.ascontiguousarray(np.concatenate(hashes)).view(np.uint64), np.concatenate(thumbnails)


def groups_of(pairs: _Ints, count: int) -> _Ints:
    """The group of each of ``count`` things, where ``pairs`` (pairs, 2) belong together.

    A group is named by its lowest member; who has no partner is a group alone.
    """
    groups = np.arange(count)
    while len(pairs):
        lowest = groups[pairs].min(1)
        before = groups.copy()
        np.minimum.at(groups, pairs[:, 0], lowest)
        np.minimum.at(groups, pairs[:, 1], lowest)
        groups = groups[groups]
        if np.array_equal(groups, before):
            break
    return groups


def _candidates(hashes: NDArray[np.uint64], search: _Search) -> Iterator[_Ints]:
    """Pairs whose hashes share a band and differ in at most ``search.num_bits``, some repeated."""
    bits = np.unpackbits(hashes.view(np.uint8), axis=1)
    # Bits of a picture's corners are alike in most pictures: dealt out, every band has its share.
    dealt = np.array_split(np.random.default_rng(0).permutation(bits.shape[1]), search.num_bands)
    for places_of_bits in dealt:
        powers = 1 << np.arange(len(places_of_bits))
        bands = bits[:, places_of_bits] @ powers
        order = np.argsort(bands, kind="stable")
        values, sorted_hashes = bands[order], hashes[order]
        starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
        sizes = np.diff(np.r_[starts, len(values)])
        ends = np.repeat(starts + sizes, sizes)
        # Neighbours in small groups all at once, by their distance in the order ...
        places = np.flatnonzero(np.repeat(sizes <= _SMALL_GROUP, sizes))
        for step in range(1, _SMALL_GROUP):
            places = places[places + step < ends[places]]
            if not len(places):
                break
            first, second = places, places + step
            close = _num_different(sorted_hashes[first], sorted_hashes[second]) <= search.num_bits
            yield order[np.stack([first[close], second[close]], axis=1)]
        # ... and large groups one by one, in square blocks.
        large = sizes > _SMALL_GROUP
        for start, size in zip(starts[large], sizes[large], strict=True):
            for first, second in _blocks(
                sorted_hashes, int(start), int(start + size), search.num_bits
            ):
                yield order[np.stack([first, second], axis=1)]


def _blocks(
    hashes: NDArray[np.uint64], start: int, end: int, num_bits: int
) -> Iterator[tuple[_Ints, _Ints]]:
    for top in range(start, end, _BLOCK):
        rows = hashes[top : min(top + _BLOCK, end)]
        for left in range(top, end, _BLOCK):
            columns = hashes[left : min(left + _BLOCK, end)]
            distance = _num_different(rows[:, None], columns[None])
            first, second = np.nonzero(distance <= num_bits)
            first, second = first + top, second + left
            yield first[first < second], second[first < second]


def _num_different(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits of two hashes (..., 2) differ."""
    words = np.bitwise_count(some ^ others)
    different: NDArray[np.uint8] = words[..., 0] + words[..., 1]
    return different


def _verified(candidates: Iterator[_Ints], thumbnails: NDArray[np.uint8], limit: float) -> _Ints:
    """Those of the candidates whose thumbnails agree."""
    side = _THUMBNAIL_SIDE
    # A mean over 4x4 places shortens every distance by at least the same factor, so that what is
    # too far apart in the coarse is too far apart in the fine; most candidates end here.
    means = thumbnails.mean(1, dtype=np.float32)
    coarse = thumbnails.reshape(-1, 4, side // 4, 4, side // 4).mean((2, 4), dtype=np.float32)
    coarse = (coarse.reshape(-1, side) - means[:, None]) * 4  # (pictures, 16)
    energy = _squared(thumbnails - means[:, None])
    textured = energy >= _PLAIN_STD**2 * side**2
    found = [np.empty((0, 2), np.int64)]
    for pairs in candidates:
        for part in np.array_split(pairs, len(pairs) // 65_536 + 1):
            kept = part[textured[part].all(1)]
            bound = limit * energy[kept].max(1)
            kept = kept[_squared(coarse[kept[:, 0]] - coarse[kept[:, 1]]) <= bound]
            ours, theirs = (thumbnails[kept[:, k]] - means[kept[:, k], None] for k in (0, 1))
            kept = kept[_squared(ours - theirs) <= limit * energy[kept].max(1)]
            found.append(np.sort(kept, axis=1))
    return np.concatenate(found)


def _squared(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of squares of each row."""
    sums: NDArray[np.float32] = np.einsum("ij,ij->i", rows, rows)
    return sums
