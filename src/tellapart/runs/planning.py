"""Planning a training run: its data, recipe, network and initial weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tellapart.config import Recipe, Settings, recipe_difference, typed_settings
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.images.drawing import measure_style
from tellapart.data.preparation import Fit
from tellapart.data.quality.warnings import warnings_before_training
from tellapart.data.selection import select_classes
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.data.sets.source import OpenedSource
from tellapart.errors import ConfigError, DataError, RunError
from tellapart.finetuning.start import Source, start_from, with_source
from tellapart.models.checkpoint import load_classifier
from tellapart.models.classifier import Classifier, measure_normalization
from tellapart.models.from_scratch import from_scratch
from tellapart.models.own_network import is_own
from tellapart.models.registry import count_parameters, seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization
from tellapart.runs.choosing import (
    Wish,
    choose_recipe,
    fit_to_images,
    without_harmful_mirroring,
)
from tellapart.runs.corrections import with_absolute_corrections
from tellapart.runs.data import load_opened, open_data
from tellapart.runs.drawings import correct_drawings
from tellapart.runs.folder import (
    DataReference,
    RunFolder,
    find_classifier_file,
    source_of,
)
from tellapart.runs.plan import Plan
from tellapart.runs.session import Session
from tellapart.runs.source import find_source
from tellapart.runs.splits import run_splits
from tellapart.runtime import choose_runtime, derived_seed

DEFAULT_DATA = "mnist-sample"


@dataclass(frozen=True)
class TrainingRequest:
    """The arguments of a training run, as the person gave them.

    Args:
        data: a catalogue name, a folder, a table or an archive; None is ``mnist-sample``.
        recipe: a name, a ``.toml`` file or a recipe; None chooses one for the data.
        settings: changes to the recipe, see `Recipe.with_settings`.
        shots: training images per class; None is the recipe's value.
        seed: replaces the recipe's seed.
        resume: a run to continue; data, recipe, seed, threads and precision are read from it.
        wish: what is asked for in place of a recipe.
    """

    data: str | Path | None = None
    recipe: str | Path | Recipe | None = None
    settings: Settings = field(default_factory=dict)
    shots: int | None = None
    seed: int | None = None
    resume: RunFolder | None = None
    wish: Wish = field(default_factory=Wish)

    @property
    def changes(self) -> Mapping[str, Any]:
        """All changes to the recipe, as values by key.

        Raises:
            ConfigError: an unknown key.
        """
        changes = typed_settings(self.settings)
        if self.shots is not None:
            changes["data.shots"] = self.shots
        return changes


def make_plan(request: TrainingRequest, session: Session) -> Plan:
    """Loads the data, chooses the recipe and builds the network; writes nothing.

    Raises:
        TellapartError: any of its kinds, where the request or its input is wrong.
    """
    run = request.resume
    known = run.read_data_reference() if run else None
    source = _data_source(request, known)
    found = session.data_dir or (Path(known.data_dir) if known and known.data_dir else None)
    session = replace(session, data_dir=found)
    opened = open_data(source, session)
    recipe, reason = _requested_recipe(request, opened, session.network)
    beginning = find_source(recipe, run, session.network)
    if beginning:
        recipe = with_source(recipe, beginning)
    data_set = load_opened(opened, recipe.data, session, run)
    if run and known:
        _require_same_data(run, known, data_set, source)
    data_set = select_classes(data_set, recipe.data.classes)
    _require_two_classes(data_set)
    if recipe.data.drawings == "source" and beginning:
        corrected = correct_drawings(data_set, beginning.reference.style, data_set.splits, session)
        data_set = corrected.data_set
        if corrected.changes:
            session.callbacks.note(corrected.to_text())
    splits = run_splits(data_set, recipe)
    train = splits["train"]
    if recipe.training.patience and "validation" not in splits:
        raise ConfigError(
            f"patience {recipe.training.patience} needs a validation split to watch, and "
            f"{data_set.name} has none; set data.validation_fraction=0.1, or training.patience=0"
        )
    if reason:
        recipe, how = fit_to_images(recipe, train, request.changes)
        recipe, why = without_harmful_mirroring(recipe, data_set, request.changes)
        for text in filter(None, (how, why)):
            session.callbacks.note(text)
    for warning in warnings_before_training(data_set, recipe):
        session.callbacks.warn(warning)
    began = run.read_machine() if run else {}
    runtime = choose_runtime(session.device, str(began.get("precision", recipe.training.precision)))
    # A recipe that a person gave may name code to run; a recipe from a run or a source may not.
    is_typed = run is None and beginning is None
    own = recipe.model.network if is_typed and is_own(recipe.model.network) else session.network
    classifier = build_classifier(
        recipe,
        train,
        beginning,
        fit=data_set.fit,
        white_level=data_set.white_level,
        own=own,
    )
    return Plan(
        data=DataReference(
            source,
            data_set.name,
            data_set.fingerprint,
            str(found.resolve()) if found else None,
        ),
        data_set=data_set,
        splits=splits,
        recipe=recipe,
        reason=reason,
        classifier=classifier,
        teacher=teacher_of(recipe),
        start=start_from(beginning, classifier, recipe) if beginning else None,
        runtime=runtime,
        num_parameters=count_parameters(classifier),
    )


def _data_source(request: TrainingRequest, known: DataReference | None) -> str:
    """The source of the data: the requested one, or else that of the run to resume."""
    if request.data is not None:
        source = source_of(request.data)
        if known and source != known.source and {source, known.source} & CATALOGUE.keys():
            raise RunError(_trained_on_other_data(request.resume, known, source))
        return source
    if known is None:
        return DEFAULT_DATA
    if known.source not in CATALOGUE and not Path(known.source).exists():
        path = request.resume.path if request.resume else ""
        raise RunError(
            f"the data of run {path} is gone: there is no {known.source}; if it was moved, give "
            f"its new place, e.g. `tellapart train NEW-PLACE --resume {path}`"
        )
    return known.source


def _require_same_data(
    run: RunFolder, known: DataReference, data_set: DataSet, source: str
) -> None:
    if data_set.fingerprint == known.fingerprint:
        return
    if source != known.source:
        raise RunError(_trained_on_other_data(run, known, source))
    raise RunError(
        f"the data of run {run.path} has changed since it began: fingerprint "
        f"{known.fingerprint[:12]} -> {data_set.fingerprint[:12]}; "
        "put the old images back, or train a new run"
    )


def _trained_on_other_data(run: RunFolder | None, known: DataReference, source: str) -> str:
    return (
        f"run {run.path if run else ''} is trained on {known.source!r}, not on {source!r}, which "
        "holds other data; leave out DATA, or train a new run"
    )


def _require_two_classes(data_set: DataSet) -> None:
    if len(data_set.class_names) < 2:
        raise DataError(
            f"{data_set.name} has one class, {data_set.class_names[0]!r}; "
            "a classifier tells at least 2 apart: add images of another class"
        )


def build_classifier(
    recipe: Recipe,
    train_set: ImageSet,
    source: Source | None = None,
    *,
    fit: Fit = "pad",
    white_level: int = 0,
    own: str | None = None,
) -> Classifier:
    """Build the untrained classifier of a recipe, with weights from its seed.

    Args:
        recipe: names the network and the normalisation.
        train_set: gives the input shape and classes, and the measured normalisation.
        source: gives the normalisation if the recipe has ``source``; its weights are not loaded.
        fit: how image files of another aspect are fitted.
        white_level: the value that was white in image files of more than 8 bits; 0 without such.
        own: the location of a person's own network, as the person typed it.

    Raises:
        ConfigError: a network or normalisation that does not fit the images.
    """
    data, model = recipe.data, recipe.model
    shape = train_set.image_shape
    normalizations = {
        "measured": lambda: measure_normalization(train_set.images),
        "given": lambda: Normalization(data.mean, data.std),
        "none": lambda: Normalization((0.0,), (1.0,)),
    }
    if source is not None:
        normalizations["source"] = lambda: source.normalization(shape[0])
    network = seeded_network(
        model.network,
        shape,
        train_set.num_classes,
        model.arguments,
        derived_seed(recipe.training.seed, "weights"),
        own,
    )
    spec = ClassifierSpec(
        network=model.network,
        arguments=model.arguments,
        class_names=train_set.class_names,
        image_shape=shape,
        normalization=normalizations[data.normalization](),
        fit=fit,
        white_level=white_level,
        style=measure_style(train_set.images.cpu().numpy()),
        views=recipe.prediction.views,
    )
    return Classifier(
        from_scratch(network) if model.operations == "from_scratch" else network, spec
    )


def _requested_recipe(
    request: TrainingRequest, opened: OpenedSource, network: str | None
) -> tuple[Recipe, str]:
    """The recipe with all changes applied, and the reason if it was not requested."""
    run, recipe = request.resume, request.recipe
    if recipe is None and run is not None:
        recipe = run.read_recipe()
    chosen, reason = choose_recipe(recipe, opened, request.changes, request.wish)
    chosen = with_absolute_corrections(chosen)
    if network is not None and run is None and not chosen.finetuning.source:
        chosen = chosen.with_settings({"model.network": network})
    if request.seed is not None:
        chosen = replace(chosen, training=replace(chosen.training, seed=request.seed))
    if run is not None:
        require_same_recipe(run.path, "recipe.toml", run.read_recipe(), chosen)
    return chosen, reason


def require_same_recipe(run: Path, name: str, ours: Recipe, asked: Recipe) -> None:
    """Refuses to continue a run with another recipe than its own.

    Args:
        run: the run's folder.
        name: the name of ``ours`` in the message.
        ours: the recipe of the run.
        asked: the requested recipe.

    Raises:
        RunError: a different recipe; the message lists the fields.
    """
    difference = recipe_difference(ours, asked)
    if difference:
        raise RunError(
            f"run {run} continues only with its own recipe ({name}); different: "
            + "; ".join(difference)
            + ". Leave these out, or train a new run"
        )


def teacher_of(recipe: Recipe) -> Classifier | None:
    """Return the classifier that a recipe distils from, or None.

    Raises:
        RunError, ClassifierFileError: a teacher that cannot be read.
    """
    teacher = recipe.distillation.teacher
    return load_classifier(find_classifier_file(Path(teacher))) if teacher else None
