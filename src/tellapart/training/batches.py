"""Pictures on their way to the device, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from tellapart.data.image_set import ImageSet

# Of a GPU's free memory, what a data set may take; the rest is for the network's features.
_LARGEST_SHARE = 0.5


def placed(image_set: ImageSet, device: torch.device) -> ImageSet:
    """The pictures on ``device``; those mapped from a file stay there where they are too many."""
    if image_set.mapped and device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        if image_set.images.numel() > _LARGEST_SHARE * free_bytes:
            return image_set
    return image_set.to(device)


def batches_of(
    train: ImageSet, batches: Sequence[torch.Tensor], device: torch.device
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The pictures and labels of each batch of indices (int64, beside the labels), on ``device``.

    Of a set that is mapped from a file, the next batch is read while the network is busy with this
    one, so a set that is larger than memory is learned from as fast as one that is not.
    """

    def gather(indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # Five times as fast as indexing, which moves one number at a time.
        images = train.images.index_select(0, indices)
        return images.to(device), train.labels[indices].to(device)

    if not train.mapped:
        yield from map(gather, batches)
        return
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(gather, batches[0])
        for indices in batches[1:]:
            current, ahead = ahead.result(), reader.submit(gather, indices)
            yield current
        yield ahead.result()
