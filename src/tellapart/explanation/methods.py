"""The ways to compute a heat map, by name, and which of them a request uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tellapart.errors import ConfigError
from tellapart.evaluation.predicting import images_at_a_time
from tellapart.explanation.grad_cam import grad_cam, layer_with_positions
from tellapart.explanation.integrated_gradients import complete_integrated_gradients
from tellapart.explanation.occlusion import occlusion
from tellapart.models.classifier import Classifier
from tellapart.wording import did_you_mean

# Of images up to this side, all methods together take seconds; of photographs, minutes.
LARGEST_QUICK_SIDE = 64
# With a gradient every layer's output is kept, so fewer images fit into the processor's cache.
_MOST_IMAGES_WITH_GRADIENT = 64
ALL = "all"


@dataclass(frozen=True)
class HeatMaps:
    """Heat maps of several images, one for each class that is explained.

    Args:
        maps: float32 (images, k, height, width); above 0 speaks for the class.
        gaps: completeness gaps as fractions, float64 (images, k); None for a method without.
    """

    maps: Tensor
    gaps: Tensor | None = None


@dataclass(frozen=True)
class Method:
    """A way to compute heat maps; called with a classifier, images and classes.

    Args:
        name: as on the command line.
        title: as on the page.
        meaning: one line that says what a map shows.
        compute: network, normalised images and classes (batch, k) to heat maps.
        needs_positions: whether it needs a layer with positions.
    """

    name: str
    title: str
    meaning: str
    compute: Callable[[nn.Module, Tensor, Tensor], HeatMaps]
    needs_positions: bool = False

    def __call__(self, classifier: Classifier, images: Tensor, classes: Tensor) -> Tensor:
        """Return the map of one class for each image, float32 (images, height, width), on the CPU.

        Larger values speak more for the class.

        Args:
            classifier: as `explain`.
            images: as `explain`.
            classes: int64 (images,).

        Raises:
            ConfigError, ShapeError: as `explain`.
        """
        return self.explain(classifier, images, classes[:, None]).maps.squeeze(1)

    def explain(self, classifier: Classifier, images: Tensor, classes: Tensor) -> HeatMaps:
        """Return the maps of several classes for each image, with completeness gaps, on the CPU.

        The network is explained in eval mode, on the image itself: other views, over which the
        classifier may average, and its temperature, which divides all scores alike, are left out.

        Args:
            classifier: on any device; it is not changed.
            images: uint8 (images, channels, height, width), as the classifier takes them.
            classes: int64 (images, k), the classes that are explained for each image.

        Raises:
            ConfigError: a network without a layer with positions, where one is needed.
            ShapeError: images of another shape or type.
        """
        device = classifier.scale.device
        size = min(images_at_a_time(images.shape), _MOST_IMAGES_WITH_GRADIENT)
        maps, gaps = [], []
        parts = zip(torch.split(images, size), torch.split(classes, size), strict=True)
        for part, targets in parts:
            inputs = classifier.normalize(part.to(device))
            found = self.compute(classifier.network, inputs, targets.to(device))
            maps.append(found.maps.cpu())
            gaps += [] if found.gaps is None else [found.gaps.cpu()]
        return HeatMaps(torch.cat(maps), torch.cat(gaps) if gaps else None)


def _integrated(network: nn.Module, inputs: Tensor, targets: Tensor) -> HeatMaps:
    return HeatMaps(*complete_integrated_gradients(network, inputs, targets))


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "grad-cam",
            "Grad-CAM",
            "the regions whose features speak for the class, at the resolution of the last layer "
            "with positions",
            lambda network, inputs, targets: HeatMaps(grad_cam(network, inputs, targets)),
            needs_positions=True,
        ),
        Method(
            "integrated-gradients",
            "Integrated gradients",
            "how much each pixel adds to the class's score on the way from a plain image of the "
            "mean colour",
            _integrated,
        ),
        Method(
            "occlusion",
            "Occlusion",
            "how much the class's score falls when a patch is covered",
            lambda network, inputs, targets: HeatMaps(occlusion(network, inputs, targets)),
        ),
    )
}


@dataclass(frozen=True)
class ChosenMethods:
    """The methods of a request, the layer that Grad-CAM uses, and what a person should know."""

    methods: tuple[Method, ...]
    layer: str | None
    note: str | None = None


def checked_names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the names of methods, each once; ``all`` is every one, None the choice by default.

    Raises:
        ConfigError: an unknown name.
    """
    if not names:
        return None
    for name in names:
        if name not in (*METHODS, ALL):
            hint = did_you_mean(name, METHODS, otherwise=f"known: {', '.join(METHODS)}, {ALL}")
            raise ConfigError(f"unknown method {name!r}{hint}")
    return tuple(METHODS) if ALL in names else tuple(dict.fromkeys(names))


def choose_methods(names: Sequence[str] | None, classifier: Classifier) -> ChosenMethods:
    """Return the methods for a classifier.

    By default these are all for images up to 64 pixels a side, and Grad-CAM for larger ones, of
    which the others take minutes. Without a layer with positions, integrated gradients take the
    place of Grad-CAM.

    Args:
        names: names of `METHODS` or ``all``; None is the default.
        classifier: whose network and image size decide.

    Raises:
        ConfigError: an unknown name, or Grad-CAM for a network without a layer with positions.
    """
    wanted = checked_names(names)
    channels, height, width = classifier.image_shape
    example = torch.zeros(1, channels, height, width, device=classifier.scale.device)
    layer = layer_with_positions(classifier.network, example)
    if wanted is None or (names and ALL in names):
        is_quick = max(height, width) <= LARGEST_QUICK_SIDE or wanted is not None
        chosen = tuple(METHODS) if is_quick else ("grad-cam",)
        note = None
        if layer is None:
            chosen = tuple(name for name in chosen if not METHODS[name].needs_positions)
            chosen = chosen or ("integrated-gradients",)
            note = (
                "no layer of this network has positions, so there is no Grad-CAM; the heat maps "
                f"are those of {' and '.join(METHODS[name].title.lower() for name in chosen)}"
            )
        elif not is_quick:
            note = (
                "images of this size are explained by Grad-CAM alone; --method all adds "
                "integrated gradients and occlusion, which take minutes"
            )
        return ChosenMethods(tuple(METHODS[name] for name in chosen), layer, note)
    for name in wanted:
        if METHODS[name].needs_positions and layer is None:
            others = [other.name for other in METHODS.values() if not other.needs_positions]
            raise ConfigError(
                f"--method {name} needs a layer with positions, such as a convolution, and the "
                f"network {classifier.spec.network} has none; use --method {' or '.join(others)}"
            )
    return ChosenMethods(tuple(METHODS[name] for name in wanted), layer)
