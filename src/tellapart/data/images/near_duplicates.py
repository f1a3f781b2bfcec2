"""Finding near duplicates: equal images, and recompressed, resized or relit copies.

Equal images are found by a hash of their pixels. Near duplicates are found in
two steps. A difference hash (dhash) of 128 bits, 64 between neighbours in a row and 64 between
neighbours in a column of the grey image, finds candidates; then 16x16 thumbnails, in colour where
the images have colour, decide. Two images are near duplicates where the squared distance of their
thumbnails, each channel less its mean, is a small part of the larger one's squared length; a colour
cast that differs by more than the light explains is added to the distance.

Source of the hash: N. Krawetz, "Kind of Like That", 2013. docs/decisions/decode-once.md has what
was measured: how many copies are found, and how far apart different images are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import adaptive_avg_pool2d

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Search:
    """The limits of a search.

    The hash is cut into ``num_bands`` bands, and only images that share a whole band are compared:
    wherever fewer bits differ than there are bands, one band is equal. Hashes of small images are
    alike, so they get fewer and wider bands, which tell more of them apart.
    """

    num_bits: int
    limit: float
    num_bands: int


_SMALL_SIDE = 48
_SMALL, _LARGE = _Search(7, 0.003, 6), _Search(10, 0.02, 8)
THUMBNAIL_SIDE = 16
"""The side of the thumbnails that `describe` makes, in pixels."""
# Below this standard deviation, in grey levels, a thumbnail is a plain surface, like any other.
_PLAIN_STD = 2.0
# By so much of itself a colour cast may change with the light.
_CAST_TOLERANCE = 0.15
_NUM_ROWS, _NUM_COLUMNS, _SMALL_BAND_GROUP = 128, 2048, 64
_PAIRS_AT_A_TIME = 2**14
# An image with more near duplicates than this stands for them: they are not compared any further.
_MANY = 32
# Of many candidates, so many of those with the most equal bits are looked at first.
_NUM_PROBED = 128
# So many values are described at a time: the intermediate results stay in the processor's cache.
_VALUES_AT_A_TIME = 2**21


def near_duplicates(images: torch.Tensor) -> _Ints:
    """Return pairs that connect the images of each group of near duplicates, equal ones included.

    What is connected by a chain of near duplicates is one group. A group of n images is given as
    n - 1 pairs, each of its first image and another one.

    Args:
        images: uint8 (images, channels, height, width).

    Returns:
        int64 (pairs, 2), rows (first image of the group, other image), sorted.

    Cost: a pass over the images, then about 2 ns for each two different images that share a band;
    70,000 images of 28x28 take a few seconds. In a large group each image is compared with a few
    representatives only, so that 20,000 nearly equal images take seconds too.
    """
    if len(images) < 2:
        return np.empty((0, 2), np.int64)
    groups = equal_images(images)
    different = np.unique(groups)
    hashes, thumbnails = describe(images)
    search = _SMALL if max(images.shape[2:]) <= _SMALL_SIDE else _LARGE
    near = _near_groups(_Described(hashes[different], thumbnails[different], search))
    return pairs_of(different[near[np.searchsorted(different, groups)]])


def equal_images(images: torch.Tensor) -> _Ints:
    """Return for each image the index of the first one with the same pixels, int64 (images,)."""
    first: dict[bytes, int] = {}
    digests = (
        hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        for chunk in torch.split(images, _num_at_a_time(images))
        for image in chunk.cpu().numpy()
    )
    found = [first.setdefault(digest, index) for index, digest in enumerate(digests)]
    return np.asarray(found, np.int64)


def describe(images: torch.Tensor) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return the hash (images, 2) and the thumbnail (images, channels, 16 * 16) of every image."""
    hashes, thumbnails = [], []
    channels = images.shape[1]
    for chunk in torch.split(images, _num_at_a_time(images)):
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
        hashes.append(np.packbits(bits.cpu().numpy(), axis=1))
        small = adaptive_avg_pool2d(grey if channels == 1 else chunk.float(), THUMBNAIL_SIDE)
        thumbnails.append(small.round().to(torch.uint8).flatten(2).cpu().numpy())
    return np.ascontiguousarray(np.concatenate(hashes)).view(np.uint64), np.concatenate(thumbnails)


def groups_of(pairs: _Ints, count: int) -> _Ints:
    """Return the group of each of ``count`` things, where ``pairs`` (pairs, 2) belong together.

    A group is named by its lowest member; a thing without a partner is a group alone.
    """
    groups = np.arange(count)
    while len(pairs):
        lowest = groups[pairs].min(1)
        before = groups.copy()
        for members in pairs.T:
            np.minimum.at(groups, members, lowest)
            # The whole group follows, so that a long chain takes few rounds.
            np.minimum.at(groups, before[members], lowest)
        groups = groups[groups]
        if np.array_equal(groups, before):
            break
    return groups


def pairs_of(groups: _Ints) -> _Ints:
    """Return (first member, other member) of each group, (pairs, 2): what `groups_of` reads.

    Args:
        groups: int64 (things,), the name of each thing's group.
    """
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    pairs = np.stack([first[inverse], np.arange(len(groups))], axis=1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    ordered: _Ints = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return ordered


def _num_at_a_time(images: torch.Tensor) -> int:
    return max(1, _VALUES_AT_A_TIME // max(1, images[0].numel()))


class _Described:
    """Hashes and thumbnails of images, and which of them are near duplicates.

    Args:
        hashes: uint64 (images, 2).
        thumbnails: uint8 (images, channels, 16 * 16).
        search: the limits.
    """

    def __init__(
        self, hashes: NDArray[np.uint64], thumbnails: NDArray[np.uint8], search: _Search
    ) -> None:
        self.hashes, self.search = hashes, search
        means = thumbnails.mean(2, dtype=np.float32)  # (images, channels)
        self._means = means.repeat(THUMBNAIL_SIDE**2, axis=1)
        self._casts = means - means.mean(1, keepdims=True)
        self._flat = thumbnails.reshape(len(thumbnails), -1)  # (images, channels * 16 * 16)
        own = thumbnails - means[:, :, None]
        self._texture = np.einsum("icp,icp->i", own, own)
        self._is_plain = self._texture < _PLAIN_STD**2 * thumbnails[0].size
        # A mean over 4x4 places shortens every distance by at least the same factor, so that what
        # is too far apart in the coarse is too far apart in the fine; most candidates end here.
        part = THUMBNAIL_SIDE // 4
        coarse = own.reshape(*means.shape, 4, part, 4, part).mean((3, 5)) * part
        self._coarse = coarse.reshape(len(thumbnails), -1)  # (images, channels * 4 * 4)

    def close(self, rows: _Ints, columns: _Ints) -> NDArray[np.bool_]:
        """Return whether so few bits differ that a pair is a candidate, (rows, columns)."""
        starts = range(0, len(columns), _NUM_COLUMNS)
        parts = (self.hashes[None, columns[start : start + _NUM_COLUMNS]] for start in starts)
        hashes = self.hashes[rows, None]
        return np.concatenate(
            [_num_different(hashes, part) <= self.search.num_bits for part in parts], axis=1
        )

    def closest(self, row: int, columns: _Ints, count: int) -> _Ints:
        """Return the ``count`` of ``columns`` whose hashes differ least from that of ``row``."""
        if len(columns) <= count:
            return columns
        bits = _num_different(self.hashes[row], self.hashes[columns])
        return columns[np.argpartition(bits, count)[:count]]

    def near_of_close(self, pairs: _Ints) -> _Ints:
        """Return those of ``pairs`` (pairs, 2) that are candidates and near duplicates."""
        bits = _num_different(self.hashes[pairs[:, 0]], self.hashes[pairs[:, 1]])
        return self.near(pairs[bits <= self.search.num_bits])

    def near(self, pairs: _Ints) -> _Ints:
        """Return those of the candidates ``pairs`` (pairs, 2) that are near duplicates."""
        found = [np.empty((0, 2), np.int64)]
        for part in np.array_split(pairs, len(pairs) // _PAIRS_AT_A_TIME + 1):
            kept = part[~self._is_plain[part].any(1)]
            for distance in (self._coarse_distance, self._distance):
                limits = self.search.limit * self._texture[kept].max(1)
                kept = kept[distance(kept[:, 0], kept[:, 1]) <= limits]
            found.append(kept)
        return np.concatenate(found)

    def _coarse_distance(self, some: _Ints, others: _Ints) -> _Floats:
        return _squared(self._coarse[some] - self._coarse[others])

    def _distance(self, some: _Ints, others: _Ints) -> _Floats:
        patterns = (self._flat[some] - self._means[some]) - (
            self._flat[others] - self._means[others]
        )
        # More light makes a colour cast larger, too: only what is beyond that is another colour.
        casts = [np.sqrt(_squared(self._casts[indices])) for indices in (some, others)]
        other_colour = np.sqrt(_squared(self._casts[some] - self._casts[others]))
        other_colour = np.maximum(0, other_colour - _CAST_TOLERANCE * np.maximum(*casts))
        distance: _Floats = _squared(patterns) + THUMBNAIL_SIDE**2 * other_colour**2
        return distance


def _squared(rows: _Floats) -> _Floats:
    """Return the sum of squares of each row."""
    sums: _Floats = np.einsum("ij,ij->i", rows, rows)
    return sums


def _near_groups(images: _Described) -> _Ints:
    """Return the group of each image, by its first member, (images,); found band after band."""
    groups = np.arange(len(images.hashes))
    bits = np.unpackbits(images.hashes.view(np.uint8), axis=1)
    # Bits of an image's corners are alike in most images: dealt out, every band has some of them.
    dealt = np.array_split(
        np.random.default_rng(0).permutation(bits.shape[1]), images.search.num_bands
    )
    for places_of_bits in dealt:
        bands = bits[:, places_of_bits] @ (1 << np.arange(len(places_of_bits)))
        order = np.lexsort((groups, bands))
        # Some members of a group that is known already stand for the others.
        order = order[_rank_in_run(bands[order], groups[order]) < _MANY]
        found = [pairs_of(groups), *_pairs_of_band(order, bands[order], images)]
        groups = groups_of(np.concatenate(found), len(groups))
    return groups


def _rank_in_run(*keys: _Ints) -> _Ints:
    """Return each place's distance from the first of its run of equal ``keys``."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    starts = np.flatnonzero(np.r_[True, changes])
    return np.arange(len(keys[0])) - np.repeat(starts, np.diff(np.r_[starts, len(keys[0])]))


def _pairs_of_band(order: _Ints, values: _Ints, images: _Described) -> Iterator[_Ints]:
    """Yield near duplicates that share a band.

    Args:
        order: indices of images, int64 (members,), sorted by the band.
        values: the band of each, (members,).
        images: what the indices mean.
    """
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    ends = np.repeat(starts + sizes, sizes)
    # Neighbours in small groups all at once, by their distance in the order ...
    places = np.flatnonzero(np.repeat(sizes <= _SMALL_BAND_GROUP, sizes))
    for step in range(1, _SMALL_BAND_GROUP):
        places = places[places + step < ends[places]]
        if not len(places):
            break
        yield images.near_of_close(order[np.stack([places, places + step], axis=1)])
    # ... and large groups one by one.
    large = sizes > _SMALL_BAND_GROUP
    for start, size in zip(starts[large], sizes[large], strict=True):
        yield from _pairs_of_large(order[start : start + size], images)


def _pairs_of_large(members: _Ints, images: _Described) -> Iterator[_Ints]:
    """Yield near duplicates among ``members``: some rows against all that are left at a time."""
    while len(members) > 1:
        rows, columns = members[:_NUM_ROWS], np.arange(len(members))
        close = images.close(rows, members) & (columns > columns[: len(rows), None])
        is_represented = np.zeros(len(members), np.bool_)
        for row in np.flatnonzero(close.sum(1) > _MANY):
            others = columns[close[row] & ~is_represented]
            close[row] = False
            if is_represented[row]:
                continue
            probed = images.closest(rows[row], members[others], _NUM_PROBED)
            near = images.near(_star(rows[row], probed))
            if len(near) > _MANY:
                near = images.near(_star(rows[row], members[others]))
                is_represented |= np.isin(members, near)
            yield near
        close[is_represented[: len(rows)]] = False
        close[:, is_represented] = False
        for some in np.array_split(np.arange(len(rows)), close.sum() // _PAIRS_AT_A_TIME + 1):
            first, second = np.nonzero(close[some])
            yield images.near(np.stack([rows[some][first], members[second]], axis=1))
        members = members[len(rows) :][~is_represented[len(rows) :]]


def _star(center: int, others: _Ints) -> _Ints:
    """Return ``center`` with each of ``others``, (others, 2)."""
    return np.stack([np.full(len(others), center), others], axis=1)


def _num_different(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return how many bits of two hashes (..., 2) differ."""
    words = np.bitwise_count(some ^ others)
    different: NDArray[np.uint8] = words[..., 0] + words[..., 1]
    return different
