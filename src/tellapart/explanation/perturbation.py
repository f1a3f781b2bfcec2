"""Insertion and deletion: whether the places that a map marks are those that the network uses.

*Deletion* covers the marked places, the strongest first, and follows how fast the probability of
the class falls. *Insertion* starts from a blurred image and uncovers them, and follows how fast it
rises. The area under each curve is one number per image: low is good for deletion, high for
insertion. Their difference, insertion minus deletion, is the map's *score*, in -1..1.

Source: Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box
Models", BMVC 2018, section 4.2. Two things differ. Covered is the mean colour of the training
images, as everywhere in this package. And cells are covered, not pixels, as in Samek et al.,
"Evaluating the Visualization of What a Deep Neural Network Has Learned", IEEE TNNLS 2017: single
pixels that are scattered over an image disturb a network more than a connected region does, so
that noise would look like a good explanation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tellapart.evaluation.predicting import evaluation_mode, images_at_a_time
from tellapart.models.classifier import Classifier

NUM_STEPS = 20
_MOST_IMAGES = 200  # at once: both curves need three tensors of images beside the features
_CELLS_PER_SIDE = 14  # 2x2 pixels of a digit, 16x16 of a photograph
# So strong that hardly a class survives it: 3.5 pixels of a digit's 28, 28 of a photograph's 224.
_BLUR_OF_SIDE = 1 / 8


class Cells:
    """A grid of at most 14 by 14 cells over images of a size.

    Args:
        height: of the images in pixels.
        width: of the images in pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self.rows, self.columns = min(height, _CELLS_PER_SIDE), min(width, _CELLS_PER_SIDE)
        down = torch.arange(height) * self.rows // height
        across = torch.arange(width) * self.columns // width
        self._of_pixel = (down[:, None] * self.columns + across).flatten()  # (height * width,)
        self._size = (height, width)
        self._pixels = self._of_pixel.bincount()

    def __len__(self) -> int:
        return self.rows * self.columns

    def means(self, maps: Tensor) -> Tensor:
        """Return the mean of maps (images, height, width) in each cell, float64 (images, cells)."""
        sums = torch.zeros(len(maps), len(self), dtype=torch.float64)
        sums.index_add_(1, self._of_pixel, maps.flatten(1).double().cpu())
        return sums / self._pixels

    def spread(self, values: Tensor) -> Tensor:
        """Return values (images, cells) for each pixel of the cell, (images, height, width)."""
        return values[:, self._of_pixel.to(values.device)].view(len(values), *self._size)


@dataclass(frozen=True)
class Curves:
    """Probabilities of the class as cells are inserted or deleted, the strongest first.

    Args:
        insertion: float64 (images, steps + 1), from the blurred to the whole image.
        deletion: float64 (images, steps + 1), from the whole to the covered image.
    """

    insertion: Tensor
    deletion: Tensor

    @property
    def insertion_area(self) -> Tensor:
        """The area under each insertion curve, float64 (images,); 1 is best."""
        return torch.trapezoid(self.insertion, dx=1 / NUM_STEPS)

    @property
    def deletion_area(self) -> Tensor:
        """The area under each deletion curve, float64 (images,); 0 is best."""
        return torch.trapezoid(self.deletion, dx=1 / NUM_STEPS)

    @property
    def score(self) -> Tensor:
        """Insertion minus deletion, float64 (images,)."""
        return self.insertion_area - self.deletion_area

    def of(self, indices: Tensor) -> Curves:
        """Return the curves of some images."""
        return Curves(self.insertion[indices], self.deletion[indices])


def places_in_order(values: Tensor, ties: Tensor) -> Tensor:
    """Return the place of each cell when the largest comes first, int64 (images, cells).

    Args:
        values: (images, cells), of a map.
        ties: random numbers of the same shape: which of equal values comes first. Otherwise a map
            that is 0 almost everywhere would go on from the top left corner.
    """
    by_chance = ties.argsort(1)
    order = values.gather(1, by_chance).argsort(dim=1, descending=True, stable=True)
    return by_chance.gather(1, order).argsort(1)


def perturbation_curves(
    classifier: Classifier, images: Tensor, classes: Tensor, places: Tensor, cells: Cells
) -> Curves:
    """Return how the probability of a class follows the cells of an order.

    The probability is that of the image itself: other views, over which the classifier may average,
    are left out.

    Args:
        classifier: on any device; it is not changed.
        images: uint8 (images, channels, height, width).
        classes: int64 (images,), the class that is followed for each image.
        places: int64 (images, cells), the place of each cell in the order; see `places_in_order`.
        cells: of the images' size.
    """
    device = classifier.scale.device
    counts = [round(step * len(cells) / NUM_STEPS) for step in range(NUM_STEPS + 1)]
    size = min(images_at_a_time(images.shape), _MOST_IMAGES)
    parts = [torch.split(tensor, size) for tensor in (images, classes, places)]
    found = []
    with evaluation_mode(classifier), torch.inference_mode():
        for batch, targets, order in zip(*parts, strict=True):
            whole = classifier.normalize(batch.to(device))
            order, targets = order.to(device), targets.to(device)
            found.append(_curves(classifier, whole, targets, order, cells, counts))
    insertion, deletion = (torch.cat([pair[which] for pair in found]) for which in (0, 1))
    return Curves(insertion.clone(), deletion.clone())


def _curves(
    classifier: Classifier,
    whole: Tensor,
    targets: Tensor,
    places: Tensor,
    cells: Cells,
    counts: list[int],
) -> tuple[Tensor, Tensor]:
    """Both curves of one batch, each float64 (batch, steps + 1) on the CPU."""
    blurred_images, covered = blurred(whole), torch.zeros_like(whole[:1])
    insertion, deletion = [], []
    for count in counts:
        marked = cells.spread(places < count)[:, None]  # (batch, 1, height, width)
        insertion.append(_probabilities(classifier, whole.where(marked, blurred_images), targets))
        deletion.append(_probabilities(classifier, covered.where(marked, whole), targets))
    return torch.stack(insertion, 1), torch.stack(deletion, 1)


def _probabilities(classifier: Classifier, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = classifier.network(inputs).double() / (classifier.spec.temperature or 1.0)
    chosen: Tensor = logits.softmax(1).gather(1, targets[:, None]).squeeze(1).cpu()
    return chosen


def blurred(images: Tensor) -> Tensor:
    """Return images (batch, channels, height, width) under a Gaussian an eighth of a side wide."""
    sigma = max(1.0, min(images.shape[2:]) * _BLUR_OF_SIDE)
    radius = max(1, round(2 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    weights = (-(offsets**2) / (2 * sigma**2)).exp()
    weights = (weights / weights.sum()).expand(images.shape[1], 1, 1, -1)
    padded = nn.functional.pad(images, (radius,) * 4, mode="replicate")
    across = nn.functional.conv2d(padded, weights, groups=images.shape[1])
    return nn.functional.conv2d(across, weights.transpose(2, 3), groups=images.shape[1])
