"""The commands with their arguments, and the app; their work is done in `tellapart.workflow`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from tellapart import __version__
from tellapart.cli.data import data_app
from tellapart.cli.explain import explain
from tellapart.cli.json_output import print_result
from tellapart.cli.options import (
    Corrections,
    DataDir,
    Examinations,
    GroupBy,
    Json,
    Machine,
    OwnNetwork,
    PerClass,
    PresetName,
    Recall,
    RecipeName,
    Seed,
    SetMethod,
    Settings,
    Shots,
    Tta,
    console_session,
    with_options,
)
from tellapart.cli.recipes import recipes_app
from tellapart.cli.show import show_app
from tellapart.errors import ConfigError

if TYPE_CHECKING:
    from tellapart.runs.planning import TrainingRequest
    from tellapart.workflow.evaluate import EvaluationResult
    from tellapart.workflow.training_result import TrainingResult

_MACHINE = Machine()
_NO_EXAMINATIONS = Examinations()

app = App(
    name="tellapart",
    help="Train an image classifier from zero, evaluate it honestly, and see what it learned.\n\n"
    "`tellapart train` with nothing else trains on 5,000 handwritten digits that come with it.",
    version=__version__,
    help_format="markdown",
    suppress_keyboard_interrupt=False,
    # The help texts describe each default in words.
    default_parameter=Parameter(show_default=False, negative=()),
)
app.command(data_app)
app.command(recipes_app)
app.command(show_app)
app.command(explain)


@app.command
def train(
    data: str | None = None,
    /,
    *,
    recipe: RecipeName = None,
    preset: PresetName = None,
    from_zero: bool = False,
    settings: Settings = (),
    group_by: GroupBy = None,
    corrections: Corrections = None,
    shots: Shots = None,
    seed: Seed = None,
    out: Path | None = None,
    resume: Path | None = None,
    data_dir: DataDir = None,
    network: OwnNetwork = None,
    machine: Machine = _MACHINE,
    dry_run: bool = False,
    json: Json = False,
) -> int:
    """Train a classifier, evaluate it once on the test split, and leave a run folder.

    Parameters
    ----------
    data
        A name from `tellapart data list`, a folder with a sub-folder per class, a .csv table, an
        .npz archive or a folder of IDX files; by default mnist-sample.
    from_zero
        Do not start from a network trained on ImageNet. By default photographs do, where the extra
        `pretrained` is installed.
    out
        The run folder, new or empty; by default runs/DATA-RECIPE-N.
    resume
        Continue this run; data and recipe are read from it.
    dry_run
        Print what would be done, and stop.
    """
    from tellapart.runs.choosing import Wish
    from tellapart.runs.folder import find_run
    from tellapart.runs.planning import TrainingRequest

    run = find_run(resume) if resume else None
    changes = with_options(settings, group_by, corrections)
    wish = Wish(preset, from_zero)
    request = TrainingRequest(data, recipe, changes, shots, seed, run, wish)
    return _train(request, out, machine, data_dir, network, dry_run=dry_run, json=json)


def _train(
    request: TrainingRequest,
    out: Path | None,
    machine: Machine,
    data_dir: Path | None,
    network: str | None,
    *,
    dry_run: bool,
    json: bool,
) -> int:
    """Trains as requested, or reports what would be done."""
    from tellapart.cli.tables import print_plan, print_training
    from tellapart.runtime import keep_freed_memory
    from tellapart.workflow.train import plan_training, resumed_session, train_as_requested

    keep_freed_memory()
    with console_session(machine, data_dir, network) as session:
        if dry_run:
            session = resumed_session(session, request.resume)
            with session.limited_threads():
                plan, _ = plan_training(request, session)
        else:
            result = train_as_requested(request, out, session)
    if dry_run:
        print_result(plan, plan.to_json(), print_plan, as_json=json)
    else:
        print_result(result, result.to_json(), print_training, as_json=json)
    return 0 if dry_run else _finish(result, as_json=json)


def _finish(result: TrainingResult | EvaluationResult, *, as_json: bool) -> int:
    """The exit code; what must not be overlooked beside JSON goes to standard error."""
    if as_json and result.verdict:
        print(f"WARNING: {result.verdict}", file=sys.stderr)
    if result.not_written is None:
        return 0
    print(f"tellapart: {result.not_written}; choose another --out", file=sys.stderr)
    return 2


@app.command
def finetune(
    source: str | None = None,
    data: str | None = None,
    /,
    *,
    sources: bool = False,
    recipe: RecipeName = None,
    preset: PresetName = None,
    settings: Settings = (),
    group_by: GroupBy = None,
    corrections: Corrections = None,
    freezing: str | None = None,
    lora_rank: int | None = None,
    weights: Path | None = None,
    shots: Shots = None,
    compare: bool = False,
    seed: Seed = None,
    out: Path | None = None,
    data_dir: DataDir = None,
    network: OwnNetwork = None,
    machine: Machine = _MACHINE,
    dry_run: bool = False,
    json: Json = False,
) -> int:
    """Train a classifier from a trained network, with an output layer for the new classes.

    Parameters
    ----------
    source
        The folder that `tellapart train` printed, a classifier file, imagenet (EfficientNet-Lite0
        trained on ImageNet, extra `pretrained`), or timm:NAME (extra `timm`).
    data
        A name from `tellapart data list`, a folder with a sub-folder per class, a .csv table, an
        .npz archive or a folder of IDX files.
    sources
        Print a table of sources to start from: what they have seen, size, cost and licence; needs
        no SOURCE and no DATA.
    freezing
        head trains only the new layer, all trains every layer, gradual unfreezes stage after stage,
        and a number is how many of the first stages stay frozen; by default as the recipe has it.
    lora_rank
        Train a low-rank change of this rank to every layer instead of its weights (LoRA).
    weights
        The weights of timm:NAME: a .safetensors or .pth file, or a folder with its config.json; by
        default the published weights, from the hub's cache or downloaded.
    compare
        Train five runs with the same budget (from zero, head, gradual, all, LoRA) and print them in
        one table.
    out
        The run folder, new or empty; by default runs/DATA-RECIPE-N. With --compare, the folder
        for the five runs.
    dry_run
        Print what would be done, and stop.
    """
    if sources:
        return _list_sources(source, json=json)
    if source is None or data is None:
        given = "neither" if source is None else f"only {source!r}"
        raise ConfigError(
            f"finetune needs a SOURCE and DATA, got {given}: `tellapart finetune SOURCE DATA`; "
            "`tellapart finetune --sources` lists sources"
        )
    from tellapart.runs.choosing import Wish
    from tellapart.runs.planning import TrainingRequest
    from tellapart.workflow.finetune import compare as run_comparison
    from tellapart.workflow.finetune import finetuning_settings

    changed = with_options(settings, group_by, corrections)
    if not compare:
        changes = finetuning_settings(source, changed, freezing, lora_rank, weights)
        request = TrainingRequest(data, recipe, changes, shots, seed, wish=Wish(preset))
        return _train(request, out, machine, data_dir, network, dry_run=dry_run, json=json)
    if freezing is not None or dry_run or preset:
        raise ConfigError(
            "--compare tries every way in turn; leave out --freezing, --preset and --dry-run"
        )
    from tellapart.cli.tables import print_comparison
    from tellapart.runtime import keep_freed_memory

    keep_freed_memory()
    with console_session(machine, data_dir, network) as session:
        ways = run_comparison(
            source,
            data,
            recipe=recipe,
            settings=changed,
            lora_rank=lora_rank,
            weights=weights,
            shots=shots,
            seed=seed,
            out=out,
            session=session,
        )
    content = {"data": data, "source": source, "ways": [way.to_json() for way in ways]}
    print_result(ways, content, print_comparison, as_json=json)
    return 0


def _list_sources(source: str | None, *, json: bool) -> int:
    """Prints the table of ``finetune --sources``; nothing heavy is imported for it."""
    from tellapart.cli.source_table import print_sources
    from tellapart.finetuning.sources import SOURCES

    if source is not None:
        raise ConfigError(
            f"--sources prints a table and trains nothing; leave out SOURCE ({source!r}) and DATA, "
            "or leave out --sources"
        )
    content = {"sources": [facts.to_json() for facts in SOURCES]}
    print_result(SOURCES, content, print_sources, as_json=json)
    return 0


@app.command
def evaluate(
    run: str,
    /,
    *more: str,
    split: Literal["test", "validation", "train"] = "test",
    as_is: bool = False,
    tta: Tta = None,
    recall: Recall = (),
    corrections: Corrections = None,
    examinations: Examinations = _NO_EXAMINATIONS,
    out: Path | None = None,
    data_dir: DataDir = None,
    network: OwnNetwork = None,
    machine: Machine = _MACHINE,
    json: Json = False,
) -> int:
    """Evaluate a run: accuracy with its interval, confusion, ROC, calibration, and a report.

    Several runs are an ensemble: the mean of their class probabilities is evaluated.

    Parameters
    ----------
    run
        The folder that `tellapart train` printed.
    more
        Further runs; the last argument may be other data with the same classes, by default the
        (first) run's own data is evaluated.
    split
        Which split of the data to evaluate; by default test.
    as_is
        Read drawings of other data as they are. By default a drawing whose background, size or
        position differs from the training images is changed to match them.
    out
        The folder for the report and its figures; by default the run, or a new folder in its
        evaluations/.
    """
    from tellapart.cli.tables import print_evaluation_result
    from tellapart.runs.ensembling import split_arguments
    from tellapart.runtime import keep_freed_memory
    from tellapart.workflow.evaluate import evaluate as run_evaluation
    from tellapart.workflow.recall import recall_from_texts

    keep_freed_memory()
    wanted = recall_from_texts(recall)
    runs, data = split_arguments([run, *more])
    with console_session(machine, data_dir, network) as session:
        result = run_evaluation(
            runs,
            data,
            split=split,
            as_is=as_is,
            tta=tta,
            recall=wanted,
            corrections=corrections,
            out=out,
            session=session,
            **asdict(examinations),
        )
    print_result(result, result.to_json(), print_evaluation_result, as_json=json)
    return _finish(result, as_json=json)


@app.command
def predict(
    run: Path,
    /,
    *images: str,
    as_is: bool = False,
    tta: Tta = None,
    coverage: Annotated[
        float | None,
        Parameter(
            help="List for each image a set of classes that holds the true one so often, e.g. 0.99."
        ),
    ] = None,
    sets: SetMethod = None,
    per_class: PerClass = False,
    abstain_below: Annotated[
        float | None,
        Parameter(
            help="Answer `unsure` where the class has a lower probability, e.g. 0.9, and print the"
            " accuracy that this buys on images that were not trained on."
        ),
    ] = None,
    network: OwnNetwork = None,
    machine: Machine = _MACHINE,
    json: Json = False,
) -> int:
    """Predict the class of image files, of any size and colour mode.

    Parameters
    ----------
    run
        The folder that `tellapart train` printed, or a classifier file.
    images
        Files, folders and patterns such as 'scans/*.png'.
    as_is
        Read drawings as they are. By default a drawing whose background, size or position differs
        from the training images is changed to match them.
    """
    from tellapart.cli.prediction_table import print_predictions
    from tellapart.workflow.predict import predict as run_prediction

    with console_session(machine, network=network) as session:
        predictions = run_prediction(
            run,
            images,
            as_is=as_is,
            tta=tta,
            coverage=coverage,
            sets=sets,
            per_class=per_class,
            abstain_below=abstain_below,
            session=session,
        )
    content = {"run": str(run), **predictions.to_json()}
    print_result(predictions, content, print_predictions, as_json=json)
    # The readable files are predicted first; the exit code then reports that some were not.
    return 2 if any(entry.error for entry in predictions) else 0


@app.command
def reproduce(
    *recipes: str,
    data: str = "mnist",
    settings: Settings = (),
    seed: Annotated[int, Parameter(help="The seed of every run; by default 0.")] = 0,
    out: Path | None = None,
    data_dir: DataDir = None,
    machine: Machine = _MACHINE,
    json: Json = False,
) -> int:
    """Train the seven networks of the tutorials as their articles describe, and compare.

    Parameters
    ----------
    recipes
        The tutorials' recipes to train; by default all seven.
    data
        The data set to train on; by default mnist, as in the articles.
    out
        The folder for the runs, OUT/RECIPE; by default runs/DATA-RECIPE-N.
    """
    from tellapart.cli.tables import print_reproduction
    from tellapart.runtime import keep_freed_memory
    from tellapart.workflow.reproduce import reproduce as run_reproduction

    keep_freed_memory()
    with console_session(machine, data_dir) as session:
        results = run_reproduction(
            recipes, data=data, settings=settings, seed=seed, out=out, session=session
        )
    rows = [
        {"claim": c.claim, "reference_accuracy": c.reference_accuracy, **result.to_json()}
        for c, result in results
    ]
    content = {"data": data, "seed": seed, "results": rows}
    print_result(results, content, print_reproduction, as_json=json)
    return 0
