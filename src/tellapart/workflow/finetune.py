"""``finetune``: train from a trained network, and compare ways of doing so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.config import (
    FinetuningRecipe,
    Recipe,
    Settings,
    load_recipe,
    typed_settings,
    with_corrections,
)
from tellapart.finetuning.lora import largest_rank
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.choosing import Preset, Wish, suggest_from_zero
from tellapart.runs.plan import Plan
from tellapart.runs.planning import TrainingRequest, make_plan
from tellapart.runs.session import Session
from tellapart.workflow.train import train, train_as_requested
from tellapart.workflow.training_result import TrainingResult

# The rank of LoRA in a comparison, if the layers are large enough for it.
_USUAL_RANK = 4


def finetune(
    source: str | Path,
    data: str | Path,
    *,
    recipe: str | Path | Recipe | None = None,
    preset: Preset | None = None,
    settings: Settings = (),
    corrections: str | Path | None = None,
    freezing: int | str | None = None,
    lora_rank: int | None = None,
    weights: str | Path | None = None,
    shots: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    session: Session | None = None,
) -> TrainingResult:
    """Trains a classifier for ``data``, starting from a trained network instead of from zero.

    All weights but the output layer's are loaded from the source; channels and size of the images
    may differ. The run is resumed like any other, with ``train(resume=RUN)``.

    Args:
        source: a run, a classifier file, ``imagenet``, or ``timm:NAME``.
        data: a catalogue name, a folder, a table or an archive.
        recipe: a name, a ``.toml`` file or a :class:`~tellapart.Recipe`; None chooses one by the
            source and the number of images.
        preset: ``quick``, ``good`` or ``best``: chooses the recipe by how long it may take.
        settings: changes to the recipe: values by key, or texts ``KEY=VALUE``.
        corrections: a file of corrected labels, as ``check(data, labels=True)`` writes it.
        freezing: replaces the recipe's: ``head``, ``all``, ``gradual`` or a number of stages.
        lora_rank: train a change of this rank to each layer instead of its weights (LoRA).
        weights: the weights of a ``timm:`` source, a file or a folder with its ``config.json``;
            None takes the published ones, from the hub's cache or downloaded.
        shots: training images per class; None uses all.
        seed: replaces the recipe's seed.
        out: the run folder, new or empty; None chooses ``runs/DATA-RECIPE-N``.
        session: device, data folder and callbacks; None is the default `Session`.

    Returns:
        The run folder, the figures of the test split, and how the run was trained.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.
        KeyboardInterrupt: after files are complete; its note is the command that resumes the run.

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> source = tellapart.train(settings=quick, shots=9).run
    >>> tuned = tellapart.finetune(
    ...     source, "mnist-sample", settings={"training.epochs": 1}, freezing="head", shots=9
    ... )
    >>> tuned.start.freezing, tuned.start.fraction_trained < 1
    ('head', True)
    """
    settings = with_corrections(settings, corrections)
    changes = finetuning_settings(source, settings, freezing, lora_rank, weights)
    request = TrainingRequest(data, recipe, changes, shots, seed, wish=Wish(preset))
    return train_as_requested(request, Path(out) if out else None, session or Session())


def finetuning_settings(
    source: str | Path,
    settings: Settings = (),
    freezing: int | str | None = None,
    lora_rank: int | None = None,
    weights: str | Path | None = None,
) -> dict[str, Any]:
    """Return settings with the arguments that :func:`finetune` has and :func:`train` has not."""
    if isinstance(freezing, str) and freezing.isdecimal():
        freezing = int(freezing)
    options = {
        "source": str(source),
        "freezing": freezing,
        "lora_rank": lora_rank,
        "weights_file": str(weights) if weights is not None else None,
    }
    given = {f"finetuning.{key}": value for key, value in options.items() if value is not None}
    return {**typed_settings(settings), **given}


@dataclass(frozen=True)
class ComparedWay:
    """One way of training in a comparison, and its result."""

    name: str
    result: TrainingResult

    @property
    def fraction_trained(self) -> float:
        """Fraction of the network's weights that was trained; 1 from zero."""
        return self.result.start.fraction_trained if self.result.start else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``finetune --compare --json``."""
        return {
            **self.result.to_json(),
            "way": self.name,
            "fraction_trained": self.fraction_trained,
        }


def compare(
    source: str | Path,
    data: str | Path,
    *,
    recipe: str | Path | Recipe | None = None,
    settings: Settings = (),
    lora_rank: int | None = None,
    weights: str | Path | None = None,
    shots: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    session: Session | None = None,
) -> list[ComparedWay]:
    """Trains from zero, head only, gradually, all layers and with LoRA, with the same budget.

    Images, epochs, batches and seed are the same for all five. Training from zero has its own
    optimizer, schedule, averaging and normalisation, those of the recipe that suits the data: a
    learning rate for a trained network is too small for a random one.

    The arguments are those of :func:`finetune`; ``out`` is a folder for the runs, ``OUT/WAY``.

    Returns:
        The results, named ``zero``, ``head``, ``gradual``, ``all`` and ``lora``, in this order.

    Raises:
        TellapartError: as :func:`finetune`, before anything is trained, except for a loss that is
            not finite.

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> source = tellapart.train(settings=quick, shots=9).run
    >>> ways = tellapart.compare(source, "mnist-sample", settings={"training.epochs": 1}, shots=9)
    >>> [way.name for way in ways]
    ['zero', 'head', 'gradual', 'all', 'lora']
    """
    session = session or Session()
    changes = finetuning_settings(source, settings, weights=weights)
    quiet = replace(session, callbacks=Callbacks())
    plan = make_plan(TrainingRequest(data, recipe, changes, shots, seed), quiet)
    return [
        ComparedWay(
            name,
            train(data, recipe=way, out=Path(out) / name if out else None, session=session),
        )
        for name, way in compared_recipes(plan, lora_rank).items()
    ]


def compared_recipes(plan: Plan, lora_rank: int | None = None) -> dict[str, Recipe]:
    """Return the recipe of each way by its name, from the plan for fine-tuning."""
    recipe = plan.recipe
    rank = lora_rank or min(_USUAL_RANK, largest_rank(plan.classifier.network))
    tuned: dict[str, dict[str, Any]] = {
        "head": {"freezing": "head"},
        "gradual": {"freezing": "gradual"},
        "all": {"freezing": "all"},
        "lora": {"freezing": "all", "lora_rank": rank, "l2_sp": 0.0},
    }
    plain = replace(recipe.finetuning, lora_rank="none")
    ways = {
        name: replace(recipe, name=f"finetune-{name}", finetuning=replace(plain, **changes))
        for name, changes in tuned.items()
    }
    usual = load_recipe(suggest_from_zero(plan.train))
    zero = replace(
        recipe,
        name="from-zero",
        data=replace(recipe.data, normalization="measured", mean=(), std=(), drawings="as-is"),
        optimizer=usual.optimizer,
        schedule=usual.schedule,
        averaging=usual.averaging,
        finetuning=FinetuningRecipe(),
    )
    return {"zero": zero, **ways}
