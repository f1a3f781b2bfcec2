"""Images on their way to the device, a batch at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from tellapart.data.image_set import ImageSet
from tellapart.data.images.mapping import announce_rows

# The fraction of a GPU's free memory that a data set may take; the rest is for activations.
_LARGEST_FRACTION = 0.5
# Batches that are read ahead from a mapped file; several, to even out a disk's slow moments.
_BATCHES_AHEAD = 4


def placed(image_set: ImageSet, device: torch.device) -> ImageSet:
    """The images on ``device``; those mapped from a file stay in it where they are too many."""
    if image_set.mapped and device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        if image_set.images.numel() > _LARGEST_FRACTION * free_bytes:
            return image_set
    return image_set.to(device)


def batches_of(
    train: ImageSet, batches: Sequence[torch.Tensor], device: torch.device
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The images and labels of each batch of indices (int64, beside the labels), on ``device``.

    Of a set that is mapped from a file, the next batches are read while the network works on this
    one, so that a set larger than memory is trained on nearly as fast as one that fits.
    """

    def gather(indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # `index_select` copies whole images; indexing moves one number at a time, 5 times slower.
        images = train.images.index_select(0, indices)
        return images.to(device), train.labels[indices].to(device)

    if not train.mapped:
        yield from map(gather, batches)
        return

    def read(indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        announce_rows(train.images, indices)
        return gather(indices)

    with ThreadPoolExecutor(1) as reader:
        ahead: deque[Future[tuple[torch.Tensor, torch.Tensor]]] = deque()
        for indices in batches:
            ahead.append(reader.submit(read, indices))
            if len(ahead) > _BATCHES_AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
