"""``finetune``: from a trained network and a data set to a run; and which way of it is best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.config import FinetuningRecipe, Recipe, Settings, load_recipe, typed_settings
from tellapart.finetuning.lora import largest_rank
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.choosing import suggest_recipe
from tellapart.runs.plan import Plan
from tellapart.runs.planning import TrainingRequest, make_plan
from tellapart.runs.session import Session
from tellapart.workflow.train import TrainingResult, train, train_as_requested

# Of the change that LoRA makes in a comparison, where the layers are large enough for it.
_USUAL_RANK = 4


def finetune(
    source: str | Path,
    data: str | Path,
    *,
    recipe: str | Path | Recipe | None = None,
    settings: Settings = (),
    freezing: int | str | None = None,
    lora_rank: int | None = None,
    weights: str | Path | None = None,
    shots: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    session: Session | None = None,
) -> TrainingResult:
    """Trains a classifier of ``data`` that begins as a trained network instead of from zero.

    All weights but the output layer's come from the source; channels and size of the images may
    differ. The run is one like any other: it is resumed with ``train(resume=RUN)``.

    Args:
        source: a run, a classifier file, or ``timm:NAME``.
        data: a catalogue name, a folder, a table or an archive.
        recipe: a name, a ``.toml`` file or a :class:`~tellapart.Recipe`; None is ``finetune``, or
            ``finetune-few`` for few images.
        settings: changes to the recipe: values by key, or texts ``KEY=VALUE``.
        freezing: instead of the recipe's: ``head``, ``all``, ``gradual`` or a number of stages.
        lora_rank: trains changes of this rank instead of the weights.
        weights: a file with the weights of a ``timm:`` source; None fetches the published ones.
        shots: so many training images a class; None takes all.
        seed: instead of the recipe's.
        out: the run folder, new or empty; None chooses ``runs/DATA-RECIPE-N``.
        session: machine, data folder and callbacks; None is the default `Session`.

    Raises:
        TellapartError: any of its kinds, where the request or its input is wrong.
        KeyboardInterrupt: after what was being written is whole; its note tells how to go on.
    """
    changes = finetuning_settings(source, settings, freezing, lora_rank, weights)
    request = TrainingRequest(data, recipe, changes, shots, seed)
    return train_as_requested(request, Path(out) if out else None, session or Session())


def finetuning_settings(
    source: str | Path,
    settings: Settings = (),
    freezing: int | str | None = None,
    lora_rank: int | None = None,
    weights: str | Path | None = None,
) -> dict[str, Any]:
    """What :func:`finetune` takes beyond :func:`train`, as settings of the recipe."""
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
    """One way to a classifier, and what it came to."""

    name: str
    result: TrainingResult

    @property
    def fraction_trained(self) -> float:
        """Share of the network's numbers that was trained; 1 from zero."""
        return self.result.start.fraction_trained if self.result.start else 1.0

    def to_json(self) -> dict[str, Any]:
        """As ``finetune --compare --json`` lists it."""
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
    """Trains from zero, the head only, gradually, everything and with LoRA, under one budget.

    Images, epochs, batches and seed are the same for all. From zero the optimizer, its schedule,
    the averaging and the normalisation are those of the recipe for training from zero, since a rate
    that is gentle to a trained network is too small for a random one.

    Takes what :func:`finetune` takes; ``out`` is a folder for the five runs, ``OUT/WAY``.

    Returns:
        From zero, head, gradual, all, LoRA, in this order.

    Raises:
        TellapartError: as :func:`finetune`; before anything is trained, but for a loss that is not
            finite.
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
    """The recipe of each way, by its name, from the plan to fine-tune everything."""
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
    usual = load_recipe(suggest_recipe(len(plan.train))[0])
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
