"""``finetune``: from a trained network and a data set to a run; and which way of it is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.config import FinetuningRecipe, Recipe, load_recipe
from tellapart.finetuning.lora import largest_rank
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.choosing import suggest_recipe
from tellapart.runs.planning import Plan, make_plan
from tellapart.workflow.train import TrainingResult, train

# Of the change that LoRA makes in a comparison, where the layers are large enough for it.
_USUAL_RANK = 4


def finetune(
    source: str | Path,
    data: str | Path,
    *,
    recipe: str | Path | Recipe | None = None,
    settings: Sequence[str] = (),
    freezing: int | str | None = None,
    lora_rank: int | None = None,
    weights: str | Path | None = None,
    shots: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    callbacks: Callbacks | None = None,
) -> TrainingResult:
    """Trains a classifier of ``data`` that begins as a trained network instead of from zero.

    All weights but the output layer's come from the source; channels and size of the pictures may
    differ. The run is one like any other: it is resumed with ``train(resume=RUN)``.

    Args:
        source: a run, a classifier file, or ``timm:NAME``.
        data: a catalogue name or a folder.
        recipe: a name, a ``.toml`` file or a :class:`~tellapart.config.Recipe`; None is
            ``finetune``, or ``finetune-few`` for few pictures.
        settings: ``KEY=VALUE`` changes to the recipe.
        freezing: instead of the recipe's: ``head``, ``all``, ``gradual`` or a number of stages.
        lora_rank: trains changes of this rank instead of the weights.
        weights: a file with the weights of a ``timm:`` source; None fetches the published ones.
        shots: so many training pictures a class; None takes all.
        seed: instead of the recipe's.
        out: the run folder, new or empty; None chooses ``runs/DATA-RECIPE-N``.
        data_dir: where the catalogue's files are looked for first.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: how many the processor may use for one operation; None is torch's choice.
        callbacks: is told of progress.

    Raises:
        TellapartError: any of its kinds, where the request or its input is wrong.
        KeyboardInterrupt: after what was being written is whole; its note says how to go on.
    """
    return train(
        data,
        recipe=recipe,
        settings=finetuning_settings(source, settings, freezing, lora_rank, weights),
        shots=shots,
        seed=seed,
        out=out,
        data_dir=data_dir,
        device=device,
        threads=threads,
        callbacks=callbacks,
    )


def finetuning_settings(
    source: str | Path,
    settings: Sequence[str] = (),
    freezing: int | str | None = None,
    lora_rank: int | None = None,
    weights: str | Path | None = None,
) -> tuple[str, ...]:
    """What :func:`finetune` takes beyond :func:`train`, as settings of the recipe."""
    options = {
        "source": source,
        "freezing": freezing,
        "lora_rank": lora_rank,
        "weights_file": weights,
    }
    given = (f"finetuning.{key}={value}" for key, value in options.items() if value is not None)
    return (*settings, *given)


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
    settings: Sequence[str] = (),
    lora_rank: int | None = None,
    weights: str | Path | None = None,
    shots: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    callbacks: Callbacks | None = None,
) -> list[ComparedWay]:
    """Trains from zero, the head only, gradually, everything and with LoRA, under one budget.

    Pictures, epochs, batches and seed are the same for all. From zero the optimiser, its schedule,
    the averaging and the normalisation are those of the recipe for training from zero, since a rate
    that is gentle to a trained network is too small for a random one.

    Takes what :func:`finetune` takes; ``out`` is a folder for the five runs, ``OUT/WAY``.

    Returns:
        From zero, head, gradual, all, LoRA, in this order.

    Raises:
        TellapartError: as :func:`finetune`; before anything is trained, but for a loss that is not
            finite.
    """
    shot_settings = () if shots is None else (f"data.shots={shots}",)
    asked = (*finetuning_settings(source, settings, weights=weights), *shot_settings)
    plan = make_plan(
        data, recipe=recipe, settings=asked, seed=seed, data_dir=data_dir, device=device
    )
    ways = compared_recipes(plan, lora_rank)
    return [
        ComparedWay(
            name,
            train(
                data,
                recipe=way,
                out=Path(out) / name if out else None,
                data_dir=data_dir,
                device=device,
                threads=threads,
                callbacks=callbacks,
            ),
        )
        for name, way in ways.items()
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
        data=replace(recipe.data, normalization="measured", mean=(), std=()),
        optimizer=usual.optimizer,
        schedule=usual.schedule,
        averaging=usual.averaging,
        finetuning=FinetuningRecipe(),
    )
    return {"zero": zero, **ways}
