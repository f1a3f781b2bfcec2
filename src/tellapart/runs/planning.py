"""What a training run is going to do, settled before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.config import Recipe, load_recipe, recipe_difference
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.drawing import measure_style
from tellapart.data.preparation import Fit
from tellapart.data.selection import select_classes
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.data.sets.source import OpenedSource
from tellapart.errors import DataError, RunError
from tellapart.finetuning.start import Source, Start, find_source, start_from, with_source
from tellapart.models.classifier import Classifier, Normalization, measure_normalization
from tellapart.models.from_scratch import from_scratch
from tellapart.models.registry import count_parameters, seeded_network
from tellapart.models.views import mirrors, num_views
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.choosing import choose_recipe
from tellapart.runs.folder import DataReference, RunFolder, source_of
from tellapart.runs.splits import training_splits
from tellapart.runtime import Runtime, choose_runtime, derived_seed
from tellapart.workflow.check import warn_of_faults
from tellapart.workflow.predict import open_classifier
from tellapart.workflow.prepare import open_watched, preparation_of, require_asked_form

DEFAULT_DATA = "mnist-sample"


@dataclass(frozen=True)
class Plan:
    """What a training run is going to do, settled before anything is written.

    ``reason`` says why this recipe, where nobody asked for one; ``start`` what the classifier's
    weights come from, where it is fine-tuned; ``num_parameters`` counts the network's weights.
    """

    data: DataReference
    data_set: DataSet
    train: ImageSet
    validation: ImageSet | None
    recipe: Recipe
    reason: str
    classifier: Classifier
    teacher: Classifier | None
    start: Start | None
    runtime: Runtime
    num_parameters: int

    def to_json(self) -> dict[str, Any]:
        """What ``--dry-run --json`` prints."""
        splits = {"train": self.train, "validation": self.validation, **_rest(self.data_set)}
        return {
            "data": self.data.name,
            "recipe": self.recipe.name,
            "seed": self.recipe.training.seed,
            "network": self.recipe.model.network,
            "num_parameters": self.num_parameters,
            "num_epochs": self.recipe.training.epochs,
            "views": num_views(self.classifier.views),
            "class_names": list(self.data_set.class_names),
            "image_shape": list(self.train.image_shape),
            "num_images": {name: len(part) for name, part in splits.items() if part is not None},
            "device": str(self.runtime.device),
            "precision": self.runtime.precision,
            **(self.start.to_json() if self.start else {}),
        }


def _rest(data_set: DataSet) -> dict[str, ImageSet]:
    return {
        name: part for name, part in data_set.splits.items() if name not in ("train", "validation")
    }


def make_plan(
    data: str | Path | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    settings: Sequence[str] = (),
    seed: int | None = None,
    run: RunFolder | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    callbacks: Callbacks | None = None,
) -> Plan:
    """Loads the data, settles the recipe and builds the network; writes nothing.

    Takes what :func:`train` takes; ``run`` is the one to go on with.

    Raises:
        TellapartError: as :func:`train`.
    """
    known = run.read_data_reference() if run else None
    source = source_of(data) if data is not None else known.source if known else DEFAULT_DATA
    if known and source != known.source:
        raise RunError(
            f"run {run.path if run else ''} is trained on {known.source!r}, not on {source!r}; "
            "leave out DATA, or train a new run"
        )
    folder = data_dir or (known.data_dir if known else None)
    callbacks = callbacks or Callbacks()
    opened = open_watched(source, callbacks, data_dir=folder)
    settled, reason = _settle_recipe(recipe, opened, run, settings, seed)
    beginning = find_source(settled, run)
    if beginning:
        settled = with_source(settled, beginning)
    data_set = opened.load(preparation_of(settled.data), callbacks.decoding)
    require_asked_form(data_set, settled.data)
    if run and known and data_set.fingerprint != known.fingerprint:
        raise RunError(
            f"the data of run {run.path} has changed since it began: fingerprint "
            f"{known.fingerprint[:12]} -> {data_set.fingerprint[:12]}; "
            "put the old pictures back, or train a new run"
        )
    data_set = select_classes(data_set, settled.data.classes)
    if len(data_set.class_names) < 2:
        raise DataError(
            f"{data_set.name} has one class, {data_set.class_names[0]!r}; "
            "a classifier tells at least 2 apart: add pictures of another class"
        )
    _warn_of_flips(settled, data_set, callbacks)
    warn_of_faults(data_set, settled, callbacks)
    training, validation = training_splits(data_set, settled)
    if reason:
        settled = _with_batches_that_fit(settled, len(training))
    runtime = choose_runtime(device, settled.training.precision)
    classifier = build_classifier(settled, training, beginning, fit=data_set.fit)
    return Plan(
        data=DataReference(
            source,
            data_set.name,
            data_set.fingerprint,
            str(Path(folder).resolve()) if folder else None,
        ),
        data_set=data_set,
        train=training,
        validation=validation,
        recipe=settled,
        reason=reason,
        classifier=classifier,
        teacher=_teacher(settled),
        start=start_from(beginning, classifier, training, settled, runtime) if beginning else None,
        runtime=runtime,
        num_parameters=count_parameters(classifier),
    )


def build_classifier(
    recipe: Recipe, train_set: ImageSet, source: Source | None = None, *, fit: Fit = "pad"
) -> Classifier:
    """The untrained classifier of a recipe: weights from its seed, normalisation as it says.

    Args:
        recipe: names the network and the normalisation.
        train_set: what it is built for, and what its normalisation is measured on.
        source: whose normalisation ``source`` means; its weights are not loaded.
        fit: how picture files were made to fit.

    Raises:
        ConfigError: a network or normalisation that does not fit the pictures.
    """
    data, model = recipe.data, recipe.model
    normalizations = {
        "measured": lambda: measure_normalization(train_set.images),
        "given": lambda: Normalization(data.mean, data.std),
        "none": lambda: Normalization((0.0,), (1.0,)),
    }
    shape = train_set.image_shape
    if source is not None:
        normalizations["source"] = lambda: source.normalization(shape[0])
    network = seeded_network(
        model.network,
        shape,
        train_set.num_classes,
        model.arguments,
        derived_seed(recipe.training.seed, "weights"),
    )
    return Classifier(
        from_scratch(network) if model.operations == "from_scratch" else network,
        network_name=model.network,
        arguments=model.arguments,
        class_names=train_set.class_names,
        image_shape=shape,
        normalization=normalizations[data.normalization](),
        fit=fit,
        style=measure_style(train_set.images),
        views=recipe.prediction.views,
    )


def _settle_recipe(
    recipe: str | Path | Recipe | None,
    opened: OpenedSource,
    run: RunFolder | None,
    settings: Sequence[str],
    seed: int | None,
) -> tuple[Recipe, str]:
    """The recipe with settings and seed applied, and why it was chosen if nobody named it."""
    if recipe is None and run is not None:
        recipe = run.read_recipe()
    chosen, reason = choose_recipe(recipe, opened, settings)
    if seed is not None:
        chosen = replace(chosen, training=replace(chosen.training, seed=seed))
    if run is not None:
        require_same_recipe(run.path, "recipe.toml", run.read_recipe(), chosen)
    return chosen, reason


def require_same_recipe(run: Path, name: str, ours: Recipe, asked: Recipe) -> None:
    """Refuses to go on with a run by another recipe than its own.

    Args:
        run: its folder.
        name: which of the run's recipes ``ours`` is.
        ours: the run's.
        asked: what was asked for.

    Raises:
        RunError: naming what differs.
    """
    difference = recipe_difference(ours, asked)
    if difference:
        raise RunError(
            f"run {run} goes on only with its own recipe ({name}); different: "
            + "; ".join(difference)
            + ". Leave these out, or train a new run"
        )


def _with_batches_that_fit(recipe: Recipe, num_train: int) -> Recipe:
    """The recipe with no larger batches than there are pictures, where it was chosen by itself.

    A size that somebody asked for stays, to be refused.
    """
    own = load_recipe(recipe.name).training.batch_size
    if recipe.training.batch_size != own or own <= num_train:
        return recipe
    return replace(recipe, training=replace(recipe.training, batch_size=num_train))


def _teacher(recipe: Recipe) -> Classifier | None:
    teacher = recipe.distillation.teacher
    return open_classifier(Path(teacher)) if teacher else None


def _warn_of_flips(recipe: Recipe, data_set: DataSet, callbacks: Callbacks) -> None:
    """A mirrored cat is a cat; a mirrored 2 is no digit at all."""
    if (recipe.augmentation.flips or mirrors(recipe.prediction.views)) and _shows_signs(data_set):
        callbacks.warn(
            f"the recipe mirrors pictures, and the classes of {data_set.name} look like digits or "
            "letters, which mirrored mean something else or nothing; "
            "set augmentation.flip_horizontal=0, augmentation.flip_vertical=0 and "
            "prediction.views=plain"
        )


def _shows_signs(data_set: DataSet) -> bool:
    """Whether the pictures are of digits or letters, as the catalogue or their names say."""
    entry = CATALOGUE.get(data_set.name)
    return entry.shows_signs if entry else all(len(name) == 1 for name in data_set.class_names)
