"""Pictures on their way to the device, a batch at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from tellapart.data.image_set import ImageSet
from tellapart.data.images.mapping import announce_rows

# Of a GPU's free memory, what a data set may take; the rest is for the network's features.
_LARGEST_FRACTION = 0.5
# Of a mapped set; several, so that a disk that is slow for a moment keeps nobody waiting.
_BATCHES_AHEAD = 4


def placed(image_set: ImageSet, device: torch.device) -> ImageSet:
    """The pictures on ``device``; those mapped from a file stay there where they are too many."""
    if image_set.mapped and device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        if image_set.images.numel() > _LARGEST_FRACTION * free_bytes:
            return image_set
    return image_set.to(device)


def batches_of(
    train: ImageSet, batches: Sequence[torch.Tensor], device: torch.device
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The pictures and labels of each batch of indices (int64, beside the labels), on ``device``.

    Of a set that is mapped from a file, the next batches are read while the network is busy with
    this one, so a set that is larger than memory is learned from nearly as fast as one that is not.
    """

    def gather(indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # Five times as fast as indexing, which moves one number at a time.
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
