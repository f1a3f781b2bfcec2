"""Checks heat maps of several methods: does a map show what the network uses?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tellapart.errors import ConfigError
from tellapart.evaluation import predict_logits
from tellapart.evaluation.predicting import images_at_a_time
from tellapart.explanation.checked import (
    CheckedMethod,
    MapCheck,
    MapExample,
    NotChecked,
    Stage,
)
from tellapart.explanation.edges import edge_maps
from tellapart.explanation.integrated_gradients import integrated_gradients
from tellapart.explanation.methods import HeatMaps, Method
from tellapart.explanation.perturbation import (
    Cells,
    Curves,
    perturbation_curves,
    places_in_order,
)
from tellapart.explanation.randomization import (
    complexity,
    layers_with_weights,
    randomized,
    rank_correlation,
)
from tellapart.explanation.verdicts import (
    EDGE_DETECTOR,
    RANDOM,
    RANDOM_WEIGHTS,
    Comparison,
    Interval,
    failed_rules,
    mean_with_interval,
)
from tellapart.models.classifier import Classifier
from tellapart.runtime import generator

NUM_IMAGES = 200
FEWEST_IMAGES = 20
NUM_EXAMPLES = 3
# Of the images above: occlusion alone needs 200 passes for an image, at each stage again.
_NUM_RANDOMIZED = 50
_STAGES = (1 / 3, 2 / 3, 1.0)  # of the layers, from the input on
_STEPS_EACH = 3 + len(_STAGES)
_COARSE_STEPS = 32

Progress = Callable[[int, int], None]


def _coarse(network: nn.Module, inputs: Tensor, targets: Tensor) -> HeatMaps:
    """Integrated gradients of few steps: no completeness, but the same order of the pixels."""
    return HeatMaps(integrated_gradients(network, inputs, targets, steps=_COARSE_STEPS))


# Up to 2,048 steps make a map complete. That takes minutes for hundreds of images, most of all for
# networks with random weights, whose scores hardly differ and whose gap is relative to them.
_COMPUTED_COARSELY = {"integrated-gradients": _coarse}


def images_to_check(num_images: int) -> Tensor:
    """Return the indices of 200 images, drawn at random and in order, or of all if there are fewer.

    A test split is often sorted by class, so the first images would be of one class.
    """
    draws = generator(0, "explanation check", "images")
    return torch.randperm(num_images, generator=draws)[:NUM_IMAGES].sort().values


def check_methods(
    classifier: Classifier,
    images: Tensor,
    methods: Sequence[Method],
    progress: Progress | None = None,
) -> MapCheck:
    """Check the maps of methods for the classes that the network answers.

    Everything random is drawn with a fixed seed: the same classifier and images give the same
    result. Memory grows with the cells of the images, not with their pixels.

    Args:
        classifier: in eval mode, on any device; it is not changed.
        images: uint8 (images, channels, height, width), those of the test split.
        methods: the methods to check.
        progress: called with the steps that are done, and all.

    Raises:
        ConfigError: fewer than 20 images.
    """
    if len(images) < FEWEST_IMAGES:
        raise ConfigError(
            f"checking heat maps needs at least {FEWEST_IMAGES} test images, and there are only "
            f"{len(images)}; leave out --check, or train with a larger data.test_fraction"
        )
    return _Checking(classifier, images, methods, progress).result()


class _Checking:
    """One check: the images, the classes, and what all methods are compared with."""

    def __init__(
        self,
        classifier: Classifier,
        images: Tensor,
        methods: Sequence[Method],
        progress: Progress | None,
    ) -> None:
        self._classifier = classifier.with_views("plain")
        self._methods = [
            replace(method, compute=_COMPUTED_COARSELY.get(method.name, method.compute))
            for method in methods
        ]
        self._progress = progress
        self._done, self._total = 0, 3 + len(methods) * _STEPS_EACH
        self._num_test_images = len(images)
        self._indices = images_to_check(len(images))
        self._images = images[self._indices].cpu()
        logits = predict_logits(self._classifier, self._images, device=classifier.scale.device)
        self._classes = self._classifier.decide(logits)
        self._cells = Cells(images.shape[2], images.shape[3])
        shape = (len(self._images), len(self._cells))
        draws = generator(0, "explanation check", "random maps")
        self._random = torch.rand(shape, generator=draws, dtype=torch.float64)
        self._ties = torch.rand(shape, generator=draws, dtype=torch.float64)
        layers = layers_with_weights(classifier.network)
        self._num_layers = len(layers)
        self._stages = [layers[: max(1, round(part * len(layers)))] for part in _STAGES]
        stride = max(1, len(self._images) // _NUM_RANDOMIZED)
        self._few = torch.arange(len(self._images))[::stride][:_NUM_RANDOMIZED]
        self._all = torch.arange(len(self._images))
        self._examples: dict[str, Tensor] = {}

    def result(self) -> MapCheck:
        """Measure everything."""
        edges = self._maps(lambda _network, images, _classes: edge_maps(images), self._classifier)
        self._step()
        self._examples["Edge detector"] = edges.examples
        others = {RANDOM: self._curves(self._random), EDGE_DETECTOR: self._curves(edges.cells)}
        checked, not_checked = [], []
        for method in self._methods:
            try:
                checked.append(self._check(method, others))
            except ConfigError as error:
                not_checked.append(NotChecked(method, str(error)))
                self._step(_STEPS_EACH)
        return MapCheck(
            tuple(checked),
            tuple(not_checked),
            others,
            self._shown(),
            tuple(self._indices.tolist()),
            len(self._few),
            self._num_test_images,
            self._num_layers,
            (self._cells.rows, self._cells.columns),
        )

    def _check(self, method: Method, others: Mapping[str, Curves]) -> CheckedMethod:
        own = self._maps(method, self._classifier)
        self._step()
        stages = []
        for layers in self._stages:
            randomly = self._maps(method, randomized(self._classifier, layers), self._few)
            similarity = rank_correlation(own.cells[self._few], randomly.cells)
            stages.append(Stage(len(layers), mean_with_interval(similarity)))
            self._step()
        self._examples[method.title] = own.examples
        self._examples[f"{method.title}, random weights"] = randomly.examples
        curves = self._curves(own.cells)
        random_curves = self._curves(randomly.cells, self._few)
        against = {
            RANDOM: _compare(curves, others[RANDOM]),
            RANDOM_WEIGHTS: _compare(curves.of(self._few), random_curves),
            EDGE_DETECTOR: _compare(curves, others[EDGE_DETECTOR]),
        }
        return CheckedMethod(
            method,
            curves,
            random_curves,
            against,
            _relative_rise(own.complexity[self._few], randomly.complexity),
            tuple(stages),
            failed_rules(against, stages[-1].similarity),
        )

    def _maps(
        self,
        method: Callable[[Classifier, Tensor, Tensor], Tensor],
        classifier: Classifier,
        chosen: Tensor | None = None,
    ) -> _Maps:
        """What is kept of a method's maps of the chosen images, of all by default."""
        indices = self._all if chosen is None else chosen
        shown = self._few[:NUM_EXAMPLES]
        cells, entropies, examples = [], [], []
        for part in torch.split(indices, images_at_a_time(self._images.shape)):
            maps = method(classifier, self._images[part], self._classes[part]).cpu()
            cells.append(self._cells.means(maps))
            entropies.append(complexity(maps))
            examples.append(maps[torch.isin(part, shown)])
        return _Maps(torch.cat(cells), torch.cat(entropies), torch.cat(examples))

    def _curves(self, values: Tensor, chosen: Tensor | None = None) -> Curves:
        indices = self._all if chosen is None else chosen
        curves = perturbation_curves(
            self._classifier,
            self._images[indices],
            self._classes[indices],
            places_in_order(values, self._ties[indices]),
            self._cells,
        )
        self._step()
        return curves

    def _shown(self) -> tuple[MapExample, ...]:
        names = self._classifier.class_names
        return tuple(
            MapExample(
                self._images[index],
                names[int(self._classes[index])],
                {name: maps[number] for name, maps in self._examples.items()},
            )
            for number, index in enumerate(self._few[:NUM_EXAMPLES].tolist())
        )

    def _step(self, count: int = 1) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


@dataclass(frozen=True)
class _Maps:
    """Maps of all images: means in cells, complexities, and the maps of the first images."""

    cells: Tensor
    complexity: Tensor
    examples: Tensor


def _compare(curves: Curves, other: Curves) -> Comparison:
    return Comparison(
        mean_with_interval(curves.insertion_area - other.insertion_area),
        mean_with_interval(curves.deletion_area - other.deletion_area),
        mean_with_interval(curves.score - other.score),
    )


def _relative_rise(before: Tensor, after: Tensor) -> Interval:
    """The rise in complexity, relative to its mean: a single map may have the complexity 0."""
    mean = float(before.mean())
    return mean_with_interval((after - before) / mean if mean > 0 else torch.zeros_like(before))
